// Apollo Client: a list that was read once is kept up to date by a subscription, because Stock is a Node.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { API, LIST, SOCKET, STOCK, arrivals, product, receive } from './support/api.mjs';

/** A client, and what it has sent over HTTP. */
function apollo(t, before = ApolloLink.empty()) {
  const sent = [];
  const http = new HttpLink({
    uri: API,
    fetch: (url, options) => {
      sent.push(JSON.parse(options.body));
      return fetch(url, options);
    },
  });
  const socket = createClient({ url: SOCKET, webSocketImpl: WebSocket });
  const isSubscription = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
  const link = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), before.concat(http));
  const client = new ApolloClient({ cache: new InMemoryCache(), link });
  t.after(async () => {
    client.stop();
    await socket.dispose();
  });
  return { client, sent };
}

const pass = () => new ApolloLink((operation, forward) => forward(operation));

test('a list is up to date with no further request', async (t) => {
  const { client, sent } = apollo(t, pass());
  const { id, sku } = await product(5);
  const shown = arrivals();
  const list = client.watchQuery({ query: gql(LIST), variables: { search: sku } });
  const watching = list.subscribe(({ data }) => data && shown.came(data.products.nodes[0].stock.available));
  await shown.wait((available) => available === 5, 'the list as it was read');

  const live = client.subscribe({ query: gql(STOCK), variables: { ids: [id] } }).subscribe({});
  await receive(id, 2);
  await shown.wait((available) => available === 7, 'the list as the subscription has changed it');
  assert.deepEqual(sent.map((one) => one.operationName), ['List'], 'the list was asked for once');
  live.unsubscribe();
  watching.unsubscribe();
});

test('persisted queries: the query is sent once, then its hash', async (t) => {
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  const { client, sent } = apollo(t, new PersistedQueryLink({ sha256 }));
  const { sku } = await product(5);
  const query = gql(LIST.replace('query List', `query ${sku.replaceAll('-', '_')}`));
  for (let count = 0; count < 2; count += 1) {
    const { data } = await client.query({ query, variables: { search: sku }, fetchPolicy: 'network-only' });
    assert.equal(data.products.nodes[0].sku, sku);
  }
  assert.deepEqual(sent.map((one) => 'query' in one), [false, true, false]);
});
