// A link over server-sent events, for networks that let no websocket through: one stream per subscription (distinct
// connections mode of GraphQL over SSE). Never comes back by itself: that is for the connection.
import type { Ending, Link, OpenLink } from './link.js';
import { errorsOf, operation, readFault, readStock } from './stock.js';

/** A browser has only six connections to a host, and the shop's page wants some of them, too. */
const MAX_SUBSCRIPTIONS = 1;
/** The same while a product is looked for that spoils its subscription. */
const MAX_TRIALS = 3;
/** The server sends at least a comment every 15 s: the first must come within this, */
const FIRST_SILENCE_MS = 20_000;
/** and every other within this. */
const SILENCE_MS = 40_000;
/** After so much silence a stream is ended when somebody has just come back to the page. */
const CHECK_SILENCE_MS = 20_000;
/** Maximum length of an event, in characters. */
const MAX_EVENT = 65_536;
/** Longest time that a server may ask to be left alone. */
const MAX_RETRY_AFTER_MS = 300_000;

export const openStream: OpenLink = (endpoint, params, ear) => {
  const running = new Map<string, AbortController>();
  let hasOpened = false;
  let isOver = false;
  let heardAt = Date.now();

  function close(): void {
    isOver = true;
    for (const stream of running.values()) stream.abort();
    running.clear();
  }

  function end(ending: Ending): void {
    if (isOver) return;
    close();
    ear.ended(ending);
  }

  async function follow(id: string, products: readonly string[], stream: AbortController): Promise<void> {
    let ending: Ending = {};
    let timer = setTimeout(() => {
      ending = { isSilent: true };
      stream.abort();
    }, FIRST_SILENCE_MS);
    /** Ends this subscription; the others and the link go on, unless nothing else would be answered either. */
    const fail = (errors: unknown) => {
      const fault = readFault(errors);
      if (fault?.ofAll) return end({ isFinal: true, why: fault.ofAll });
      running.delete(id);
      ear.failed(id, fault?.mayPass ?? true);
    };
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...authorization(params) },
        body: JSON.stringify(operation(products)),
        credentials: 'omit',
        cache: 'no-store',
        signal: stream.signal,
      });
      ending = endingOf(response);
      if (ending.isFinal || !response.ok || !response.body) return;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done || text.length > MAX_EVENT) return;
        // Not before: a proxy may pass on the head of an answer and keep what is in it.
        hasOpened = true;
        heardAt = Date.now();
        clearTimeout(timer);
        timer = setTimeout(() => stream.abort(), SILENCE_MS);
        const events = (text + value).split(/\r?\n\r?\n/);
        text = events.pop() ?? '';
        for (const event of events) {
          if (running.get(id) !== stream) return;
          const { name, data } = read(event);
          if (name === 'complete') return fail(undefined);
          if (name !== 'next') continue;
          const result: unknown = JSON.parse(data);
          const errors = errorsOf(result);
          if (errors) return fail(errors);
          const stock = readStock(result);
          if (stock) ear.next(id, stock);
        }
      }
    } catch {
      // The network, or somebody who ended it. Either way it is over.
    } finally {
      clearTimeout(timer);
      stream.abort();
      if (running.get(id) === stream) end(ending);
    }
  }

  // There is nothing to wait for: a stream is a request of its own.
  queueMicrotask(() => isOver || ear.ready());

  const link: Link = {
    maxSubscriptions: MAX_SUBSCRIPTIONS,
    maxTrials: MAX_TRIALS,
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
    check() {
      if (Date.now() - heardAt > CHECK_SILENCE_MS) end({});
    },
    close,
  };
  return link;
};

/** What the head of an answer says of how it will end. */
function endingOf(response: Response): Ending {
  const { status, headers } = response;
  if (status === 401) return { isFinal: true, why: 'token' };
  if (status === 403) return { isFinal: true, why: 'origin' };
  // Too many requests, or a server that is not there yet.
  if (status === 429 || status >= 500) return { waitMs: retryAfter(headers.get('retry-after')) };
  if (status === 408 || status === 425) return {};
  const isStream = response.ok && headers.get('content-type')?.startsWith('text/event-stream');
  return isStream ? {} : { isFinal: true, why: 'foreign' };
}

/** How long the server asks to be left alone: seconds, or a date. */
function retryAfter(text: string | null): number | undefined {
  if (!text) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return wait > 0 ? Math.min(wait, MAX_RETRY_AFTER_MS) : undefined;
}

/** The header that a parameter of the websocket's stands for. */
function authorization(params: Readonly<Record<string, unknown>>): Record<string, string> {
  const token = params['Authorization'] ?? params['authorization'];
  return typeof token === 'string' ? { authorization: token } : {};
}

/** The name and the data of an event; neither of a comment. */
function read(event: string): { name: string | undefined; data: string } {
  const lines = event.split(/\r?\n/);
  const values = (field: string) =>
    lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).replace(/^ /, ''));
  return { name: values('event').at(-1), data: values('data').join('\n') };
}
