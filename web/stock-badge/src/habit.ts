// What this page has learned of the network towards one endpoint: whether websockets or event streams get through. Kept
// while the page is there, also when its connection is not.

export type Kind = 'socket' | 'stream';

/** A stream is preferred for so long after a websocket did not get through. */
const PREFER_STREAM_MS = 600_000;
/** Number of failures in a row after which a kind that has worked is no longer trusted. */
const MAX_FAILURES = 3;
/** Timeout for a websocket's opening before streams are tried: for one that is held up without a word by a proxy, */
const FIRST_WAIT_MS = 2_000;
/** and where websockets have worked before. */
const WAIT_MS = 5_000;

export class Habit {
  /** Kinds that the policy of the page forbids; that cannot change. */
  readonly blocked = new Set<Kind>();
  readonly #worked = new Set<Kind>();
  readonly #failures = { socket: 0, stream: 0 };
  #streamUntil = 0;

  /** Whether the server was ever heard on this page. */
  get hasWorked(): boolean {
    return this.#worked.size > 0;
  }

  /** Whether a kind that has worked is still expected to: a server that is away for a moment is not asked why. */
  get isTrusted(): boolean {
    return [...this.#worked].some((kind) => this.#failures[kind] < MAX_FAILURES);
  }

  /** How long a websocket may take to open. */
  get waitMs(): number {
    return this.#worked.has('socket') ? WAIT_MS : FIRST_WAIT_MS;
  }

  /** What to try, without those tried already; undefined when there is nothing left. */
  choose(tried: ReadonlySet<Kind>): Kind | undefined {
    const order: Kind[] = Date.now() < this.#streamUntil ? ['stream', 'socket'] : ['socket', 'stream'];
    const left = order.filter((kind) => !tried.has(kind) && !this.blocked.has(kind));
    // A kind that has worked fails because the server is away: asking twice would double the crowd at its door.
    const isTrusted = [...tried].some((kind) => this.#worked.has(kind) && this.#failures[kind] < MAX_FAILURES);
    return isTrusted ? undefined : left[0];
  }

  worked(kind: Kind): void {
    this.#worked.add(kind);
    this.#failures[kind] = 0;
    if (kind === 'socket') this.#streamUntil = 0;
    else if (this.#failures.socket > 0) this.#streamUntil = Date.now() + PREFER_STREAM_MS;
  }

  failed(kind: Kind): void {
    this.#failures[kind] += 1;
  }

  /** The network is another one: what did not get through may do so now. */
  forget(): void {
    this.#streamUntil = 0;
    this.#failures.socket = 0;
    this.#failures.stream = 0;
  }
}

const habits = new Map<string, Habit>();

/** What is known of an endpoint. */
export function habitOf(endpoint: string): Habit {
  let habit = habits.get(endpoint);
  if (!habit) habits.set(endpoint, (habit = new Habit()));
  return habit;
}
