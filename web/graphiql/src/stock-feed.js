// Follows the stock of some products over the page's websocket, through every loss of the connection.
import { socket } from './connection.js';

const QUERY = `subscription LiveStock($productIds: [ID!]!) {
  stockChanged(productIds: $productIds) {
    product { id name }
    total
    available
    allocated
    version
  }
}`;

const AGAIN_AFTER_MS = 2_000;

/**
 * Calls `onStock` with each newer state, and `onConnection` with "live", "lost" or "refused" (the server does
 * not give these numbers). Returns how to stop.
 */
export function followStock(productIds, { onStock, onConnection }) {
  const versions = new Map();
  let unsubscribe;
  let timer;

  function start() {
    unsubscribe = socket.subscribe({ query: QUERY, variables: { productIds } }, { next, error, complete });
  }
  function next({ data, errors }) {
    if (errors) return onConnection('refused');
    onConnection('live');
    const stock = data.stockChanged;
    // The same state comes again after every reconnect.
    if (versions.get(stock.product.id) >= stock.version) return;
    versions.set(stock.product.id, stock.version);
    onStock(stock);
  }
  function error(reason) {
    // A list is the server's answer to the operation; anything else is the connection's end.
    if (!Array.isArray(reason)) return complete();
    stop();
    onConnection('refused');
  }
  // The server ends a subscription only when it shuts down, and another may come up in its place.
  function complete() {
    onConnection('lost');
    timer = setTimeout(start, AGAIN_AFTER_MS);
  }

  const stopListening = [
    socket.on('connected', () => {
      // Another database, as after a fresh start of the demo, counts its versions from the beginning.
      versions.clear();
      onConnection('live');
    }),
    socket.on('closed', () => onConnection('lost')),
  ];
  function stop() {
    clearTimeout(timer);
    stopListening.forEach((off) => off());
    unsubscribe();
  }

  start();
  return stop;
}
