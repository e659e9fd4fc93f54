// What Stripe's official package makes of our stand-in for Stripe, and of our webhooks: run by tests/gateways/package.rs.
import assert from 'node:assert/strict';
import Stripe from 'stripe';

const { STRIPE_URL, STRIPE_KEY, WEBHOOK_SECRET, SHOP, ORDER } = process.env;
const { hostname, port } = new URL(STRIPE_URL);
const stripe = new Stripe(STRIPE_KEY, { host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });

const fresh = () => ({ idempotencyKey: crypto.randomUUID() });
const card = { amount: 1099, currency: 'eur', payment_method_types: ['card'], metadata: { onhand_order: 'order_of_nobody' } };
const create = (more = {}, key = fresh()) => stripe.paymentIntents.create({ ...card, ...more }, key);

async function intents() {
  const key = fresh();
  const created = await create({}, key);
  assert.deepEqual([created.status, created.amount, created.amount_received], ['requires_payment_method', 1099, 0]);
  assert.equal((await create({}, key)).id, created.id, 'one key, one intent');
  await assert.rejects(create({ amount: 1100 }, key), Stripe.errors.StripeIdempotencyError);
  const confirmed = await stripe.paymentIntents.confirm(created.id, { payment_method: 'pm_card_visa' }, fresh());
  assert.deepEqual([confirmed.status, confirmed.amount_received], ['succeeded', 1099]);
  assert.equal((await stripe.paymentIntents.retrieve(created.id)).status, 'succeeded');
  await assert.rejects(stripe.paymentIntents.cancel(created.id), { code: 'payment_intent_unexpected_state', statusCode: 400 });

  const refund = { payment_intent: created.id, amount: 99, metadata: { onhand_operation: 'operation-1' } };
  const refunded = await stripe.refunds.create(refund, fresh());
  assert.deepEqual([refunded.status, refunded.amount], ['succeeded', 99]);
  const listed = await stripe.refunds.list({ payment_intent: created.id, limit: 100 });
  assert.deepEqual(listed.data.map(({ id, metadata }) => [id, metadata.onhand_operation]), [[refunded.id, 'operation-1']]);
  await assert.rejects(stripe.refunds.create({ ...refund, amount: 5000 }, fresh()), Stripe.errors.StripeInvalidRequestError);
}

async function ends() {
  const declined = await create();
  const decline = stripe.paymentIntents.confirm(declined.id, { payment_method: 'pm_card_visa_chargeDeclined' }, fresh());
  await assert.rejects(decline, (error) => error instanceof Stripe.errors.StripeCardError && error.statusCode === 402);
  const after = await stripe.paymentIntents.retrieve(declined.id);
  assert.deepEqual([after.status, after.last_payment_error.type], ['requires_payment_method', 'card_error']);
  const cancelled = await stripe.paymentIntents.cancel(declined.id, { cancellation_reason: 'abandoned' });
  assert.equal(cancelled.status, 'canceled');

  const asks = await create({ confirm: true, payment_method: 'pm_card_authenticationRequired' });
  assert.deepEqual([asks.status, asks.next_action.type], ['requires_action', 'use_stripe_sdk']);

  const held = await create({ capture_method: 'manual', confirm: true, payment_method: 'pm_card_visa' });
  assert.deepEqual([held.status, held.amount_capturable], ['requires_capture', 1099]);
  const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1099 }, fresh());
  assert.deepEqual([captured.status, captured.amount_received], ['succeeded', 1099]);

  const marked = await create({ metadata: { onhand_order: 'order_of_nobody', onhand_payment: 'payment_of_nobody' } });
  const found = await stripe.paymentIntents.search({ query: "metadata['onhand_payment']:'payment_of_nobody'" });
  assert.deepEqual(found.data.map(({ id }) => id), [marked.id]);
}

async function ask(query, variables) {
  const response = await fetch(`${SHOP}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** An order that is confirmed in a browser, and told of by an event that the package signs. */
async function webhooks() {
  const { payOrder } = await ask(
    'mutation ($id: ID!) { payOrder(input: { orderId: $id, gateway: "stripe" }) { payment { status action { kind clientSecret } } } }',
    { id: ORDER },
  );
  assert.deepEqual([payOrder.payment.status, payOrder.payment.action.kind], ['REQUIRES_ACTION', 'STRIPE_CONFIRM']);
  const [id] = payOrder.payment.action.clientSecret.split('_secret_');
  const object = await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
  const payload = JSON.stringify({ id: 'evt_1', object: 'event', type: 'payment_intent.succeeded', data: { object } });
  const send = async (secret, timestamp) => {
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
    const headers = { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature };
    return (await fetch(`${SHOP}/webhooks/stripe`, { method: 'POST', body: payload, headers })).status;
  };
  assert.equal(await send('whsec_another'), 400);
  assert.equal(await send(WEBHOOK_SECRET, Math.floor(Date.now() / 1000) - 3600), 400);
  assert.equal(await send(WEBHOOK_SECRET), 200);
  const { order } = await ask('query ($id: ID!) { order(id: $id) { payment } }', { id: ORDER });
  assert.equal(order.payment, 'PAID');
}

await intents();
await ends();
await webhooks();
console.log('the package agrees');
