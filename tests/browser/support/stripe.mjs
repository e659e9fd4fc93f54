// The little of Stripe that the demo shop needs: its API for the server, and its script for the page. The whole of what the
// server may ask is tried in tests/gateways.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

export const WEBHOOK_SECRET = 'whsec_of_the_browser_tests';

/** What the page loads as Stripe's script: fields that show which secret they are for, and a card that is good. */
const SCRIPT = `window.Stripe = (key) => ({
  elements: ({ clientSecret }) => ({ clientSecret, create: () => ({ mount: (place) => (place.textContent = 'Card of ' + key) }) }),
  confirmPayment: async ({ elements }) => (await fetch('https://api.stripe.com/confirm?secret=' + elements.clientSecret)).json(),
});`;

export async function openStripe() {
  const intents = new Map();
  const answer = (request, form) => {
    const [, , , id, action] = request.url.split('/');
    if (request.method === 'POST' && !id) {
      const key = request.headers['idempotency-key'];
      const intent = { id: `pi_${key}`, status: 'requires_payment_method', client_secret: `pi_${key}_secret_1`, amount_received: 0 };
      const metadata = { onhand_payment: form.get('metadata[onhand_payment]') };
      if (!intents.has(intent.id)) intents.set(intent.id, { ...intent, amount: +form.get('amount'), currency: form.get('currency'), metadata });
      return intents.get(`pi_${key}`);
    }
    if (action === 'cancel') intents.get(id).status = 'canceled';
    return intents.get(id);
  };
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(request, new URLSearchParams(body))));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  /** The shopper's card is charged, and the shop is told. */
  async function confirm(secret, shop) {
    const object = intents.get(secret.split('_secret_')[0]);
    Object.assign(object, { status: 'succeeded', amount_received: object.amount });
    const event = JSON.stringify({ id: 'evt_1', type: 'payment_intent.succeeded', data: { object } });
    const time = Math.floor(Date.now() / 1000);
    const code = createHmac('sha256', WEBHOOK_SECRET).update(`${time}.${event}`).digest('hex');
    const headers = { 'stripe-signature': `t=${time},v1=${code}` };
    return (await fetch(`${shop.url}/webhooks/stripe`, { method: 'POST', body: event, headers })).status;
  }

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Answers what a page asks of Stripe. A card is declined once for each of `declines`. */
    async serve(context, shop, declines = []) {
      await context.route('https://js.stripe.com/**', (route) => route.fulfill({ contentType: 'text/javascript', body: SCRIPT }));
      await context.route('https://api.stripe.com/**', async (route) => {
        const message = declines.shift();
        const told = message ? { error: { message } } : {};
        if (!message) await confirm(new URL(route.request().url()).searchParams.get('secret'), shop);
        await route.fulfill({ json: told, headers: { 'access-control-allow-origin': '*' } });
      });
    },
    close: () => server.close(),
  };
}
