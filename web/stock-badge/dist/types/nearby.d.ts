/** Calls back whenever the element comes near the view or goes away, and soon for the first time. */
export declare function watchNearby(element: Element, callback: (isNear: boolean) => void): () => void;
