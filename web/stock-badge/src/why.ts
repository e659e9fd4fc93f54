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
/** What is away is looked for again after so long. */
const LOOK_AGAIN_MS = 60_000;
/** Hosts of this machine, which pages over TLS may ask without it. */
const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/** What each reason is called. */
const MESSAGES: Readonly<Record<Reason, string>> = {
  origin: 'does not let in pages of this origin. Add it to ONHAND_ALLOWED_ORIGINS there',
  token: 'wants a token, or does not take the one of connectionParams',
  foreign: 'is not the API of an Onhand server',
  full: 'has too many connections of this user or address',
};

/** How many attempts in a row must find the origin refused: a server may have come back between an attempt and a look. */
const MIN_FINDINGS = 2;
/** What our server answers to whoever wants to write to the badge's script. */
const METHOD_NOT_ALLOWED = 405;

/** When to look again, by endpoint, and how often in a row the origin was found refused. */
const looks = new Map<string, { notBefore: number; findings: number }>();

/** Says why the server at `endpoint` refused this page. */
export function tellRefusal(endpoint: string, why: Reason): void {
  const origin = why === 'origin' ? ` (${location.origin})` : '';
  warnOnce(`not live: ${place(endpoint)} ${MESSAGES[why]}${origin}${why === 'foreign' ? hint(endpoint) : ''}.`);
}

/** Looks why nothing came of an attempt, not too often; the reason, if the same will happen again. */
export async function findReason(endpoint: string, habit: Habit, isSilent: boolean): Promise<Reason | undefined> {
  const look = looks.get(endpoint) ?? { notBefore: 0, findings: 0 };
  if (Date.now() < look.notBefore || !navigator.onLine) return undefined;
  looks.set(endpoint, look);
  look.notBefore = Infinity;
  const { protocol, hostname } = new URL(endpoint);
  if (location.protocol === 'https:' && protocol === 'http:' && !LOOPBACK.test(hostname)) {
    warnOnce(`not live: this page came over https, and ${place(endpoint)} is plain http, which browsers block.`);
    return undefined;
  }
  await new Promise((resolve) => setTimeout(resolve, POLICY_WAIT_MS));
  if (habit.blocked.size > 0) return undefined;
  const isOurs = await isServer(endpoint);
  const isLetIn = isOurs && (await answers(new URL('health/live', endpoint), 'cors'));
  const isThere = isOurs || (!habit.hasWorked && (await answers(new URL(endpoint), 'no-cors')));
  look.findings = isOurs && !isLetIn && !isSilent && !habit.isTrusted ? look.findings + 1 : 0;
  look.notBefore = look.findings > 0 ? 0 : Date.now() + LOOK_AGAIN_MS;
  if (habit.isTrusted) return undefined;
  if (isOurs && isSilent) {
    const how = 'lets no websocket through and keeps back events (as nginx with proxy_buffering)';
    warnOnce(`not live: something on the way to ${place(endpoint)} ${how}.`);
    return undefined;
  }
  if (look.findings >= MIN_FINDINGS) {
    tellRefusal(endpoint, 'origin');
    return 'origin';
  }
  // A server that was heard is away, or the next attempt finds the same.
  if (habit.hasWorked || look.findings > 0) return undefined;
  // Perhaps a proxy whose server is away.
  const what = isLetIn
    ? 'answers, but something on the way keeps the page from its API'
    : isThere
      ? `answers, but not as an API that lets in pages of ${location.origin}, or its server is away`
      : 'does not answer';
  warnOnce(`not live: ${place(endpoint)} ${what}${hint(endpoint)}. It is tried again and again.`);
  return undefined;
}

/**
 * Whether our server itself is there, also for a page that it does not let in: every page may read its refusal to have the
 * script written. The script itself may come from a cache when the server is away.
 */
async function isServer(endpoint: string): Promise<boolean> {
  const response = await ask(new URL('stock-badge.js', endpoint), { method: 'POST', mode: 'cors' });
  return response?.status === METHOD_NOT_ALLOWED;
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
  const response = await ask(url, { method: 'GET', mode });
  return response !== undefined && (response.ok || response.type === 'opaque');
}

async function ask(url: URL, how: RequestInit): Promise<Response | undefined> {
  try {
    const signal = AbortSignal.timeout(LOOK_WAIT_MS);
    return await fetch(url, { ...how, credentials: 'omit', cache: 'no-store', signal });
  } catch {
    return undefined;
  }
}
