// Who is asking: a guest, or the owner of a pasted token. Kept for this window only. A token that ends leaves a guest
// behind, and a word about it: the shop itself stays open.
import { signal } from '@preact/signals';
import { configure } from '/stock-badge.js';
import { recall, remember } from '../session.js';

export const token = signal(recall('token'));

/** Why somebody who had signed in is a guest again. */
export type Ended = 'expired' | 'refused' | 'unknown';

export const ended = signal<Ended | null>(asEnded(recall('ended')));

/** Whether the server has taken the token, ever since it was pasted. */
let wasAccepted = recall('accepted') !== null;

/** Notes that the server has answered whoever sent this token. */
export function noteAccepted(used: string): void {
  if (wasAccepted || token.peek() !== used) return;
  wasAccepted = true;
  remember('accepted', 'yes');
}

/** The headers of a request. */
export function headers(): Record<string, string> {
  return token.value ? { Authorization: `Bearer ${token.value}` } : {};
}

/** Gives the badges the token of the page. */
export function tellBadges(): void {
  configure({ connectionParams: headers });
}

/** Uses another token, or none, from now on. The page is loaded anew, because what it shows was for another. */
export function signIn(next: string): void {
  remember('token', next || null);
  remember('accepted', null);
  remember('ended', null);
  location.reload();
}

/** The token that somebody pasted: without the scheme and the line breaks of a terminal. Null when it is none. */
export function asToken(pasted: string): string | null {
  const text = pasted.trim().replace(/^(Authorization:\s*)?Bearer\s+/i, '').replace(/\s+/g, '');
  // Anything else cannot be sent in a header.
  return /^[\x21-\x7e]+$/.test(text) ? text : null;
}

/** The server does not accept `used` any more. Nothing happens when the page uses another one by now. */
export function endSignIn(used: string): void {
  if (token.peek() !== used) return;
  const why: Ended = isOver(used) ? 'expired' : wasAccepted ? 'refused' : 'unknown';
  remember('token', null);
  remember('ended', why);
  token.value = null;
  ended.value = why;
  tellBadges();
}

/** Whether a token says itself that it is over. The server's clock may be a little ahead. */
function isOver(jwt: string): boolean {
  try {
    const claims: unknown = JSON.parse(atob((jwt.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    const until = (claims as { exp?: unknown }).exp;
    return typeof until === 'number' && until * 1_000 < Date.now() + 60_000;
  } catch {
    return false;
  }
}

function asEnded(text: string | null): Ended | null {
  return text === 'expired' || text === 'refused' || text === 'unknown' ? text : null;
}
