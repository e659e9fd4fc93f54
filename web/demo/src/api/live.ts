// Subscriptions, over one websocket that outlives every loss. Says whether it is live, and never that it is when it is not.
import { signal } from '@preact/signals';
import { createClient } from 'graphql-ws';
import { headers } from './access.js';
import type { Operation } from './documents.js';

const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
const LONGEST_PAUSE_MS = 4_000;
const AGAIN_AFTER_MS = 1_500;

export type Connection = 'connecting' | 'live' | 'lost';

/** Whether the page hears from the server at this moment. */
export const connection = signal<Connection>('connecting');

const client = createClient({
  url: new URL('/graphql', location.href).href.replace(/^http/, 'ws'),
  connectionParams: () => headers(),
  // The socket is kept while nobody subscribes, so that the page always knows whether it is live.
  lazy: false,
  onNonLazyError: () => (connection.value = 'lost'),
  keepAlive: PING_EVERY_MS,
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: (retries) => wait(Math.min(300 * 2 ** retries, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)),
});
closeWhenSilent();
client.on('connected', () => (connection.value = 'live'));
client.on('closed', () => (connection.value = 'lost'));

/** Calls `onConnected` whenever the page is connected anew, and has perhaps missed something. */
export function onConnected(callback: () => void): () => void {
  return client.on('connected', callback);
}

/**
 * Calls `onData` with each result until it is stopped, through every loss. `onRefused` is called when the server does not
 * give it. Returns how to stop.
 */
export function follow<Data, Variables extends Record<string, unknown>>(
  operation: Operation<Data, Variables>,
  variables: Variables,
  onData: (data: Data) => void,
  onRefused: () => void = () => {},
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: () => void = () => {};
  let isOver = false;

  function start(): void {
    stop = client.subscribe<Data>({ query: operation.text, variables }, { next, error, complete });
  }
  function next({ data, errors }: { data?: Data | null | undefined; errors?: readonly unknown[] | undefined }): void {
    if (errors) onRefused();
    else if (data && !isOver) onData(data);
  }
  function error(reason: unknown): void {
    // A list is the server's answer to the operation; anything else is the connection's end.
    if (Array.isArray(reason)) onRefused();
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
