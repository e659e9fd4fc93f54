import type { Stock } from './stock.js';
/** A text, or one per plural form of the count. `{count}` is where the count goes. */
export type Text = string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>;
export interface Texts {
    inStock: Text;
    /** Few are left, and it is known how many. */
    lowStock: Text;
    /** Few are left; how many is not known. */
    fewLeft: string;
    soldOut: string;
    /** Nobody counts this product, and it can be had. */
    untracked: string;
    /** It is archived: not for sale any more, however many there are. */
    archived: string;
    /** Nothing is known yet. */
    checking: string;
    /** Nothing could be found out. */
    unknown: string;
    /** Beside what was last known, while it may be old. */
    notLive: string;
}
/** Adds texts, by language. */
export declare function addTexts(texts: Readonly<Record<string, Partial<Texts>>>): void;
/** The language that an element is in: its own `lang` or that of what it stands in, through shadow roots. */
export declare function languageOf(element: Element): string;
/** What is said of a state. */
export declare function say({ availability, available, status }: Pick<Stock, 'availability'> & Partial<Pick<Stock, 'available' | 'status'>>, language: string): string;
/** A text in a language. One of the page that is no text is left out, so that it spoils nothing but itself. */
export declare function text(name: keyof Texts, language: string, count?: number): string;
