// graphql-ws: subscriptions, and that they go on when the server was away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ADJUST, LIST, SOCKET, STOCK, arrivals, followsStock, product, receive, request } from './support/api.mjs';
import { ownServer } from './support/server.mjs';

const connect = (url, options) => createClient({ url, webSocketImpl: WebSocket, ...options });

test('a subscription is sent the present state and then each newer one', async (t) => {
  const client = connect(SOCKET);
  t.after(() => client.dispose());
  await followsStock(client);
});

test('queries and mutations are answered over a websocket', async (t) => {
  const client = connect(SOCKET);
  t.after(() => client.dispose());
  const { id, sku } = await product(5);
  const ask = async (query, variables) => {
    const results = [];
    for await (const result of client.iterate({ query, variables })) results.push(result);
    assert.equal(results.length, 1);
    return results[0].data;
  };
  const receive = (idempotencyKey) => {
    const changes = [{ productId: id, action: 'INCREMENT', quantity: 2 }];
    return ask(ADJUST, { input: { changes, reason: 'RECEIVED', idempotencyKey } });
  };
  const key = crypto.randomUUID();
  const first = await receive(key);
  assert.deepEqual(first.adjustStock.stocks, [{ available: 7 }]);
  assert.deepEqual(await receive(key), first, 'the same key has one effect');
  assert.equal((await ask(LIST, { search: sku })).products.nodes[0].stock.available, 7);
  assert.ok((await ask('mutation { createCart { cart { id } } }')).createCart.cart.id);
  await assert.rejects(receive(undefined), ([error]) => {
    return error.extensions.code === 'BAD_USER_INPUT' && error.message.includes('idempotencyKey');
  });
});

test('a mutation that was not answered is sent again by the client, and has one effect', async (t) => {
  const server = await ownServer();
  await server.start();
  const mug = (await request('{ products(first: 1) { nodes { id stock { total } } } }', {}, server.api)).products.nodes[0];
  const opened = arrivals();
  const client = connect(server.socket, {
    lazy: false,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: () => new Promise((go) => setTimeout(go, 50)),
    on: { connected: () => opened.came(true) },
  });
  t.after(async () => {
    await client.dispose();
    await server.remove();
  });
  await opened.wait(() => true, 'a connection');
  const answers = [];
  for (let round = 0; round < 20; round += 1) {
    const changes = [{ productId: mug.id, action: 'INCREMENT', quantity: 1 }];
    const variables = { input: { changes, idempotencyKey: crypto.randomUUID() } };
    answers.push(client.iterate({ query: ADJUST, variables }).next());
  }
  await server.stop('SIGKILL');
  await server.start();
  for (const { value } of await Promise.all(answers)) assert.deepEqual(value.data.adjustStock.userErrors, []);
  const { product: now } = await request(
    'query ($id: ID!) { product(by: { id: $id }) { stock { total } } }',
    { id: mug.id },
    server.api,
  );
  assert.equal(now.stock.total, mug.stock.total + 20, 'each of them once');
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
