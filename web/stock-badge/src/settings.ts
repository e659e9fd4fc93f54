// What a page may choose, and where the server is unless it says so. Never talks to anybody.
import { quote, warnOnce } from './console.js';
import type { Texts } from './texts.js';

/** The payload of `connection_init`; over server-sent events its `Authorization` is sent as the header. */
export type ConnectionParams = Readonly<Record<string, unknown>>;

export interface Options {
  /** The address of the GraphQL API. Unless given: `graphql` beside the script. */
  endpoint?: string | URL | null | undefined;
  /** Who is asking, for private shops. A function is asked before every attempt, so that it can get a new token. */
  connectionParams?: ConnectionParams | (() => ConnectionParams | Promise<ConnectionParams>) | null | undefined;
  /** Texts by language, such as `{ fr: { soldOut: 'Épuisé' } }`. They are added to those that are there. */
  texts?: Readonly<Record<string, Partial<Texts>>> | null | undefined;
  /** Whether changes are told to screen readers. Unless given, they are. */
  announce?: boolean | null | undefined;
}

const OPTIONS: readonly string[] = ['announce', 'connectionParams', 'endpoint', 'texts'] satisfies (keyof Options)[];

/** Timeout for a function of the page that returns `connectionParams`. */
const PARAMS_WAIT_MS = 10_000;

// A plain variable: bundlers take `new URL('...', import.meta.url)` for a file of theirs.
const here = import.meta.url;

const chosen: Options = {};
const listeners = new Set<(changed: Options) => void>();

/** Chooses. What is not given, or undefined, stays as it was; null is as if it was never given. Badges follow. */
export function choose(options: Options): void {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  const known = given.filter(([name]) => OPTIONS.includes(name));
  for (const [name] of given)
    if (!OPTIONS.includes(name)) warnOnce(`configure() has no option ${quote(name)}; it has ${OPTIONS.join(', ')}.`);
  const changed: Options = Object.fromEntries(known);
  Object.assign(chosen, changed);
  for (const listener of listeners) listener(changed);
}

/** Calls `listener` with what was chosen whenever something is. */
export function onConfigured(listener: (changed: Options) => void): void {
  listeners.add(listener);
}

/** The absolute address of the API: that of one badge, of the page, or beside the script. Undefined if it is none. */
export function endpointFor(own: string | null): string | undefined {
  const given = own || chosen.endpoint;
  let url: URL | undefined;
  try {
    url = given ? new URL(given, document.baseURI) : new URL('graphql', here);
  } catch {
    // No address, or a script without one: a bundle in a blob.
  }
  if (url && /^wss?:$/.test(url.protocol)) url.protocol = url.protocol.replace('ws', 'http');
  if (url && /^https?:$/.test(url.protocol)) {
    url.hash = '';
    return url.href;
  }
  if (given)
    warnOnce(`not live: ${quote(String(given))} is not the address of an API. It looks like https://host/graphql.`);
  else warnOnce('not live: no endpoint was given. Call configure({ endpoint: "https://host/graphql" }).');
  return undefined;
}

/** Whether nobody chose this endpoint: it is only what is beside the script. */
export function isGuess(endpoint: string): boolean {
  return !chosen.endpoint && URL.parse?.('graphql', here)?.href === endpoint;
}

export function announces(): boolean {
  return chosen.announce ?? true;
}

/** Who is asking; undefined when the page could not say so. */
export async function connectionParams(): Promise<ConnectionParams | undefined> {
  const params = chosen.connectionParams;
  if (typeof params !== 'function') return params ?? {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(reject, PARAMS_WAIT_MS)));
  try {
    const found = (await Promise.race([params(), late])) ?? {};
    if (typeof found === 'object') return found;
  } catch {
    // Perhaps the next attempt has a token. What was thrown may name this one.
  } finally {
    clearTimeout(timer);
  }
  warnOnce('not live: the function connectionParams did not return an object in time. It is asked again.');
  return undefined;
}

/** Whether the next attempt may come with another token than the last one. */
export function canRenew(): boolean {
  return typeof chosen.connectionParams === 'function';
}
