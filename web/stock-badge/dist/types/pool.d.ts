import { type Stock } from './stock.js';
/** Whoever is told of a product. */
export interface Watcher {
    /** The newest state, if there is one, and whether it is live. */
    update(stock: Stock | undefined, isLive: boolean): void;
}
export declare class Pool {
    #private;
    /** `onIdle`: nobody has watched for a while, and the connection is closed. */
    constructor(endpoint: string, onIdle: () => void);
    /** Tells `watcher` of a product until the returned function is called. */
    watch(product: string, watcher: Watcher): () => void;
    restart(): void;
}
/** The pool of an endpoint: one for all badges of the page. */
export declare function poolFor(endpoint: string): Pool;
/** Connects anew, everywhere. */
export declare function restartPools(): void;
