// What the server tells of a product's stock, and how it is asked. Takes nothing on trust that comes from outside.

export type Availability = 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';

/** Whether a product is for sale. */
export type Status = 'ACTIVE' | 'ARCHIVED';

/** A state of a product's stock. */
export interface Stock {
  readonly product: string;
  /** Units that can be bought. Where the shop caps counts, no more than the cap. */
  readonly available: number;
  readonly availability: Availability;
  readonly status: Status;
  /** The greater, the newer. */
  readonly version: number;
}

/** Most ids that the server takes in one subscription. */
export const MAX_IDS = 100;

const AVAILABILITIES: readonly unknown[] = ['IN_STOCK', 'LOW_STOCK', 'OUT_OF_STOCK', 'UNTRACKED'];

const PRODUCT = /^product_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

// A stock's id is that of its product with another word in front. An archived product keeps its numbers and cannot be
// bought; that it is archived only the product says.
const QUERY =
  'subscription($ids:[ID!]!){stockChanged(productIds:$ids){id available availability version product{status}}}';

/** Whether a text is the id of a product. One that is not would spoil the subscription of all others. */
export function isProduct(text: string): boolean {
  return PRODUCT.test(text);
}

export function isAvailability(value: unknown): value is Availability {
  return AVAILABILITIES.includes(value);
}

/** The operation that follows these products. */
export function operation(ids: readonly string[]): { query: string; variables: { ids: readonly string[] } } {
  return { query: QUERY, variables: { ids } };
}

/** Codes of errors that hold for everything that this page asks, with this token or of this server. */
const OF_ALL: Readonly<Record<string, Reason>> = {
  FORBIDDEN: 'token',
  GRAPHQL_PARSE_FAILED: 'foreign',
  GRAPHQL_VALIDATION_FAILED: 'foreign',
  UNAUTHENTICATED: 'token',
};
/** Codes of errors that pass by themselves. */
const PASSING: readonly unknown[] = ['OVERLOADED', 'RATE_LIMITED', 'TIMEOUT', 'UNAVAILABLE'];

/** Why a server does not let a page in: its origin, its token, no such server, or too many connections. */
export type Reason = 'origin' | 'token' | 'foreign' | 'full';

/** What went wrong with an operation. */
export interface Fault {
  /** Nothing else would be answered either. */
  readonly ofAll?: Reason | undefined;
  /** The same may be answered later. Otherwise one of its products is at fault. */
  readonly mayPass: boolean;
}

/** What the errors of an operation say, or undefined where there are none. */
export function readFault(errors: unknown): Fault | undefined {
  if (!errors) return undefined;
  const all: unknown[] = Array.isArray(errors) ? errors : [];
  const codes = all.map((error) => (error as { extensions?: { code?: unknown } } | null)?.extensions?.code);
  const ofAll = codes.map((code) => OF_ALL[String(code)]).find(Boolean);
  return { ofAll, mayPass: codes.some((code) => PASSING.includes(code)) };
}

/** The errors of a result. */
export function errorsOf(result: unknown): unknown {
  return (result as { errors?: unknown } | null)?.errors;
}

/** The state in a result, or nothing when it is none that we know, such as one of a later version of the API. */
export function readStock(result: unknown): Stock | undefined {
  const found = (result as { data?: { stockChanged?: Record<string, unknown> } } | null)?.data?.stockChanged;
  if (!found) return undefined;
  const { id, available, availability, version } = found;
  const status = (found['product'] as { status?: unknown } | undefined)?.status ?? 'ACTIVE';
  const product = String(id).replace(/^stock_/, 'product_');
  const isRight =
    isProduct(product) && Number.isInteger(available) && Number.isInteger(version) && isAvailability(availability);
  if (!isRight) return undefined;
  return {
    product,
    available: available as number,
    availability,
    // Whatever else a product may be one day, it is not for sale then.
    status: status === 'ACTIVE' ? 'ACTIVE' : 'ARCHIVED',
    version: version as number,
  };
}
