// Subscriptions, over one websocket that outlives every loss. Says whether it is live, and never that it is when it is not.
import { signal } from '@preact/signals';
import { createClient } from 'graphql-ws';
import { endSignIn, headers, token } from './access.js';
import type { Operation } from './documents.js';
import { SOCKET } from './place.js';

const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
const LONGEST_PAUSE_MS = 4_000;
const AGAIN_AFTER_MS = 1_500;
/** How long it is said that the page is live again. */
const BACK_MS = 6_000;
/** The server's close code for tokens that are over or not accepted. */
const FORBIDDEN = 4403;

/** `back` is live, too: since a moment, after a loss. */
export type Connection = 'connecting' | 'live' | 'lost' | 'back';

/** Whether the page hears from the server at this moment. */
export const connection = signal<Connection>('connecting');

/** The token that the socket was opened with. */
let used: string | null = null;

const client = createClient({
  url: SOCKET,
  connectionParams: () => {
    used = token.peek();
    return headers();
  },
  // The socket is kept while nobody subscribes, so that the page always knows whether it is live.
  lazy: false,
  onNonLazyError: () => (connection.value = 'lost'),
  keepAlive: PING_EVERY_MS,
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: (retries) => wait(Math.min(300 * 2 ** retries, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)),
});
closeWhenSilent();
client.on('connected', () => {
  connection.value = connection.value === 'lost' ? 'back' : 'live';
  if (connection.value === 'live') return;
  setTimeout(() => {
    if (connection.value === 'back') connection.value = 'live';
  }, BACK_MS);
});
client.on('closed', (event) => {
  connection.value = 'lost';
  const { code } = event as { code?: number };
  if (code === FORBIDDEN && used) endSignIn(used);
});

/** Connects anew, as whoever the page asks as by now. */
export function reconnect(): void {
  if (used !== token.peek()) client.terminate();
}

/** Calls `onConnected` whenever the page is connected anew, and has perhaps missed something. */
export function onConnected(callback: () => void): () => void {
  return client.on('connected', callback);
}

/**
 * Calls `onData` with each result until it is stopped, through every loss. `onRefused` is called with the code when
 * the server does not give it. Returns how to stop.
 */
export function follow<Data, Variables extends Record<string, unknown>>(
  operation: Operation<Data, Variables>,
  variables: Variables,
  onData: (data: Data) => void,
  onRefused: (code: string) => void = () => {},
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: () => void = () => {};
  let isOver = false;

  function start(): void {
    stop = client.subscribe<Data>({ query: operation.text, variables }, { next, error, complete });
  }
  function next({ data, errors }: { data?: Data | null | undefined; errors?: readonly unknown[] | undefined }): void {
    if (errors) onRefused(codeIn(errors));
    else if (data && !isOver) onData(data);
  }
  function error(reason: unknown): void {
    // A list is the server's answer to the operation; anything else is the connection's end.
    if (Array.isArray(reason)) onRefused(codeIn(reason));
    else complete();
  }
  // The server ends a subscription only when it shuts down, and another may come up in its place.
  function complete(): void {
    if (!isOver) timer = setTimeout(start, AGAIN_AFTER_MS);
  }

  start();
  return () => {
    isOver = true;
    clearTimeout(timer);
    stop();
  };
}

function codeIn([first]: readonly unknown[]): string {
  return (first as { extensions?: { code?: string } } | undefined)?.extensions?.code ?? 'UNKNOWN';
}

// A connection that died without a word, as behind a laptop's lid, would look alive for minutes.
function closeWhenSilent(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  client.on('ping', (received) => {
    if (!received) timer = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
  });
  client.on('pong', (received) => {
    if (received) clearTimeout(timer);
  });
  client.on('closed', () => clearTimeout(timer));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
