// A link over one websocket that speaks graphql-transport-ws. Never comes back by itself: that is for the connection.
import type { Link, OpenLink } from './link.js';
import { isError, operation, readStock } from './stock.js';

const PROTOCOL = 'graphql-transport-ws';

/** Most subscriptions on it; with 100 ids each, the most products that a page follows at once. */
const MAX_SUBSCRIPTIONS = 3;
/** How long it may take until the server has acknowledged. */
const OPEN_WAIT_MS = 10_000;
/** After so much silence the server is asked whether it is there, */
const PING_AFTER_MS = 20_000;
/** and has so long to answer. */
const PONG_WAIT_MS = 10_000;

/** From here on, a close code of the protocol says that the client did wrong. */
const FIRST_FAULT = 4400;
/** Of those, the ones that may pass: the server was slow, or lost patience with a slow network. */
const PASSING: readonly number[] = [4408, 4504];

interface Message {
  type?: unknown;
  id?: unknown;
  payload?: unknown;
}

export const openSocket: OpenLink = (endpoint, params, ear) => {
  const socket = new WebSocket(endpoint.replace(/^http/, 'ws'), PROTOCOL);
  const running = new Set<unknown>();
  let hasOpened = false;
  let isOver = false;
  let timer = setTimeout(() => end(false), OPEN_WAIT_MS);

  const send = (message: object) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

  function end(isFinal: boolean): void {
    if (isOver) return;
    close();
    ear.ended(isFinal);
  }

  function close(): void {
    isOver = true;
    clearTimeout(timer);
    socket.close(1000);
  }

  /** A connection that died without a word, as behind a laptop's lid, would look alive for ever. */
  function heard(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      send({ type: 'ping' });
      timer = setTimeout(() => end(false), PONG_WAIT_MS);
    }, PING_AFTER_MS);
  }

  function obey({ type, id, payload }: Message): void {
    switch (type) {
      case 'connection_ack':
        hasOpened = true;
        return ear.ready();
      case 'ping':
        send({ type: 'pong' });
        return;
      case 'next': {
        if (!running.has(id)) return;
        if (isError(payload)) return end(false);
        const stock = readStock(payload);
        if (stock) ear.next(id as string, stock);
        return;
      }
      case 'error':
      case 'complete':
        // The server ends a subscription only when something is wrong with it, or when it shuts down.
        if (running.has(id)) end(type === 'error');
    }
  }

  socket.onopen = () => send({ type: 'connection_init', payload: params });
  socket.onmessage = ({ data }) => {
    if (isOver) return;
    let message: Message | null = null;
    try {
      message = JSON.parse(data);
    } catch {
      // Not of this protocol.
    }
    if (!message) return end(true);
    obey(message);
    if (!isOver && hasOpened) heard();
  };
  socket.onclose = ({ code }) => end(code >= FIRST_FAULT && !PASSING.includes(code));

  const link: Link = {
    maxSubscriptions: MAX_SUBSCRIPTIONS,
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
    close,
  };
  return link;
};
