import { type Availability, type Status, type Stock } from './stock.js';
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
declare const Base: {
    new (): HTMLElement;
    prototype: HTMLElement;
};
export declare class StockBadge extends Base {
    #private;
    static readonly observedAttributes: readonly string[];
    constructor();
    /** The id of the product. */
    get product(): string;
    set product(id: string | null | undefined);
    /** The units that are shown until the first state comes. */
    get available(): number | null;
    set available(count: number | string | null | undefined);
    /** The state that is shown until the first one comes. */
    get availability(): Availability | null;
    set availability(word: Availability | null | undefined);
    /** What the product is called in announcements. */
    get label(): string;
    set label(label: string | null | undefined);
    /** Another API than that of the page. */
    get endpoint(): string;
    set endpoint(address: string | URL | null | undefined);
    /** Whether it is followed out of view, too. The attribute may say "false", as frameworks write it. */
    get always(): boolean;
    set always(isAlways: boolean | string | null | undefined);
    /** What is shown. */
    get stock(): StockDetail;
    /** Whether the product is for sale at all. Null when nothing has come from the server yet. */
    get status(): Status | null;
    connectedCallback(): void;
    disconnectedCallback(): void;
    adoptedCallback(): void;
    attributeChangedCallback(name: string, before: string | null, after: string | null): void;
    /** Shows what is known, in the language of the moment. */
    refresh(): void;
    /** Begins anew, after the page has chosen another endpoint. */
    restart(): void;
    /** Called by the pool. */
    update(stock: Stock | undefined, isLive: boolean): void;
}
/** Every badge of the page shows what it has anew. */
export declare function refreshBadges(): void;
/** Every badge of the page asks anew where the server is. */
export declare function restartBadges(): void;
declare global {
    interface HTMLElementTagNameMap {
        'stock-badge': StockBadge;
    }
    interface GlobalEventHandlersEventMap {
        'stock-change': StockEvent;
        'stock-live': StockEvent;
        'stock-stale': StockEvent;
    }
}
export {};
