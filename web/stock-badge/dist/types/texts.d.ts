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
/** The texts of a language: `de-AT` has those of `de`, and what is missing is English. */
export declare function textsFor(language: string): Texts;
/** What is said of a state. */
export declare function say({ availability, available }: Pick<Stock, 'availability'> & {
    available?: number | undefined;
}, language: string): string;
