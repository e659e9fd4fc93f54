// urql with its normalised cache: a list that was read once is kept up to date by a subscription.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { API, LIST, SOCKET, STOCK, arrivals, product, receive } from './support/api.mjs';

// A page of a list is no thing of its own; it is kept in what it was asked of.
const cache = () => cacheExchange({ keys: { ProductConnection: () => null } });

/** A client whose subscriptions come over `exchanges`, and what it has sent over HTTP. */
function urql(options, ...exchanges) {
  const sent = [];
  const client = new Client({
    url: API,
    preferGetMethod: false,
    exchanges: [cache(), ...exchanges, fetchExchange],
    fetch: (url, request) => {
      sent.push(JSON.parse(request.body).operationName);
      return fetch(url, request);
    },
    ...options,
  });
  return { client, sent };
}

async function keepsListUpToDate({ client, sent }, expected) {
  const { id, sku } = await product(5);
  const shown = arrivals();
  const watching = client.query(LIST, { search: sku }).subscribe(({ data, error }) => {
    assert.equal(error, undefined);
    shown.came(data.products.nodes[0].stock.available);
  });
  await shown.wait((available) => available === 5, 'the list as it was read');
  const live = client.subscription(STOCK, { ids: [id] }).subscribe(({ error }) => assert.equal(error, undefined));
  await receive(id, 2);
  await shown.wait((available) => available === 7, 'the list as the subscription has changed it');
  assert.deepEqual(sent, expected);
  live.unsubscribe();
  watching.unsubscribe();
}

test('a list is up to date with no further request, over a websocket', async (t) => {
  const socket = createClient({ url: SOCKET, webSocketImpl: WebSocket });
  t.after(() => socket.dispose());
  const overSocket = subscriptionExchange({
    forwardSubscription: ({ query, variables }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
    }),
  });
  await keepsListUpToDate(urql({}, overSocket), ['List']);
});

test('a list is up to date with no further request, over server-sent events', async () => {
  await keepsListUpToDate(urql({ fetchSubscriptions: true }), ['List', 'Stock']);
});
