/** Puts the live region in place, and answers whether it was there; a text is only told in one that was there before. */
export declare function prepareAnnouncer(): boolean;
/** Tells `text` of a product as soon as it may. The last text of a product wins. */
export declare function announce(product: string, text: string, language: string): void;
