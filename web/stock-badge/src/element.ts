// <stock-badge product="...">: shows the newest state that it is given, and tells the page. Never asks the server
// itself, never shows nothing, and never looks live when it is not.
import { announce, prepareAnnouncer } from './announcer.js';
import css from './badge.css?inline';
import { watchNearby } from './nearby.js';
import { poolFor } from './pool.js';
import { announces, endpointFor } from './settings.js';
import { isAvailability, isProduct, type Availability, type Stock } from './stock.js';
import { languageOf, say, textsFor } from './texts.js';

/** How long a badge may be without a connection before it says so: shorter losses nobody needs to know of. */
const STALE_AFTER_MS = 3_000;

const STATES: Readonly<Record<Availability, string>> = {
  IN_STOCK: 'in-stock',
  LOW_STOCK: 'low-stock',
  OUT_OF_STOCK: 'sold-out',
  UNTRACKED: 'untracked',
};

/** What `stock-change`, `stock-live` and `stock-stale` tell. */
export interface StockDetail {
  readonly product: string;
  /** Units that can be bought, and null when nobody knows or counts them. */
  readonly available: number | null;
  readonly availability: Availability | null;
  /** Null when nothing has come from the server yet. */
  readonly version: number | null;
  readonly live: boolean;
}

export type StockEvent = CustomEvent<StockDetail>;

/** The badges that are in a document. */
const present = new Set<StockBadge>();
let sheet: CSSStyleSheet | undefined;

// Where a page is rendered on a server there are no elements; nothing is made there, but it can be imported.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class StockBadge extends Base {
  static readonly observedAttributes = ['product', 'available', 'availability', 'endpoint', 'always', 'lang'];

  readonly #internals = this.attachInternals();
  readonly #badge = part('badge');
  readonly #slot = document.createElement('slot');
  readonly #text = part('text');
  readonly #note = part('note');
  #stock: Stock | undefined;
  #isLive = false;
  #isStale = false;
  #unwatch: (() => void) | undefined;
  #leave: (() => void) | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
    }
    root.adoptedStyleSheets = [sheet];
    this.#slot.setAttribute('part', 'text');
    this.#slot.addEventListener('slotchange', () => this.refresh());
    this.#badge.addEventListener('animationend', () => this.#badge.classList.remove('changed'));
    this.#badge.append(part('dot'), this.#slot, this.#text, this.#note);
    root.append(this.#badge);
  }

  /** The id of the product. */
  get product(): string {
    return this.getAttribute('product') ?? '';
  }

  set product(id: string) {
    this.setAttribute('product', id);
  }

  /** What is shown. */
  get stock(): StockDetail {
    const { available, availability } = this.#known();
    return {
      product: this.product,
      available: availability === 'UNTRACKED' ? null : (available ?? null),
      availability: availability ?? null,
      version: this.#stock?.version ?? null,
      live: this.#isLive,
    };
  }

  connectedCallback(): void {
    present.add(this);
    prepareAnnouncer();
    this.#begin();
  }

  disconnectedCallback(): void {
    present.delete(this);
    this.#end();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    const isAnother = name === 'product' || name === 'endpoint';
    if (isAnother) {
      this.#stock = undefined;
      this.#isStale = false;
    }
    if (!this.isConnected) return;
    if (isAnother || name === 'always') {
      this.#end();
      this.#begin();
    } else {
      this.refresh();
    }
  }

  /** Shows what is known, in the language of the moment. */
  refresh(): void {
    const language = languageOf(this);
    const texts = textsFor(language);
    const { available, availability } = this.#known();
    const isOwn = !this.#stock && this.#slot.assignedNodes().some((node) => node.textContent?.trim());
    this.#slot.hidden = !isOwn;
    this.#text.hidden = isOwn;
    const nothing = this.#isStale ? texts.unknown : texts.checking;
    this.#text.textContent = availability ? say({ availability, available }, language) : nothing;
    // Of what is not known it need not be said that it is old.
    this.#note.hidden = !this.#isStale || !(availability || isOwn);
    this.#note.textContent = texts.notLive;
    this.#show('state', availability ? STATES[availability] : 'unknown');
    this.#show('live', this.#isLive ? '' : null);
    this.#show('stale', this.#isStale ? '' : null);
  }

  /** Begins anew, after the page has chosen another endpoint. */
  restart(): void {
    this.#end();
    this.#begin();
  }

  /** What the server told, or else the page. */
  #known(): { available?: number | undefined; availability?: Availability | undefined } {
    if (this.#stock) return this.#stock;
    const [count, word] = [this.getAttribute('available'), this.getAttribute('availability')];
    const available = count && /^\d{1,10}$/.test(count) ? Number(count) : undefined;
    const guess = available === undefined ? undefined : available > 0 ? 'IN_STOCK' : 'OUT_OF_STOCK';
    return { available, availability: isAvailability(word) ? word : guess };
  }

  #begin(): void {
    this.refresh();
    if (this.hasAttribute('always')) this.#follow(true);
    else this.#leave = watchNearby(this, (isNear) => this.#follow(isNear));
  }

  #end(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#follow(false);
  }

  #follow(isNear: boolean): void {
    if (isNear === Boolean(this.#unwatch)) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    if (!isNear) {
      this.#setLive(false);
      clearTimeout(this.#patience);
      this.#patience = undefined;
    } else if (isProduct(this.product)) {
      this.#waitForLive();
      this.#unwatch = poolFor(endpointFor(this.getAttribute('endpoint'))).watch(this.product, this);
    } else {
      // An id that is none is followed by nobody: it stays unknown.
      this.#waitForLive();
      this.#unwatch = () => {};
    }
  }

  /** Called by the pool. */
  update(stock: Stock | undefined, isLive: boolean): void {
    const isFirst = !this.#stock;
    const isNew = stock !== undefined && stock !== this.#stock;
    const before = this.#text.textContent;
    if (isNew) this.#stock = stock;
    this.#setLive(isLive);
    if (!isNew) return;
    this.refresh();
    if (!isFirst && this.#text.textContent !== before) this.#tellChange();
    this.#dispatch('stock-change');
  }

  #tellChange(): void {
    this.#badge.classList.add('changed');
    if (!announces()) return;
    const [label, text] = [this.getAttribute('label'), this.#text.textContent ?? ''];
    announce(this.product, label ? `${label}: ${text}` : text, languageOf(this));
  }

  #setLive(isLive: boolean): void {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    if (isLive) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      this.#isStale = false;
    } else {
      this.#waitForLive();
    }
    this.refresh();
    if (isLive) this.#dispatch('stock-live');
  }

  #waitForLive(): void {
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#isStale = true;
      this.refresh();
      this.#dispatch('stock-stale');
    }, STALE_AFTER_MS);
  }

  #dispatch(type: 'stock-change' | 'stock-live' | 'stock-stale'): void {
    this.dispatchEvent(new CustomEvent<StockDetail>(type, { bubbles: true, composed: true, detail: this.stock }));
  }

  /** Puts an attribute and the custom states in line. Writes only what changes, so that nobody is woken for nothing. */
  #show(name: 'state' | 'live' | 'stale', value: string | null): void {
    const before = this.getAttribute(name);
    if (before === value) return;
    if (value === null) this.removeAttribute(name);
    else this.setAttribute(name, value);
    try {
      const { states } = this.#internals;
      if (before !== null) states.delete(before || name);
      if (value !== null) states.add(value || name);
    } catch {
      // A browser that wants dashes in their names, or has none. The attributes are there.
    }
  }
}

function part(name: string): HTMLSpanElement {
  const span = document.createElement('span');
  span.className = name;
  span.setAttribute('part', name);
  return span;
}

/** Every badge of the page shows what it has anew. */
export function refreshBadges(): void {
  for (const badge of present) badge.refresh();
}

/** Every badge of the page asks anew where the server is. */
export function restartBadges(): void {
  for (const badge of present) badge.restart();
}

declare global {
  interface HTMLElementTagNameMap {
    'stock-badge': StockBadge;
  }

  interface HTMLElementEventMap {
    'stock-change': StockEvent;
    'stock-live': StockEvent;
    'stock-stale': StockEvent;
  }
}
