// Queries and mutations, by HTTP. Tells apart what went wrong, and never says that nothing happened when it may have.
import { headers } from './access.js';
import type { Operation } from './documents.js';

const URL_OF_API = new URL('/graphql', location.href);

/** How long an answer may take. The server answers within 5 s. */
const LONGEST_WAIT_MS = 12_000;

/** Pauses before a request that got no answer is sent again. It is the same request, so it has one effect. */
const PAUSES_MS = [400, 1_200];

/** What may be sent again as it is. */
const PASSING: readonly string[] = ['NO_ANSWER', 'OVERLOADED', 'UNAVAILABLE', 'TIMEOUT'];

/** A request that was not answered with data. `code` is the server's, or NO_ANSWER. */
export class Trouble extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The data of an operation. Mutations must be safe to be sent twice: by a key, or by what they say.
 *
 * Throws `Trouble`.
 */
export async function request<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  for (const pause of PAUSES_MS) {
    try {
      return await once(operation, variables);
    } catch (error) {
      if (!PASSING.includes(codeOf(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return once(operation, variables);
}

/** A key for one thing that somebody wants done. */
export function newKey(): string {
  // Not `randomUUID`: a page that is not on https or this machine has none.
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}

/** What went wrong, as a code. */
export function codeOf(error: unknown): string {
  return error instanceof Trouble ? error.code : 'UNKNOWN';
}

async function once<Data, Variables>(operation: Operation<Data, Variables>, variables: Variables): Promise<Data> {
  let answer: { data?: Data | null; errors?: { message: string; extensions?: { code?: string } }[] };
  try {
    const response = await fetch(URL_OF_API, {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'application/json' },
      body: JSON.stringify({ query: operation.text, variables }),
      signal: AbortSignal.timeout(LONGEST_WAIT_MS),
    });
    answer = await response.json();
  } catch (error) {
    throw new Trouble('NO_ANSWER', String(error));
  }
  const [first] = answer.errors ?? [];
  if (first) throw new Trouble(first.extensions?.code ?? 'UNKNOWN', first.message);
  if (!answer.data) throw new Trouble('UNKNOWN', 'an answer without data');
  return answer.data;
}
