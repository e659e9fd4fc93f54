// The payment service that docs/payment-service.md shows, behind a server of its own: orders are paid through it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { request } from './support/api.mjs';
import { freePort, ownServer } from './support/server.mjs';

const EXAMPLE = fileURLToPath(new URL('../../docs/payment-service.mjs', import.meta.url));

let server;
let service;
let servicePort;

before(async () => {
  const secret = randomBytes(32).toString('hex');
  servicePort = await freePort();
  server = await ownServer([
    '--gateways', 'manual,http',
    '--http-gateway-url', `http://127.0.0.1:${servicePort}`,
    '--http-gateway-secret', secret,
  ]);
  await server.start();
  const env = { SECRET: secret, ONHAND: server.api.replace('/graphql', ''), PORT: String(servicePort) };
  service = spawn(process.execPath, [EXAMPLE], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(service.stdout, 'data');
});

after(async () => {
  service.kill();
  await server.remove();
});

const ask = (query, variables) => request(query, variables, server.api);

/** An unpaid order of one product of the demo catalogue. */
async function unpaid() {
  const { products } = await ask('{ products(search: "mug", first: 1) { nodes { id } } }');
  const items = [{ productId: products.nodes[0].id, quantity: 1 }];
  const { createCart } = await ask(
    'mutation ($items: [CartItemInput!]) { createCart(input: { items: $items }) { cart { id } } }',
    { items },
  );
  const { checkOut } = await ask('mutation ($id: ID!) { checkOut(input: { cartId: $id }) { order { id } } }', {
    id: createCart.cart.id,
  });
  return checkOut.order.id;
}

async function pay(token) {
  const orderId = await unpaid();
  const { payOrder } = await ask(
    `mutation ($input: PayOrderInput!) { payOrder(input: $input) {
      payment { status reference action { kind url } } order { id payment } userErrors { code } } }`,
    { input: { orderId, gateway: 'http', token } },
  );
  return payOrder;
}

test('the example has less than 60 lines', () => {
  assert.ok(readFileSync(EXAMPLE, 'utf8').split('\n').length < 60);
});

test('an order is paid through the example', async () => {
  const { payment, order, userErrors } = await pay();
  assert.deepEqual([payment.status, order.payment, userErrors], ['SUCCEEDED', 'PAID', []]);
  assert.match(payment.reference, /^demo-payment_/);
});

test('it declines', async () => {
  const { payment, order, userErrors } = await pay('decline');
  assert.deepEqual([payment.status, order.payment, userErrors], ['DECLINED', 'UNPAID', [{ code: 'PAYMENT_DECLINED' }]]);
});

test('a shopper confirms, and the example tells the server', async () => {
  const { payment, order } = await pay('confirm');
  assert.deepEqual([payment.status, payment.action.kind, order.payment], ['REQUIRES_ACTION', 'REDIRECT', 'IN_PROGRESS']);
  assert.equal((await fetch(payment.action.url)).status, 200);
  const { order: now } = await ask('query ($id: ID!) { order(id: $id) { payment } }', { id: order.id });
  assert.equal(now.payment, 'PAID');
});

test('it believes nobody who does not sign', async () => {
  const forged = { method: 'POST', body: JSON.stringify({ action: 'charge', payment: 'payment_x' }) };
  assert.equal((await fetch(`http://127.0.0.1:${servicePort}`, forged)).status, 400);
});
