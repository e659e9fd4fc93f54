// What a badge says, in the language of its place on the page. Texts are texts: never put into a page as markup.
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

const ENGLISH: Texts = {
  inStock: 'In stock',
  lowStock: { one: 'Only {count} left', other: 'Only {count} left' },
  fewLeft: 'Only a few left',
  soldOut: 'Sold out',
  untracked: 'In stock',
  checking: 'Checking stock',
  unknown: 'Stock unknown',
  notLive: 'not live',
};

const GERMAN: Texts = {
  inStock: 'Auf Lager',
  lowStock: { one: 'Nur noch ein Stück', other: 'Nur noch {count} Stück' },
  fewLeft: 'Nur noch wenige',
  soldOut: 'Ausverkauft',
  untracked: 'Auf Lager',
  checking: 'Bestand wird geprüft',
  unknown: 'Bestand unbekannt',
  notLive: 'nicht aktuell',
};

const languages = new Map<string, Partial<Texts>>([
  ['en', ENGLISH],
  ['de', GERMAN],
]);

/** Adds texts, by language. */
export function addTexts(texts: Readonly<Record<string, Partial<Texts>>>): void {
  for (const [language, some] of Object.entries(texts)) {
    const key = language.toLowerCase();
    languages.set(key, { ...languages.get(key), ...some });
  }
}

/** The language that an element is in: its own `lang` or that of what it stands in, through shadow roots. */
export function languageOf(element: Element): string {
  for (let at: Element | undefined = element; at;) {
    const closest: Element | null = at.closest('[lang]');
    if (closest) return closest.getAttribute('lang') || 'en';
    const root: Node = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : undefined;
  }
  return 'en';
}

/** The texts of a language: `de-AT` has those of `de`, and what is missing is English. */
export function textsFor(language: string): Texts {
  const parts = language.toLowerCase().split('-');
  const found = parts.map((_, index) => languages.get(parts.slice(0, index + 1).join('-')));
  return Object.assign({}, ENGLISH, languages.get('en'), ...found);
}

/** What is said of a state. */
export function say(
  { availability, available }: Pick<Stock, 'availability'> & { available?: number | undefined },
  language: string,
): string {
  const texts = textsFor(language);
  switch (availability) {
    case 'OUT_OF_STOCK':
      return texts.soldOut;
    case 'UNTRACKED':
      return texts.untracked;
    case 'LOW_STOCK':
      return available === undefined ? texts.fewLeft : fill(texts.lowStock, available, language);
    default:
      return fill(texts.inStock, available, language);
  }
}

function fill(text: Text, count: number | undefined, language: string): string {
  const known = isKnown(language) ? language : 'en';
  const form =
    typeof text === 'string' ? text : (text[new Intl.PluralRules(known).select(count ?? 0)] ?? text.other ?? '');
  return form.replaceAll('{count}', () => (count === undefined ? '' : new Intl.NumberFormat(known).format(count)));
}

/** Whether it is a language tag at all; others make Intl throw. */
function isKnown(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length > 0;
  } catch {
    return false;
  }
}
