// Finds out why a page is not live, and says so in the console. A browser tells scripts nothing of it: a websocket that was
// refused and a request to a server that does not know the page's origin look like a server that is away.
import { place, warnOnce } from './console.js';
import type { Habit } from './habit.js';
import { isGuess } from './settings.js';
import type { Reason } from './stock.js';

/** How long the browser may take to say that the policy of the page forbade an attempt. */
const POLICY_WAIT_MS = 100;
/** Timeout for a request that only looks whether somebody answers. */
const LOOK_WAIT_MS = 5_000;
/** Hosts of this machine, which pages over TLS may ask without it. */
const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/** What each reason is called. */
const MESSAGES: Readonly<Record<Reason, string>> = {
  origin: 'does not let in pages of this origin. Add it to ONHAND_ALLOWED_ORIGINS there',
  token: 'wants a token, or does not take the one of connectionParams',
  foreign: 'is not the API of an Onhand server',
  full: 'has too many connections of this user or address',
};

const looked = new Set<string>();

/** Says why the server at `endpoint` refused this page. */
export function tellRefusal(endpoint: string, why: Reason): void {
  const origin = why === 'origin' ? ` (${location.origin})` : '';
  warnOnce(`not live: ${place(endpoint)} ${MESSAGES[why]}${origin}${why === 'foreign' ? hint(endpoint) : ''}.`);
}

/** Looks why nothing came of an attempt, once per endpoint and page; the reason, if the same will happen again. */
export async function findReason(endpoint: string, habit: Habit, isSilent: boolean): Promise<Reason | undefined> {
  if (looked.has(endpoint) || !navigator.onLine) return undefined;
  looked.add(endpoint);
  const { protocol, hostname } = new URL(endpoint);
  if (location.protocol === 'https:' && protocol === 'http:' && !LOOPBACK.test(hostname)) {
    warnOnce(`not live: this page came over https, and ${place(endpoint)} is plain http, which browsers block.`);
    return undefined;
  }
  await new Promise((resolve) => setTimeout(resolve, POLICY_WAIT_MS));
  if (habit.blocked.size > 0 || habit.hasWorked) return undefined;
  // The script of the badge may be read by every page, so that it tells an origin that is not allowed from other faults.
  const isOurs = await answers(new URL('stock-badge.js', endpoint), 'cors');
  const isThere = isOurs || (await answers(new URL(endpoint), 'no-cors'));
  if (habit.hasWorked) return undefined;
  if (isOurs && isSilent) {
    const how = 'lets no websocket through and keeps back events (as nginx with proxy_buffering)';
    warnOnce(`not live: something on the way to ${place(endpoint)} ${how}.`);
    return undefined;
  }
  if (isOurs) {
    tellRefusal(endpoint, 'origin');
    return 'origin';
  }
  // Perhaps a proxy whose server is away.
  const what = isThere ? `answers, but not as an API that lets in pages of ${location.origin}` : 'does not answer';
  warnOnce(`not live: ${place(endpoint)} ${what}${hint(endpoint)}. It is tried again and again.`);
  return undefined;
}

function hint(endpoint: string): string {
  return isGuess(endpoint) ? ' (no endpoint was given: call configure({ endpoint }))' : '';
}

/** Says that the policy of the page forbids every way to the server. */
export function tellBlocked(endpoint: string): void {
  const { host, origin } = new URL(endpoint);
  const socket = origin.replace(/^http/, 'ws');
  warnOnce(`not live: the content security policy of this page lacks "connect-src ${origin} ${socket}" for ${host}.`);
}

async function answers(url: URL, mode: 'cors' | 'no-cors'): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(LOOK_WAIT_MS);
    const method = mode === 'cors' ? 'HEAD' : 'GET';
    const response = await fetch(url, { method, mode, credentials: 'omit', cache: 'no-store', signal });
    return response.ok || response.type === 'opaque';
  } catch {
    return false;
  }
}
