// What a badge says, in the language of its place on the page. Texts are texts: never put into a page as markup.
import { quote, warnOnce } from './console.js';
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

const ENGLISH: Texts = {
  inStock: 'In stock',
  lowStock: { one: 'Only {count} left', other: 'Only {count} left' },
  fewLeft: 'Only a few left',
  soldOut: 'Sold out',
  untracked: 'In stock',
  archived: 'No longer available',
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
  archived: 'Nicht mehr erhältlich',
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
    const given = Object.fromEntries(Object.entries(some ?? {}).filter(([, value]) => value !== undefined));
    languages.set(key, { ...languages.get(key), ...given });
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
function textsFor(language: string): Texts {
  const parts = language.toLowerCase().split('-');
  const found = parts.map((_, index) => languages.get(parts.slice(0, index + 1).join('-')));
  return Object.assign({}, ENGLISH, languages.get('en'), ...found);
}

/** What is said of a state. */
export function say(
  { availability, available, status }: Pick<Stock, 'availability'> & Partial<Pick<Stock, 'available' | 'status'>>,
  language: string,
): string {
  if (status === 'ARCHIVED') return text('archived', language);
  switch (availability) {
    case 'OUT_OF_STOCK':
      return text('soldOut', language);
    case 'UNTRACKED':
      return text('untracked', language);
    case 'LOW_STOCK':
      return available === undefined ? text('fewLeft', language) : text('lowStock', language, available);
    default:
      return text('inStock', language, available);
  }
}

/** A text in a language. One of the page that is no text is left out, so that it spoils nothing but itself. */
export function text(name: keyof Texts, language: string, count?: number): string {
  const known = isKnown(language) ? language : 'en';
  const filled = fill(textsFor(language)[name], count, known);
  if (filled !== undefined) return filled;
  warnOnce(`the text ${quote(name)} for ${quote(language)} is neither a text nor an object of texts.`);
  return fill(ENGLISH[name], count, 'en') ?? '';
}

function fill(given: unknown, count: number | undefined, language: string): string | undefined {
  let form = given;
  if (typeof given === 'object' && given) {
    const forms = given as Record<string, unknown>;
    form = forms[new Intl.PluralRules(language).select(count ?? 0)] ?? forms['other'];
  }
  if (typeof form !== 'string') return undefined;
  return form.replaceAll('{count}', () => (count === undefined ? '' : new Intl.NumberFormat(language).format(count)));
}

/** Whether it is a language tag at all; others make Intl throw. */
function isKnown(language: string): boolean {
  try {
    return Intl.getCanonicalLocales(language).length > 0;
  } catch {
    return false;
  }
}
