import type { Texts } from './texts.js';
/** The payload of `connection_init`; over server-sent events its `Authorization` is sent as the header. */
export type ConnectionParams = Readonly<Record<string, unknown>>;
export interface Options {
    /** The address of the GraphQL API. Unless given: `graphql` beside the script. */
    endpoint?: string | URL;
    /** Who is asking, for private shops. A function is asked before every attempt, so that it can get a new token. */
    connectionParams?: ConnectionParams | (() => ConnectionParams | Promise<ConnectionParams>);
    /** Texts by language, such as `{ fr: { soldOut: 'Épuisé' } }`. They are added to those that are there. */
    texts?: Readonly<Record<string, Partial<Texts>>>;
    /** Whether changes are told to screen readers. Unless given, they are. */
    announce?: boolean;
}
/** Chooses; what is not given stays as it was. Badges that are there already follow. */
export declare function configure(options: Options): void;
/** Calls `listener` with what was chosen whenever something is. */
export declare function onConfigured(listener: (changed: Options) => void): void;
/** The absolute address of the API: that of one badge, of the page, or beside the script. */
export declare function endpointFor(own: string | null): string;
export declare function announces(): boolean;
export declare function connectionParams(): Promise<ConnectionParams>;
/** Whether the next attempt may come with another token than the last one. */
export declare function canRenew(): boolean;
