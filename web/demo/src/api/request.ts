// Queries and mutations, by HTTP. Tells apart what went wrong, and never says that nothing happened when it may have.
import { endSignIn, headers, noteAccepted, token } from './access.js';
import type { Input, Keyed, Operation } from './documents.js';
import { API } from './place.js';

/** How long an answer may take. The server answers within 5 s. */
const LONGEST_WAIT_MS = 12_000;

/** Pauses before a request that got no answer is sent again. It is the same request, so it has one effect. */
const PAUSES_MS = [400, 1_200];

/** What may be sent again as it is. */
const PASSING: readonly string[] = ['NO_ANSWER', 'OVERLOADED', 'UNAVAILABLE', 'TIMEOUT'];

/** How long the same input is the same intention when nobody knows what became of it. */
export const SAME_INTENTION_MS = 60_000;

/** A request that was not answered with data. `code` is the server's, or NO_ANSWER. */
export class Trouble extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The keys of what was sent and not answered, by what was sent. */
const unanswered = new Map<string, { key: string; time: number }>();

/**
 * The data of an operation. Mutations must be safe to be sent twice, by what they say; others go through `mutate`.
 *
 * Throws `Trouble`.
 */
export async function request<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  for (const pause of PAUSES_MS) {
    try {
      return await send(operation, variables);
    } catch (error) {
      if (!PASSING.includes(codeOf(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return send(operation, variables);
}

/**
 * The data of a mutation, which is done once however often it is sent. Whoever tries again after no answer came sends
 * the same key again.
 *
 * Throws `Trouble`.
 */
export async function mutate<Data, Fields extends object>(
  operation: Operation<Data, Input<Keyed<Fields>>>,
  fields: Fields,
): Promise<Data> {
  const name = operation.text + JSON.stringify(fields);
  const before = unanswered.get(name);
  const isSame = before !== undefined && Date.now() - before.time < SAME_INTENTION_MS;
  const key = isSame ? before.key : newKey();
  unanswered.set(name, { key, time: Date.now() });
  const data = await request(operation, { input: { ...fields, idempotencyKey: key } });
  unanswered.delete(name);
  return data;
}

function newKey(): string {
  // Not `randomUUID`: a page that is not on https or this machine has none.
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}

/** What went wrong, as a code. */
export function codeOf(error: unknown): string {
  return error instanceof Trouble ? error.code : 'UNKNOWN';
}

/** Like `request`, for what is done twice when it is sent twice: it is sent once, whatever comes of it. */
export const requestOnce = send;

async function send<Data, Variables>(operation: Operation<Data, Variables>, variables: Variables): Promise<Data> {
  let answer: { data?: Data | null; errors?: { message: string; extensions?: { code?: string } }[] };
  const used = token.peek();
  try {
    const response = await fetch(API, {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'application/json' },
      body: JSON.stringify({ query: operation.text, variables }),
      signal: AbortSignal.timeout(LONGEST_WAIT_MS),
      // What was begun is not broken off when the page is left.
      keepalive: operation.text.startsWith('mutation'),
    });
    answer = await response.json();
  } catch (error) {
    throw new Trouble('NO_ANSWER', String(error));
  }
  const [first] = answer.errors ?? [];
  const code = first?.extensions?.code ?? 'UNKNOWN';
  if (used && code === 'UNAUTHENTICATED') {
    endSignIn(used);
    throw new Trouble('SIGN_IN_ENDED', first?.message ?? '');
  }
  if (used) noteAccepted(used);
  if (first) throw new Trouble(code, first.message);
  if (!answer.data) throw new Trouble('UNKNOWN', 'an answer without data');
  return answer.data;
}
