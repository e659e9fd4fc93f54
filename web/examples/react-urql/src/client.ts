// The client: queries and mutations over HTTP, subscriptions over a websocket, and a cache that keeps things by id.
import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient } from 'graphql-ws';
import { Client, fetchExchange, mapExchange, subscriptionExchange } from 'urql';
import type { Stock } from './operations';

// In production this is the server's own address, and its ONHAND_ALLOWED_ORIGINS names the origin of this page.
const API = new URL('/graphql', location.href).href;

const socket = createClient({
  url: API.replace(/^http/, 'ws'),
  // A page is open for longer than a connection lasts. What changed meanwhile is sent first.
  retryAttempts: Infinity,
  shouldRetry: () => true,
});

// What has no id is kept in what it was asked of.
const within = () => null;
const cache = cacheExchange({
  keys: {
    CartPayload: within,
    Money: within,
    OrderPayload: within,
    PaymentPayload: within,
    ProductConnection: within,
    UserError: within,
  },
});

// The merge rule. An answer over HTTP and one over the websocket may cross on their way, and the cache would keep
// whichever comes last. Of the same Stock the greater version is the newer state, so an older one never gets there.
const newest = new Map<string, Stock>();
const newestStock = mapExchange({ onResult: (result) => ({ ...result, data: withNewestStock(result.data) }) });

function withNewestStock<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withNewestStock) as T;
  if (value === null || typeof value !== 'object') return value;
  if (isStock(value)) {
    const known = newest.get(value.id);
    if (known && known.version > value.version) return { ...value, ...known };
    newest.set(value.id, value);
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withNewestStock(field)])) as T;
}

function isStock(value: object): value is Stock & { __typename: 'Stock' } {
  return '__typename' in value && value.__typename === 'Stock';
}

const overSocket = subscriptionExchange({
  forwardSubscription: ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
  }),
});

export const client = new Client({
  url: API,
  preferGetMethod: false,
  exchanges: [cache, newestStock, fetchExchange, overSocket],
});
