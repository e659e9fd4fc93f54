export type Availability = 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'UNTRACKED';
/** A state of a product's stock. */
export interface Stock {
    readonly product: string;
    /** Units that can be bought. Where the shop caps counts, no more than the cap. */
    readonly available: number;
    readonly availability: Availability;
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
/** Whether a result says that something went wrong. */
export declare function isError(result: unknown): boolean;
/** The state in a result, or nothing when it is none that we know, such as one of a later version of the API. */
export declare function readStock(result: unknown): Stock | undefined;
