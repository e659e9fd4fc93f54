// What one window remembers over a reload. Each window is a shopper of its own, so this is the window's storage and not
// the browser's. Where storage is forbidden it lasts as long as the page.
import { ROOT } from './api/place.js';

/** Shops under other paths of one origin remember other things. */
const PREFIX = `onhand:demo:${ROOT.pathname}:`;

type Key = 'cart' | 'items' | 'orders' | 'shopper' | 'address' | 'token' | 'accepted' | 'ended' | 'hint';

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

/** The address of whoever shops in this window. Unlike the name it is that of one shopper only. */
export const address: string = recall('address') ?? chooseAddress();

function chooseAddress(): string {
  const [part = 0] = crypto.getRandomValues(new Uint32Array(1));
  const chosen = `${shopper.toLowerCase()}.${part.toString(36)}@shop.example`;
  remember('address', chosen);
  return chosen;
}
