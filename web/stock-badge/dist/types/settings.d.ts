import type { Texts } from './texts.js';
/** The payload of `connection_init`; over server-sent events its `Authorization` is sent as the header. */
export type ConnectionParams = Readonly<Record<string, unknown>>;
export interface Options {
    /** The address of the GraphQL API. Unless given: `graphql` beside the script. */
    endpoint?: string | URL | null | undefined;
    /** Who is asking, for private shops. A function is asked before every attempt, so that it can get a new token. */
    connectionParams?: ConnectionParams | (() => ConnectionParams | Promise<ConnectionParams>) | null | undefined;
    /** Texts by language, such as `{ fr: { soldOut: 'Épuisé' } }`. They are added to those that are there. */
    texts?: Readonly<Record<string, Partial<Texts>>> | null | undefined;
    /** Whether changes are told to screen readers. Unless given, they are. */
    announce?: boolean | null | undefined;
}
/** Chooses. What is not given, or undefined, stays as it was; null is as if it was never given. Badges follow. */
export declare function choose(options: Options): void;
/** Calls `listener` with what was chosen whenever something is. */
export declare function onConfigured(listener: (changed: Options) => void): void;
/** The absolute address of the API: that of one badge, of the page, or beside the script. Undefined if it is none. */
export declare function endpointFor(own: string | null): string | undefined;
/** Whether nobody chose this endpoint: it is only what is beside the script. */
export declare function isGuess(endpoint: string): boolean;
export declare function announces(): boolean;
/** Who is asking; undefined when the page could not say so. */
export declare function connectionParams(): Promise<ConnectionParams | undefined>;
/** Whether the next attempt may come with another token than the last one. */
export declare function canRenew(): boolean;
