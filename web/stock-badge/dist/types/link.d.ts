import type { ConnectionParams } from './settings.js';
import type { Stock } from './stock.js';
export interface Link {
    /** Most subscriptions that should run on it. */
    readonly maxSubscriptions: number;
    /** Whether the server has ever answered on it. */
    readonly hasOpened: boolean;
    /** Follows these products, at most 100. */
    subscribe(id: string, products: readonly string[]): void;
    /** Ends a subscription. */
    complete(id: string): void;
    /** Ends the link; nothing is heard of it any more. */
    close(): void;
}
/** What is heard of a link. */
export interface Ear {
    /** It can be subscribed on. */
    ready(): void;
    next(id: string, stock: Stock): void;
    /** It is over, once. `isFinal`: the same again would fail again. */
    ended(isFinal: boolean): void;
}
export type OpenLink = (endpoint: string, params: ConnectionParams, ear: Ear) => Link;
