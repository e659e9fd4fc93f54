// The client: queries and mutations over HTTP, subscriptions over a websocket, and a cache that keeps things by id.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { map } from 'rxjs';
import { STOCK, type Stock } from './operations';

// In production this is the server's own address, and its ONHAND_ALLOWED_ORIGINS names the origin of this page.
const API = new URL('/graphql', location.href).href;

const socket = createClient({
  url: API.replace(/^http/, 'ws'),
  // A page is open for longer than a connection lasts. What changed meanwhile is sent first.
  retryAttempts: Infinity,
  shouldRetry: () => true,
});

const cache = new InMemoryCache();

// The merge rule. An answer over HTTP and one over the websocket may cross on their way, and the cache would keep
// whichever comes last. Of the same Stock the greater version is the newer state, so an older one never gets there.
const newestStock = new ApolloLink((operation, forward) =>
  forward(operation).pipe(map((answer) => ({ ...answer, data: withNewestStock(answer.data) }))),
);

function withNewestStock<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withNewestStock) as T;
  if (value === null || typeof value !== 'object') return value;
  if (isStock(value)) {
    const known = cache.readFragment({ fragment: STOCK, from: { __typename: 'Stock', id: value.id } });
    return known && known.version > value.version ? { ...value, ...known } : value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withNewestStock(field)])) as T;
}

function isStock(value: object): value is Stock & { __typename: 'Stock' } {
  return '__typename' in value && value.__typename === 'Stock';
}

const transport = ApolloLink.split(
  ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  new GraphQLWsLink(socket),
  new HttpLink({ uri: API }),
);

export const client = new ApolloClient({ cache, link: newestStock.concat(transport) });
