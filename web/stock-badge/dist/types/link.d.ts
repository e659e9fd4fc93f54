import type { ConnectionParams } from './settings.js';
import type { Reason, Stock } from './stock.js';
export interface Link {
    /** Maximum number of subscriptions in the long run. */
    readonly maxSubscriptions: number;
    /** Maximum number of subscriptions while a product that spoils its subscription is looked for. */
    readonly maxTrials: number;
    /** Whether the server has ever answered on it. */
    readonly hasOpened: boolean;
    /** Follows these products, at most 100. */
    subscribe(id: string, products: readonly string[]): void;
    /** Ends a subscription. */
    complete(id: string): void;
    /** Ends the link soon unless the server shows that it is there, as after a computer's sleep. */
    check(): void;
    /** Ends the link; nothing is heard of it any more. */
    close(): void;
}
/** How a link ended. */
export interface Ending {
    /** The same again would fail again. */
    readonly isFinal?: boolean;
    /** Not before so many milliseconds, as the server asked. */
    readonly waitMs?: number | undefined;
    readonly why?: Reason | undefined;
    /** Nothing was heard for a long time, though nothing refused it. */
    readonly isSilent?: boolean;
}
/** What is heard of a link. */
export interface Ear {
    /** It can be subscribed on. */
    ready(): void;
    next(id: string, stock: Stock): void;
    /** One subscription has ended, and the link goes on. `mayPass`: the same may be answered later. */
    failed(id: string, mayPass: boolean): void;
    /** It is over, once. */
    ended(ending: Ending): void;
}
export type OpenLink = (endpoint: string, params: ConnectionParams, ear: Ear, waitMs: number) => Link;
