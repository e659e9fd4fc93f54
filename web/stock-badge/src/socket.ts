// A link over one websocket that speaks graphql-transport-ws. Never comes back by itself: that is for the connection.
import type { Ending, Link, OpenLink } from './link.js';
import { errorsOf, operation, readFault, readStock, type Reason } from './stock.js';

const PROTOCOL = 'graphql-transport-ws';

/** Maximum number of subscriptions; with 100 ids each, the most products that a page follows at once. */
const MAX_SUBSCRIPTIONS = 3;
/** Maximum number of them while a product is looked for that spoils its subscription. The server allows 50. */
const MAX_TRIALS = 20;
/** After so much silence the server is asked whether it is there, */
const PING_AFTER_MS = 20_000;
/** and has so long to answer. */
const PONG_WAIT_MS = 10_000;
/** The same when somebody has just come back to the page and wants to know. */
const CHECK_WAIT_MS = 3_000;
/** What was heard so lately needs no question. */
const FRESH_MS = 3_000;

/** From here on, a close code of the protocol says that the client did wrong. */
const FIRST_FAULT = 4400;
/** Of those, the ones that may pass: the server was slow, or lost patience with a slow network. */
const PASSING: readonly number[] = [4408, 4504];
/** Of those, what some say. */
const REASONS: Readonly<Record<number, Reason>> = { 4401: 'token', 4403: 'token', 4406: 'foreign', 4429: 'full' };
/** How long a page waits at least that was told that there are too many sockets. */
const FULL_WAIT_MS = 10_000;

interface Message {
  type?: unknown;
  id?: unknown;
  payload?: unknown;
}

export const openSocket: OpenLink = (endpoint, params, ear, waitMs) => {
  const socket = new WebSocket(endpoint.replace(/^http/, 'ws'), PROTOCOL);
  const running = new Set<unknown>();
  let hasConnected = false;
  let hasOpened = false;
  let isOver = false;
  let heardAt = 0;
  let timer = setTimeout(() => end({}), waitMs);

  const send = (message: object) => socket.readyState === socket.OPEN && socket.send(JSON.stringify(message));

  function end(ending: Ending): void {
    if (isOver) return;
    close();
    ear.ended(ending);
  }

  function close(): void {
    isOver = true;
    clearTimeout(timer);
    socket.close(1000);
  }

  /** A connection that died without a word, as behind a laptop's lid, would look alive for ever. */
  function heard(): void {
    heardAt = Date.now();
    clearTimeout(timer);
    timer = setTimeout(() => ask(PONG_WAIT_MS), PING_AFTER_MS);
  }

  function ask(waitMs: number): void {
    clearTimeout(timer);
    send({ type: 'ping' });
    timer = setTimeout(() => end({}), waitMs);
  }

  /** One subscription is over; the others and the link go on. */
  function fail(id: unknown, errors: unknown): void {
    const fault = readFault(errors);
    if (fault?.ofAll) return end({ isFinal: true, why: fault.ofAll });
    link.complete(id as string);
    ear.failed(id as string, fault?.mayPass ?? true);
  }

  function handle({ type, id, payload }: Message): void {
    switch (type) {
      case 'connection_ack':
        hasOpened = true;
        return ear.ready();
      case 'ping':
        send({ type: 'pong' });
        return;
      case 'next': {
        if (!running.has(id)) return;
        const errors = errorsOf(payload);
        if (errors) return fail(id, errors);
        const stock = readStock(payload);
        if (stock) ear.next(id as string, stock);
        return;
      }
      case 'error':
        if (running.has(id)) fail(id, payload ?? []);
        return;
      case 'complete':
        // Nothing asked for it: the server shuts down, or something is wrong with this subscription.
        if (running.delete(id)) ear.failed(id as string, true);
    }
  }

  socket.onopen = () => {
    hasConnected = true;
    send({ type: 'connection_init', payload: params });
  };
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    let message: Message | null = null;
    try {
      message = JSON.parse(data);
    } catch {
      // Not of this protocol.
    }
    if (!message) return end({ isFinal: true, why: 'foreign' });
    handle(message);
    if (!isOver && hasOpened) heard();
  };
  // Chromium says nothing else of a socket that the policy of the page forbids. Of one that was open the close tells more.
  socket.onerror = () => socket.readyState === socket.CLOSED && !hasConnected && end({});
  socket.onclose = ({ code }) => {
    const isFinal = code >= FIRST_FAULT && !PASSING.includes(code);
    end({ isFinal, why: REASONS[code], waitMs: REASONS[code] === 'full' ? FULL_WAIT_MS : undefined });
  };

  const link: Link = {
    maxSubscriptions: MAX_SUBSCRIPTIONS,
    maxTrials: MAX_TRIALS,
    get hasOpened() {
      return hasOpened;
    },
    subscribe(id, products) {
      running.add(id);
      send({ type: 'subscribe', id, payload: operation(products) });
    },
    complete(id) {
      if (running.delete(id)) send({ type: 'complete', id });
    },
    check() {
      if (hasOpened && Date.now() - heardAt > FRESH_MS) ask(CHECK_WAIT_MS);
    },
    close,
  };
  return link;
};
