// Which products a page follows at one endpoint, over one connection and as few subscriptions as there can be. Keeps
// the newest state of each. Never shows anything, never follows more than the link carries, and never lets one product
// or one watcher keep the others from their states.
import { Connection } from './connection.js';
import { isolate, quote, warnOnce } from './console.js';
import { MAX_IDS, type Stock } from './stock.js';

/** How long changes of what is followed are gathered: short for people, long beside the frames of a scroll. */
const GATHER_MS = 100;
/** How long a subscription may take to deliver before it takes over from the one before all the same. */
const HANDOVER_MS = 5_000;
/** How long the connection outlives the last badge. */
const IDLE_MS = 10_000;
/** States that are kept of products that nobody watches at the moment. */
const MAX_KEPT = 1_000;
/** A product of which nothing has come so long after it was asked for is one that the server does not know. */
const UNKNOWN_AFTER_MS = 4_000;
/** How long a product that spoils its subscription is left out. */
const ASIDE_MS = 60_000;
/** Pause before a subscription that was turned away for now is asked for again, at most; half of it is up to chance. */
const AGAIN_MS = 4_000;
/** The same where only the room for looking for a product at fault was lacking. */
const ROOM_MS = 500;
/** Maximum number of products named in one message. */
const MAX_NAMED = 5;

/** Whoever is told of a product. */
export interface Watcher {
  /** The newest state, if there is one, and whether it is live. */
  update(stock: Stock | undefined, isLive: boolean): void;
}

/** A subscription, with the one that takes over from it. */
interface Batch {
  /** The products of the newest subscription. */
  ids: Set<string>;
  /** Those of the one that is serving. */
  served: Set<string>;
  serving: string | undefined;
  coming: string | undefined;
  /** Another batch whose products are part of the one that is coming. */
  merging?: Batch | undefined;
  timer?: ReturnType<typeof setTimeout>;
  check?: ReturnType<typeof setTimeout>;
}

export class Pool {
  readonly #connection: Connection;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #states = new Map<string, Stock>();
  readonly #live = new Set<string>();
  /** Products that are left out for a while. */
  readonly #aside = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #onIdle: () => void;
  #batches: Batch[] = [];
  #operations = 0;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;

  /** `onIdle`: nobody has watched for a while, and the connection is closed. */
  constructor(endpoint: string, onIdle: () => void) {
    this.#onIdle = onIdle;
    this.#connection = new Connection(endpoint, {
      ready: () => this.#settle(),
      next: (id, stock) => this.#next(id, stock),
      failed: (id, mayPass) => this.#failed(id, mayPass),
      lost: () => this.#lost(),
    });
  }

  /** Tells `watcher` of a product until the returned function is called. */
  watch(product: string, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(product) ?? new Set();
    watchers.add(watcher);
    clearTimeout(this.#idle);
    this.#watchers.set(product, watchers);
    this.#gather();
    watcher.update(this.#states.get(product), this.#live.has(product));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(product) === watchers) this.#watchers.delete(product);
      this.#gather();
    };
  }

  restart(): void {
    this.#clearAside();
    if (this.#watchers.size > 0) this.#connection.restart();
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      clearTimeout(this.#idle);
      if (this.#watchers.size > 0) this.#connection.start();
      else this.#idle = setTimeout(() => this.#close(), IDLE_MS);
      this.#settle();
    }, GATHER_MS);
  }

  #close(): void {
    this.#clearAside();
    this.#connection.stop();
    this.#onIdle();
  }

  /** Brings the subscriptions in line with what is watched. */
  #settle(): void {
    const link = this.#connection.link;
    if (!link) return;
    for (const batch of this.#batches.filter((one) => this.#watchedOf(one).length === 0)) this.#end(batch);
    const followed = new Set(this.#batches.flatMap((batch) => [...batch.ids]));
    const wanted = [...this.#watchers.keys()].filter((id) => !followed.has(id) && !this.#aside.has(id));
    // What is not watched any more stays until its subscription changes anyhow: people scroll back.
    for (const batch of this.#batches) {
      const watched = this.#watchedOf(batch);
      const more = wanted.splice(0, MAX_IDS - watched.length);
      if (more.length > 0) this.#subscribe(batch, [...watched, ...more]);
    }
    while (wanted.length > 0 && this.#batches.length < link.maxSubscriptions) this.#add(wanted.splice(0, MAX_IDS));
    const most = link.maxSubscriptions * MAX_IDS;
    if (wanted.length > 0 && followed.size >= most)
      warnOnce(`at most ${most} products are live at once. Badges out of view need no attribute "always".`);
  }

  #add(ids: string[]): void {
    const batch: Batch = { ids: new Set(), served: new Set(), serving: undefined, coming: undefined };
    this.#batches.push(batch);
    this.#subscribe(batch, ids);
  }

  #watchedOf(batch: Batch): string[] {
    return [...batch.ids].filter((id) => this.#watchers.has(id));
  }

  /** Begins a subscription; the one before goes on until this one has delivered. */
  #subscribe(batch: Batch, ids: string[]): void {
    const link = this.#connection.link;
    if (batch.coming) link?.complete(batch.coming);
    batch.ids = new Set(ids);
    batch.coming = String(++this.#operations);
    batch.merging = undefined;
    clearTimeout(batch.timer);
    clearTimeout(batch.check);
    batch.timer = setTimeout(() => this.#takeOver(batch), HANDOVER_MS);
    batch.check = setTimeout(() => this.#lookForUnknown(batch), UNKNOWN_AFTER_MS);
    link?.subscribe(batch.coming, ids);
  }

  #takeOver(batch: Batch): void {
    clearTimeout(batch.timer);
    if (batch.serving) this.#connection.link?.complete(batch.serving);
    batch.serving = batch.coming;
    batch.served = batch.ids;
    batch.coming = undefined;
    const { merging } = batch;
    batch.merging = undefined;
    if (merging && this.#batches.includes(merging)) this.#end(merging);
    this.#dropUnfollowed();
    this.#merge(batch);
  }

  /** Where a search for a product at fault has left more subscriptions than there should be, puts two of them together. */
  #merge(batch: Batch): void {
    const link = this.#connection.link;
    if (!link || this.#batches.length <= link.maxSubscriptions) return;
    const ids = this.#watchedOf(batch);
    const other = this.#batches.find((one) => {
      return one !== batch && one.serving && !one.coming && this.#watchedOf(one).length + ids.length <= MAX_IDS;
    });
    if (!other) return;
    this.#subscribe(other, [...this.#watchedOf(other), ...ids]);
    other.merging = batch;
  }

  /** A subscription was refused or ended by the server. Which of its products is at fault is found by halving. */
  #failed(operation: string, mayPass: boolean): void {
    const batch = this.#batches.find((one) => one.coming === operation || one.serving === operation);
    if (!batch) return;
    if (batch.coming && batch.serving === operation) {
      // The next one is on its way. Until it delivers, nothing of this batch is live.
      batch.serving = undefined;
      return this.#dropLive((id) => !batch.ids.has(id));
    }
    let ids = this.#watchedOf(batch);
    if (batch.coming && batch.serving) {
      // What it had is served on; what was to be added is at fault.
      clearTimeout(batch.timer);
      batch.coming = undefined;
      batch.ids = batch.served;
      ids = batch.merging ? [] : ids.filter((id) => !batch.served.has(id));
      batch.merging = undefined;
    } else {
      this.#end(batch);
    }
    this.#dropUnfollowed();
    const room = (this.#connection.link?.maxTrials ?? 0) - this.#batches.length;
    if (mayPass) return this.#setAside(ids, AGAIN_MS * (1 - 0.5 * Math.random()));
    if (ids.length > 1 && room < 2) return this.#setAside(ids, ROOM_MS);
    if (ids.length === 1) {
      warnOnce(`not live: the server refuses the product ${quote(ids[0] ?? '')}.`);
      return this.#setAside(ids, ASIDE_MS);
    }
    const half = Math.ceil(ids.length / 2);
    for (const some of [ids.slice(0, half), ids.slice(half)]) if (some.length > 0) this.#add(some);
  }

  #setAside(ids: readonly string[], time: number): void {
    for (const id of ids) {
      const back = () => {
        this.#aside.delete(id);
        this.#gather();
      };
      clearTimeout(this.#aside.get(id));
      this.#aside.set(id, setTimeout(back, time));
    }
  }

  #clearAside(): void {
    for (const timer of this.#aside.values()) clearTimeout(timer);
    this.#aside.clear();
  }

  /** The server passes over ids that it does not know, and sends the states of all others at once. */
  #lookForUnknown(batch: Batch): void {
    if (!this.#connection.link?.hasOpened) {
      batch.check = setTimeout(() => this.#lookForUnknown(batch), UNKNOWN_AFTER_MS);
      return;
    }
    const unknown = this.#watchedOf(batch).filter((id) => !this.#live.has(id));
    if (unknown.length === 0) return;
    const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : '';
    warnOnce(`not live: the server knows no product ${unknown.slice(0, MAX_NAMED).map(quote).join(', ')}${more}.`);
  }

  #end(batch: Batch): void {
    clearTimeout(batch.timer);
    clearTimeout(batch.check);
    for (const id of [batch.serving, batch.coming]) if (id) this.#connection.link?.complete(id);
    this.#batches = this.#batches.filter((one) => one !== batch);
    this.#dropUnfollowed();
  }

  /** What is followed no longer is not live. */
  #dropUnfollowed(): void {
    this.#dropLive((id) => this.#batches.some((batch) => batch.ids.has(id)));
  }

  #dropLive(isKept: (id: string) => boolean): void {
    for (const id of [...this.#live].filter((id) => !isKept(id))) {
      this.#live.delete(id);
      this.#tell(id);
    }
  }

  #next(operation: string, stock: Stock): void {
    const batch = this.#batches.find((one) => one.coming === operation || one.serving === operation);
    if (batch?.coming === operation) this.#takeOver(batch);
    const { product } = stock;
    const before = this.#states.get(product);
    // What was known before this connection is older than what is first heard on it, whatever their versions say: a
    // shop may have been set up anew. On one connection subscriptions overlap, and the greater version is the newer.
    const wasLive = this.#live.has(product);
    const isNewer = !before || (wasLive ? stock.version > before.version : !isSame(stock, before));
    if (batch?.ids.has(product)) this.#live.add(product);
    if (isNewer) this.#keep(stock);
    if (isNewer || wasLive !== this.#live.has(product)) this.#tell(product);
  }

  #keep(stock: Stock): void {
    this.#states.delete(stock.product);
    this.#states.set(stock.product, stock);
    if (this.#states.size <= MAX_KEPT) return;
    for (const product of this.#states.keys()) {
      if (!this.#watchers.has(product)) {
        this.#states.delete(product);
        return;
      }
    }
  }

  #lost(): void {
    for (const batch of this.#batches) {
      clearTimeout(batch.timer);
      clearTimeout(batch.check);
    }
    this.#batches = [];
    this.#live.clear();
    for (const product of this.#watchers.keys()) this.#tell(product);
  }

  #tell(product: string): void {
    for (const watcher of this.#watchers.get(product) ?? []) {
      isolate(() => watcher.update(this.#states.get(product), this.#live.has(product)));
    }
  }
}

/** Whether a state that comes again after a reconnect is the one that is known. */
function isSame(one: Stock, other: Stock): boolean {
  const names = ['version', 'available', 'availability', 'status'] as const;
  return names.every((name) => one[name] === other[name]);
}

const pools = new Map<string, Pool>();

/** The pool of an endpoint: one for all badges of the page. */
export function poolFor(endpoint: string): Pool {
  let pool = pools.get(endpoint);
  if (!pool) {
    pool = new Pool(endpoint, () => pools.delete(endpoint));
    pools.set(endpoint, pool);
  }
  return pool;
}

/** Connects anew, everywhere. */
export function restartPools(): void {
  for (const pool of pools.values()) pool.restart();
}
