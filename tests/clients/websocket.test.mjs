// graphql-ws: subscriptions, and that they go on when the server was away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { LIST, SOCKET, STOCK, arrivals, followsStock, product, receive, request } from './support/api.mjs';
import { ownServer } from './support/server.mjs';

const connect = (url, options) => createClient({ url, webSocketImpl: WebSocket, ...options });

test('a subscription is sent the present state and then each newer one', async (t) => {
  const client = connect(SOCKET);
  t.after(() => client.dispose());
  await followsStock(client);
});

test('queries are answered over a websocket, mutations are refused', async (t) => {
  const client = connect(SOCKET);
  t.after(() => client.dispose());
  const { sku } = await product(5);
  const results = [];
  for await (const { data } of client.iterate({ query: LIST, variables: { search: sku } })) results.push(data);
  assert.deepEqual(results.map(({ products }) => products.nodes[0].stock.available), [5]);
  await assert.rejects(
    client.iterate({ query: 'mutation { createCart { cart { id } } }' }).next(),
    ([error]) => error.extensions.code === 'BAD_USER_INPUT',
  );
});

test('a subscription goes on by itself after a restart and after a crash', async (t) => {
  const server = await ownServer();
  await server.start();
  const mug = (await request('{ products(first: 1) { nodes { id } } }', {}, server.api)).products.nodes[0].id;
  const refused = arrivals();
  const client = connect(server.socket, {
    retryAttempts: Infinity,
    // Without this the client gives up when it tries while nobody listens.
    shouldRetry: () => true,
    retryWait: () => new Promise((go) => setTimeout(go, 50)),
    on: { error: (error) => refused.came(error.message) },
  });
  t.after(async () => {
    await client.dispose();
    await server.remove();
  });
  const states = arrivals();
  const faults = [];
  client.subscribe(
    { query: STOCK, variables: { ids: [mug] } },
    { next: ({ data }) => states.came(data.stockChanged), error: (fault) => faults.push(fault), complete: () => {} },
  );
  let { version } = await states.wait(() => true, 'the present state');
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    const attempts = refused.all.length;
    await server.stop(signal);
    await refused.wait(() => refused.all.length > attempts, 'an attempt while nobody listens');
    await server.start();
    await receive(mug, 1, server.api);
    version += 1;
    await states.wait((state) => state.version === version, `version ${version} after ${signal}`);
  }
  assert.deepEqual(faults, []);
});
