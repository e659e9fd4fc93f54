/** Warns of a fact, unless the page was told of it already. */
export declare function warnOnce(message: string): void;
/** A text of the page as part of a message. */
export declare function quote(text: string): string;
/** An address as part of a message: without what may be secret. */
export declare function place(address: string): string;
/** Runs `action`; what it throws is reported as uncaught, and stops nobody else. */
export declare function isolate(action: () => void): void;
