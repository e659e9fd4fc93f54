// A link over server-sent events, for networks that let no websocket through: one stream per subscription (distinct
// connections mode of GraphQL over SSE). Never comes back by itself: that is for the connection.
import type { Link, OpenLink } from './link.js';
import { isError, operation, readStock } from './stock.js';

/** A browser has only six connections to a host, and the shop's page wants some of them, too. */
const MAX_SUBSCRIPTIONS = 1;
/** The server sends at least a comment every 15 s. */
const SILENCE_MS = 40_000;
/** Longest event, in characters. */
const MAX_EVENT = 65_536;

export const openStream: OpenLink = (endpoint, params, ear) => {
  const running = new Map<string, AbortController>();
  let hasOpened = false;
  let isOver = false;

  function close(): void {
    isOver = true;
    for (const stream of running.values()) stream.abort();
    running.clear();
  }

  function end(isFinal: boolean): void {
    if (isOver) return;
    close();
    ear.ended(isFinal);
  }

  async function follow(id: string, products: readonly string[], stream: AbortController): Promise<void> {
    let isFinal = false;
    let timer = setTimeout(() => stream.abort(), SILENCE_MS);
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...authorization(params) },
        body: JSON.stringify(operation(products)),
        credentials: 'omit',
        cache: 'no-store',
        signal: stream.signal,
      });
      isFinal = response.status >= 400 && response.status < 500 && response.status !== 429;
      if (!response.ok || !response.body || !response.headers.get('content-type')?.startsWith('text/event-stream'))
        return;
      hasOpened = true;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done || text.length > MAX_EVENT) return;
        clearTimeout(timer);
        timer = setTimeout(() => stream.abort(), SILENCE_MS);
        const events = (text + value).split(/\r?\n\r?\n/);
        text = events.pop() ?? '';
        for (const event of events) {
          const data = dataOf(event);
          if (!data) continue;
          const result: unknown = JSON.parse(data);
          if (isError(result)) return;
          const stock = readStock(result);
          if (stock && running.get(id) === stream) ear.next(id, stock);
        }
      }
    } catch {
      // The network, or somebody who ended it. Either way it is over.
    } finally {
      clearTimeout(timer);
      stream.abort();
      if (running.get(id) === stream) end(isFinal);
    }
  }

  // There is nothing to wait for: a stream is a request of its own.
  queueMicrotask(() => isOver || ear.ready());

  const link: Link = {
    maxSubscriptions: MAX_SUBSCRIPTIONS,
    get hasOpened() {
      return hasOpened;
    },
    subscribe(id, products) {
      const stream = new AbortController();
      running.set(id, stream);
      void follow(id, products, stream);
    },
    complete(id) {
      const stream = running.get(id);
      running.delete(id);
      stream?.abort();
    },
    close,
  };
  return link;
};

/** The header that a parameter of the websocket's stands for. */
function authorization(params: Readonly<Record<string, unknown>>): Record<string, string> {
  const token = params['Authorization'] ?? params['authorization'];
  return typeof token === 'string' ? { authorization: token } : {};
}

/** The data of an event; nothing of a comment or of the end. */
function dataOf(event: string): string | undefined {
  const lines = event.split(/\r?\n/);
  if (!lines.some((line) => /^event: ?next$/.test(line))) return undefined;
  return lines
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('\n');
}
