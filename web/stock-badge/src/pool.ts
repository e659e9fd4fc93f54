// Which products a page follows at one endpoint, over one connection and as few subscriptions as there can be. Keeps
// the newest state of each. Never shows anything, and never follows more than the link carries.
import { Connection } from './connection.js';
import { MAX_IDS, type Stock } from './stock.js';

/** How long changes of what is followed are gathered: short for people, long beside the frames of a scroll. */
const GATHER_MS = 100;
/** How long a subscription may take to deliver before it takes over from the one before all the same. */
const HANDOVER_MS = 5_000;
/** How long the connection outlives the last badge. */
const IDLE_MS = 10_000;
/** States that are kept of products that nobody watches at the moment. */
const MAX_KEPT = 1_000;

/** Whoever is told of a product. */
export interface Watcher {
  /** The newest state, if there is one, and whether it is live. */
  update(stock: Stock | undefined, isLive: boolean): void;
}

/** A subscription, with the one that takes over from it. */
interface Batch {
  ids: Set<string>;
  serving: string | undefined;
  coming: string | undefined;
  timer?: ReturnType<typeof setTimeout>;
}

export class Pool {
  readonly #connection: Connection;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #states = new Map<string, Stock>();
  readonly #live = new Set<string>();
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
    this.#connection.stop();
    this.#onIdle();
  }

  /** Brings the subscriptions in line with what is watched. */
  #settle(): void {
    const link = this.#connection.link;
    if (!link) return;
    for (const batch of this.#batches.filter((one) => this.#watchedOf(one).length === 0)) this.#end(batch);
    const followed = new Set(this.#batches.flatMap((batch) => [...batch.ids]));
    const wanted = [...this.#watchers.keys()].filter((id) => !followed.has(id));
    // What is not watched any more stays until its subscription changes anyhow: people scroll back.
    for (const batch of this.#batches) {
      const watched = this.#watchedOf(batch);
      const more = wanted.splice(0, MAX_IDS - watched.length);
      if (more.length > 0) this.#subscribe(batch, [...watched, ...more]);
    }
    while (wanted.length > 0 && this.#batches.length < link.maxSubscriptions) {
      const batch: Batch = { ids: new Set(), serving: undefined, coming: undefined };
      this.#batches.push(batch);
      this.#subscribe(batch, wanted.splice(0, MAX_IDS));
    }
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
    clearTimeout(batch.timer);
    batch.timer = setTimeout(() => this.#takeOver(batch), HANDOVER_MS);
    link?.subscribe(batch.coming, ids);
  }

  #takeOver(batch: Batch): void {
    clearTimeout(batch.timer);
    if (batch.serving) this.#connection.link?.complete(batch.serving);
    batch.serving = batch.coming;
    batch.coming = undefined;
    this.#dropUnfollowed();
  }

  #end(batch: Batch): void {
    clearTimeout(batch.timer);
    for (const id of [batch.serving, batch.coming]) if (id) this.#connection.link?.complete(id);
    this.#batches = this.#batches.filter((one) => one !== batch);
    this.#dropUnfollowed();
  }

  /** What is followed no longer is not live. */
  #dropUnfollowed(): void {
    for (const id of this.#live) {
      if (this.#batches.some((batch) => batch.ids.has(id))) continue;
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
    for (const batch of this.#batches) clearTimeout(batch.timer);
    this.#batches = [];
    this.#live.clear();
    for (const product of this.#watchers.keys()) this.#tell(product);
  }

  #tell(product: string): void {
    for (const watcher of this.#watchers.get(product) ?? []) {
      watcher.update(this.#states.get(product), this.#live.has(product));
    }
  }
}

/** Whether a state that comes again after a reconnect is the one that is known. */
function isSame(one: Stock, other: Stock): boolean {
  const { version, available, availability } = one;
  return version === other.version && available === other.available && availability === other.availability;
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
