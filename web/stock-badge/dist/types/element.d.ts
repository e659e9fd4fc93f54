import { type Availability, type Stock } from './stock.js';
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
declare const Base: {
    new (): HTMLElement;
    prototype: HTMLElement;
};
export declare class StockBadge extends Base {
    #private;
    static readonly observedAttributes: string[];
    constructor();
    /** The id of the product. */
    get product(): string;
    set product(id: string);
    /** What is shown. */
    get stock(): StockDetail;
    connectedCallback(): void;
    disconnectedCallback(): void;
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
    interface HTMLElementEventMap {
        'stock-change': StockEvent;
        'stock-live': StockEvent;
        'stock-stale': StockEvent;
    }
}
export {};
