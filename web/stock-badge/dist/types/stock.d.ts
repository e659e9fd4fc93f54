export type Availability = 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';
/** Whether a product is for sale. */
export type Status = 'ACTIVE' | 'ARCHIVED';
/** A state of a product's stock. */
export interface Stock {
    readonly product: string;
    /** Units that can be bought. Where the shop caps counts, no more than the cap. */
    readonly available: number;
    readonly availability: Availability;
    readonly status: Status;
    /** The greater, the newer. */
    readonly version: number;
}
/** Most ids that the server takes in one subscription. */
export declare const MAX_IDS = 100;
/** Whether a text is the id of a product. One that is not would spoil the subscription of all others. */
export declare function isProduct(text: string): boolean;
export declare function isAvailability(value: unknown): value is Availability;
/** The operation that follows these products. */
export declare function operation(ids: readonly string[]): {
    query: string;
    variables: {
        ids: readonly string[];
    };
};
/** Why a server does not let a page in: its origin, its token, no such server, or too many connections. */
export type Reason = 'origin' | 'token' | 'foreign' | 'full';
/** What went wrong with an operation. */
export interface Fault {
    /** Nothing else would be answered either. */
    readonly ofAll?: Reason | undefined;
    /** The same may be answered later. Otherwise one of its products is at fault. */
    readonly mayPass: boolean;
}
/** What the errors of an operation say, or undefined where there are none. */
export declare function readFault(errors: unknown): Fault | undefined;
/** The errors of a result. */
export declare function errorsOf(result: unknown): unknown;
/** The state in a result, or nothing when it is none that we know, such as one of a later version of the API. */
export declare function readStock(result: unknown): Stock | undefined;
