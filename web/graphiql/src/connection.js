// Where the API is, and the websocket to it. Beside the page, so that it works wherever it is served.
import { createClient } from 'graphql-ws';

export const HTTP_URL = new URL('graphql', document.baseURI).href;

export const SOCKET_URL = HTTP_URL.replace(/^http/, 'ws');

const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;
const LONGEST_WAIT_MS = 5_000;

/** The server closes with this code when a token is not good, or not any more. */
export const FORBIDDEN = 4403;

/** The socket that the live strip and every subscription without headers share. */
export const socket = openSocket();

const withHeaders = new Map();

/** The socket for a subscription with `headers`, which go along as the payload of connection_init. */
export function socketFor(headers) {
  if (!headers || Object.keys(headers).length === 0) return socket;
  const key = JSON.stringify(headers);
  if (!withHeaders.has(key)) withHeaders.set(key, openSocket(headers));
  return withHeaders.get(key);
}

function openSocket(connectionParams) {
  const client = createClient({
    url: SOCKET_URL,
    connectionParams,
    keepAlive: PING_EVERY_MS,
    // A subscription outlives restarts of the server, however long they take, but not its token.
    retryAttempts: Infinity,
    shouldRetry: (reason) => reason?.code !== FORBIDDEN,
    retryWait: (retries) => wait(Math.min(500 * 2 ** retries, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2)),
  });
  closeWhenSilent(client);
  return client;
}

// A connection that died without a word, as behind a laptop's lid, would look alive for minutes.
function closeWhenSilent(client) {
  let timer;
  client.on('ping', (received) => {
    if (!received) timer = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
  });
  client.on('pong', (received) => {
    if (received) clearTimeout(timer);
  });
  client.on('closed', () => clearTimeout(timer));
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
