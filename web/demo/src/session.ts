// What one window remembers over a reload. Each window is a shopper of its own, so this is the window's storage and not
// the browser's. Where storage is forbidden it lasts as long as the page.

const PREFIX = 'onhand:demo:';

type Key = 'cart' | 'order' | 'shopper' | 'token' | 'hint';

const kept = new Map<Key, string>();

export function recall(key: Key): string | null {
  try {
    return sessionStorage.getItem(PREFIX + key);
  } catch {
    return kept.get(key) ?? null;
  }
}

/** Null forgets. */
export function remember(key: Key, value: string | null): void {
  try {
    if (value === null) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, value);
  } catch {
    if (value === null) kept.delete(key);
    else kept.set(key, value);
  }
}

const SHOPPERS = ['Ada', 'Ben', 'Cleo', 'Dev', 'Edith', 'Finn', 'Gita', 'Hugo', 'Iris', 'Jan', 'Kofi', 'Lena'];

/** The name of whoever shops in this window: by chance, so that two windows can be told apart. */
export const shopper: string = recall('shopper') ?? chooseShopper();

function chooseShopper(): string {
  const name = SHOPPERS[Math.floor(Math.random() * SHOPPERS.length)] ?? 'Ada';
  remember('shopper', name);
  return name;
}
