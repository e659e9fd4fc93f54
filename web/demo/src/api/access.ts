// Who is asking: nobody by name, or the owner of a pasted token. Kept for this window only.
import { signal } from '@preact/signals';
import { configure } from '/stock-badge.js';
import { recall, remember } from '../session.js';

export const token = signal(recall('token'));

/** What goes along with a request. */
export function headers(): Record<string, string> {
  return token.value ? { Authorization: `Bearer ${token.value}` } : {};
}

/** The badges ask as whoever the page asks as. */
export function tellBadges(): void {
  configure({ connectionParams: headers });
}

/** Asks as somebody else from now on. The page begins anew, because what it shows was for another. */
export function signIn(next: string): void {
  remember('token', next.trim().replace(/^Bearer\s+/i, '') || null);
  location.reload();
}
