export type Kind = 'socket' | 'stream';
export declare class Habit {
    #private;
    /** Kinds that the policy of the page forbids; that cannot change. */
    readonly blocked: Set<Kind>;
    /** Whether the server was ever heard on this page. */
    get hasWorked(): boolean;
    /** Whether a kind that has worked is still expected to: a server that is away for a moment is not asked why. */
    get isTrusted(): boolean;
    /** How long a websocket may take to open. */
    get waitMs(): number;
    /** What to try, without those tried already; undefined when there is nothing left. */
    choose(tried: ReadonlySet<Kind>): Kind | undefined;
    worked(kind: Kind): void;
    failed(kind: Kind): void;
    /** The network is another one: what did not get through may do so now. */
    forget(): void;
}
/** What is known of an endpoint. */
export declare function habitOf(endpoint: string): Habit;
