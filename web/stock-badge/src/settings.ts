// What a page may choose, and where the server is unless it says so. Never talks to anybody.
import type { Texts } from './texts.js';

/** The payload of `connection_init`; over server-sent events its `Authorization` is sent as the header. */
export type ConnectionParams = Readonly<Record<string, unknown>>;

export interface Options {
  /** The address of the GraphQL API. Unless given: `graphql` beside the script. */
  endpoint?: string | URL;
  /** Who is asking, for private shops. A function is asked before every attempt, so that it can get a new token. */
  connectionParams?: ConnectionParams | (() => ConnectionParams | Promise<ConnectionParams>);
  /** Texts by language, such as `{ fr: { soldOut: 'Épuisé' } }`. They are added to those that are there. */
  texts?: Readonly<Record<string, Partial<Texts>>>;
  /** Whether changes are told to screen readers. Unless given, they are. */
  announce?: boolean;
}

// A plain variable: bundlers take `new URL('...', import.meta.url)` for a file of theirs.
const here = import.meta.url;

const chosen: Options = {};
const listeners = new Set<(changed: Options) => void>();

/** Chooses; what is not given stays as it was. Badges that are there already follow. */
export function configure(options: Options): void {
  Object.assign(chosen, options);
  for (const listener of listeners) listener(options);
}

/** Calls `listener` with what was chosen whenever something is. */
export function onConfigured(listener: (changed: Options) => void): void {
  listeners.add(listener);
}

/** The absolute address of the API: that of one badge, of the page, or beside the script. */
export function endpointFor(own: string | null): string {
  return own
    ? new URL(own, document.baseURI).href
    : new URL(chosen.endpoint ?? 'graphql', chosen.endpoint ? document.baseURI : here).href;
}

export function announces(): boolean {
  return chosen.announce ?? true;
}

export async function connectionParams(): Promise<ConnectionParams> {
  const params = chosen.connectionParams;
  return (typeof params === 'function' ? await params() : params) ?? {};
}

/** Whether the next attempt may come with another token than the last one. */
export function canRenew(): boolean {
  return typeof chosen.connectionParams === 'function';
}
