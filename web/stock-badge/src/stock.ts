// What the server tells of a product's stock, and how it is asked. Takes nothing on trust that comes from outside.

export type Availability = 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';

/** A state of a product's stock. */
export interface Stock {
  readonly product: string;
  /** Units that can be bought. Where the shop caps counts, no more than the cap. */
  readonly available: number;
  readonly availability: Availability;
  /** The greater, the newer. */
  readonly version: number;
}

/** Most ids that the server takes in one subscription. */
export const MAX_IDS = 100;

const AVAILABILITIES: readonly unknown[] = ['IN_STOCK', 'LOW_STOCK', 'OUT_OF_STOCK', 'UNTRACKED'];

const PRODUCT = /^product_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

// A stock's id is that of its product with another word in front. To ask for the product would make the server read it.
const QUERY = 'subscription($ids:[ID!]!){stockChanged(productIds:$ids){id available availability version}}';

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

/** Whether a result says that something went wrong. */
export function isError(result: unknown): boolean {
  return Boolean((result as { errors?: unknown } | null)?.errors);
}

/** The state in a result, or nothing when it is none that we know, such as one of a later version of the API. */
export function readStock(result: unknown): Stock | undefined {
  const found = (result as { data?: { stockChanged?: Record<string, unknown> } } | null)?.data?.stockChanged;
  if (!found) return undefined;
  const { id, available, availability, version } = found;
  const product = String(id).replace(/^stock_/, 'product_');
  const isRight =
    isProduct(product) && Number.isInteger(available) && Number.isInteger(version) && isAvailability(availability);
  return isRight ? { product, available: available as number, availability, version: version as number } : undefined;
}
