import type { Ear, Link } from './link.js';
type Listener = Pick<Ear, 'ready' | 'next' | 'failed'> & {
    lost(): void;
};
export declare class Connection {
    #private;
    constructor(endpoint: string, ear: Listener);
    /** The link, once it can be subscribed on. */
    get link(): Link | undefined;
    /** Begins, and follows what becomes of the page. */
    start(): void;
    stop(): void;
    /** Begins anew at once, as somebody else perhaps. */
    restart(): void;
    handleEvent(event: Event): void;
}
export {};
