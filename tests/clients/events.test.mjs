// graphql-sse: the same subscriptions as server-sent events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-sse';
import { API, LIST, followsStock, product } from './support/api.mjs';

test('a subscription is sent the present state and then each newer one', async (t) => {
  const client = createClient({ url: API, retryAttempts: 0 });
  t.after(() => client.dispose());
  await followsStock(client);
});

test('a query, or a mutation, is one result and the end; what is wrong is a result, too', async (t) => {
  const client = createClient({ url: API, retryAttempts: 0 });
  t.after(() => client.dispose());
  const { sku } = await product(5);
  const results = async (query, variables) => {
    const all = [];
    for await (const result of client.iterate({ query, variables })) all.push(result);
    return all;
  };
  const [answer, ...more] = await results(LIST, { search: sku });
  assert.equal(answer.data.products.nodes[0].sku, sku);
  assert.deepEqual(more, []);
  const [cart, ...rest] = await results('mutation { createCart { cart { id } } }');
  assert.ok(cart.data.createCart.cart.id);
  assert.deepEqual(rest, []);
  for (const [query, code] of [
    ['{', 'GRAPHQL_PARSE_FAILED'],
    ['subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { stockChanged(productIds: ["x"]) { version } }', 'BAD_ID'],
    ['mutation { checkOut(input: { cartId: "x" }) { order { id } } }', 'BAD_USER_INPUT'],
  ]) {
    const all = await results(query);
    assert.deepEqual(all.map((one) => one.errors[0].extensions.code), [code], query);
  }
});
