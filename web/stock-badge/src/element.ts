// <stock-badge product="...">: shows the newest state that it is given, and tells the page. Never asks the server
// itself, never shows nothing, and never looks live when it is not.
import { announce, prepareAnnouncer } from './announcer.js';
import css from './badge.css?inline';
import { isolate, quote, warnOnce } from './console.js';
import { watchNearby } from './nearby.js';
import { poolFor } from './pool.js';
import { announces, endpointFor } from './settings.js';
import { isAvailability, isProduct, type Availability, type Status, type Stock } from './stock.js';
import { languageOf, say, text } from './texts.js';

/** How long a badge may be without a connection before it says so: shorter losses nobody needs to know of. */
const STALE_AFTER_MS = 3_000;

const STATES: Readonly<Record<Availability, string>> = {
  IN_STOCK: 'in-stock',
  LOW_STOCK: 'low-stock',
  OUT_OF_STOCK: 'sold-out',
  UNTRACKED: 'untracked',
};

/** Properties that a page may have set before this class was there. The last two cannot be set, and must not stay hidden. */
const PROPERTIES = ['product', 'available', 'availability', 'label', 'endpoint', 'always', 'stock', 'status'] as const;

/** Attributes that say what is shown. They are the badge's own. */
const SHOWN = ['state', 'live', 'stale'] as const;

/** What `stock-change`, `stock-live` and `stock-stale` tell. */
export interface StockDetail {
  readonly product: string;
  /** Units that can be bought, and null when nobody knows or counts them. None of an archived product. */
  readonly available: number | null;
  /** `OUT_OF_STOCK` of an archived product, too. */
  readonly availability: Availability | null;
  /** Null when nothing has come from the server yet. */
  readonly version: number | null;
  readonly live: boolean;
}

export type StockEvent = CustomEvent<StockDetail>;

/** The badges that are in a document. */
const present = new Set<StockBadge>();
/** The style sheet of each document: one cannot be shared between them. */
const sheets = new WeakMap<Document, CSSStyleSheet>();

// Where a page is rendered on a server there are no elements; nothing is made there, but it can be imported.
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class StockBadge extends Base {
  static readonly observedAttributes: readonly string[] = [
    ...['product', 'available', 'availability', 'endpoint', 'always', 'lang'],
    ...SHOWN,
  ];

  readonly #internals = this.attachInternals();
  readonly #root = rootOf(this, this.#internals);
  readonly #badge = part('badge');
  readonly #slot = document.createElement('slot');
  readonly #text = part('text');
  readonly #note = part('note');
  /** The attributes that say what is shown, as they should be. */
  readonly #shown = new Map<string, string | null>();
  #isMending = false;
  #stock: Stock | undefined;
  #isLive = false;
  #isStale = false;
  #isPresent = false;
  #unwatch: (() => void) | undefined;
  #leave: (() => void) | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.#slot.setAttribute('part', 'text');
    this.#slot.addEventListener('slotchange', () => this.refresh());
    this.#badge.addEventListener('animationend', () => this.#badge.classList.remove('changed'));
    this.#badge.append(part('dot'), this.#slot, this.#text, this.#note);
    this.#root.replaceChildren(this.#badge);
    this.#dress();
    this.#takeOver();
  }

  /** The id of the product. */
  get product(): string {
    return valueOf(this, 'product') ?? '';
  }

  set product(id: string | null | undefined) {
    this.#reflect('product', id);
  }

  /** The units that are shown until the first state comes. */
  get available(): number | null {
    const count = valueOf(this, 'available');
    return count && /^\d{1,10}$/.test(count) ? Number(count) : null;
  }

  set available(count: number | string | null | undefined) {
    this.#reflect('available', count);
  }

  /** The state that is shown until the first one comes. */
  get availability(): Availability | null {
    const word = valueOf(this, 'availability');
    return isAvailability(word) ? word : null;
  }

  set availability(word: Availability | null | undefined) {
    this.#reflect('availability', word);
  }

  /** What the product is called in announcements. */
  get label(): string {
    return this.getAttribute('label') ?? '';
  }

  set label(label: string | null | undefined) {
    this.#reflect('label', label);
  }

  /** Another API than that of the page. */
  get endpoint(): string {
    return this.getAttribute('endpoint') ?? '';
  }

  set endpoint(address: string | URL | null | undefined) {
    this.#reflect('endpoint', address);
  }

  /** Whether it is followed out of view, too. The attribute may say "false", as frameworks write it. */
  get always(): boolean {
    return this.hasAttribute('always') && isOn(this.getAttribute('always'));
  }

  set always(isAlways: boolean | string | null | undefined) {
    // The attribute may be there already and say "false".
    if (isAlways && isOn(isAlways)) this.setAttribute('always', '');
    else this.removeAttribute('always');
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

  /** Whether the product is for sale at all. Null when nothing has come from the server yet. */
  get status(): Status | null {
    return this.#stock?.status ?? null;
  }

  connectedCallback(): void {
    present.add(this);
    prepareAnnouncer();
    // Moved within the page: it goes on.
    if (this.#isPresent) return this.refresh();
    this.#isPresent = true;
    this.#begin();
  }

  disconnectedCallback(): void {
    // Whoever moves an element takes it out first.
    queueMicrotask(() => {
      if (this.isConnected || !this.#isPresent) return;
      this.#isPresent = false;
      present.delete(this);
      this.#end();
    });
  }

  adoptedCallback(): void {
    this.#dress();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (SHOWN.some((one) => one === name)) return this.#mend(name, after);
    const isAnother = name === 'product' || name === 'endpoint';
    if (isAnother) {
      this.#stock = undefined;
      this.#isStale = false;
    }
    if (!this.#isPresent) return;
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
    const known = this.#known();
    const { availability } = known;
    const isOwn = !this.#stock && this.#slot.assignedNodes().some((node) => node.textContent?.trim());
    this.#slot.hidden = !isOwn;
    this.#text.hidden = isOwn;
    const nothing = this.#isStale ? 'unknown' : 'checking';
    this.#text.textContent = availability ? say({ ...known, availability }, language) : text(nothing, language);
    // Of what is not known it need not be said that it is old.
    this.#note.hidden = !this.#isStale || !(availability || isOwn);
    this.#note.textContent = text('notLive', language);
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
  #known(): Partial<Pick<Stock, 'available' | 'availability' | 'status'>> {
    const stock = this.#stock;
    // What is not for sale any more cannot be had, however many there are.
    if (stock?.status === 'ARCHIVED') return { available: 0, availability: 'OUT_OF_STOCK', status: 'ARCHIVED' };
    if (stock) return stock;
    const available = this.available ?? undefined;
    const guess = available === undefined ? undefined : available > 0 ? 'IN_STOCK' : 'OUT_OF_STOCK';
    const availability = this.availability ?? guess;
    return { ...(available !== undefined && { available }), ...(availability && { availability }) };
  }

  /** Takes over what a page has set as properties before the element was one: they would hide those of the class. */
  #takeOver(): void {
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value: unknown = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }

  #reflect(name: string, value: unknown): void {
    if (value === null || value === undefined || value === '') this.removeAttribute(name);
    else this.setAttribute(name, String(value));
  }

  #dress(): void {
    const owner = this.ownerDocument;
    // A document without a window is none that is seen.
    const Sheet = owner.defaultView?.CSSStyleSheet;
    if (!Sheet) return;
    let sheet = sheets.get(owner);
    if (!sheet) {
      sheet = new Sheet();
      sheet.replaceSync(css);
      sheets.set(owner, sheet);
    }
    this.#root.adoptedStyleSheets = [sheet];
  }

  #begin(): void {
    this.refresh();
    if (this.always) this.#follow(true);
    // What is inside has a box on every page; the element itself may have none, by `display: contents`.
    else this.#leave = watchNearby(this.#badge, (isNear) => this.#follow(isNear));
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
    } else {
      this.#waitForLive();
      const endpoint = isProduct(this.product) ? endpointFor(this.getAttribute('endpoint')) : undefined;
      // A badge without an id or an endpoint is followed by nobody: it stays unknown.
      this.#unwatch = endpoint ? poolFor(endpoint).watch(this.product, this) : () => {};
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
      if (!this.product)
        warnOnce('not live: a badge has no product. Its attribute or property "product" is the id of one.');
      else if (!isProduct(this.product))
        warnOnce(
          `not live: ${quote(this.product)} is not the id of a product. Those look like product_01j0000000e008000000000001.`,
        );
      this.refresh();
      this.#dispatch('stock-stale');
    }, STALE_AFTER_MS);
  }

  #dispatch(type: 'stock-change' | 'stock-live' | 'stock-stale'): void {
    this.dispatchEvent(new CustomEvent<StockDetail>(type, { bubbles: true, composed: true, detail: this.stock }));
  }

  /**
   * Puts an attribute, the custom states and the looks in line. The looks hang on nothing that the page can take away.
   * Writes only what changes, so that nobody is woken for nothing.
   */
  #show(name: (typeof SHOWN)[number], value: string | null): void {
    const before = this.#shown.get(name) ?? null;
    this.#shown.set(name, value);
    if (this.getAttribute(name) !== value) this.#reflectShown(name);
    if (before === value) return;
    if (value === null) delete this.#badge.dataset[name];
    else this.#badge.dataset[name] = value;
    try {
      const { states } = this.#internals;
      if (before !== null) states.delete(before || name);
      if (value !== null) states.add(value || name);
    } catch {
      // A browser that wants dashes in their names, or has none. The attributes are there.
    }
  }

  #reflectShown(name: string): void {
    const value = this.#shown.get(name) ?? null;
    if (value === null) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }

  /** Whoever morphs a page makes the attributes those of its markup. They come back, before the page is painted again. */
  #mend(name: string, now: string | null): void {
    if (this.#isMending || !this.#isPresent || now === (this.#shown.get(name) ?? null)) return;
    this.#isMending = true;
    // Not at once: who takes away what comes back at once would never be done.
    const soon = document.hidden ? setTimeout : requestAnimationFrame;
    soon(() => {
      this.#isMending = false;
      if (this.#isPresent) for (const one of SHOWN) this.#reflectShown(one);
    });
  }
}

/** The shadow root, without what a server has put into it. */
function rootOf(element: HTMLElement, internals: ElementInternals): ShadowRoot {
  try {
    return element.attachShadow({ mode: 'open' });
  } catch (error) {
    if (internals.shadowRoot) return internals.shadowRoot;
    throw error;
  }
}

/** Whether a value does not say that something is off. */
function isOn(value: unknown): boolean {
  return !/^\s*(false|0)\s*$/i.test(String(value));
}

/** The value of an attribute, without the line breaks that templates leave around it. */
function valueOf(element: Element, name: string): string | undefined {
  return element.getAttribute(name)?.trim();
}

function part(name: string): HTMLSpanElement {
  const span = document.createElement('span');
  span.className = name;
  span.setAttribute('part', name);
  return span;
}

/** Every badge of the page shows what it has anew. */
export function refreshBadges(): void {
  for (const badge of present) isolate(() => badge.refresh());
}

/** Every badge of the page asks anew where the server is. */
export function restartBadges(): void {
  for (const badge of present) isolate(() => badge.restart());
}

declare global {
  interface HTMLElementTagNameMap {
    'stock-badge': StockBadge;
  }

  // Of elements, and of the document and the window that they bubble to.
  interface GlobalEventHandlersEventMap {
    'stock-change': StockEvent;
    'stock-live': StockEvent;
    'stock-stale': StockEvent;
  }
}
