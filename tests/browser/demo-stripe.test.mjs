// The demo shop where orders can be paid with a card: Stripe's script is loaded then, and only when a card is wanted.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-stripe.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { openShop } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openDemo, WIDE } from './support/demo-page.mjs';
import { openStripe, WEBHOOK_SECRET } from './support/stripe.mjs';

const [BLUE_MUG] = DEMO_PRODUCTS;
const DECLINED = 'Your card was declined.';

describe('the demo shop with cards', () => {
  let browser;
  let stripe;
  let shop;
  before(async () => {
    stripe = await openStripe();
    const settings = {
      ONHAND_GATEWAYS: 'manual,stripe',
      ONHAND_STRIPE_SECRET_KEY: 'sk_test_1',
      ONHAND_STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      ONHAND_STRIPE_PUBLISHABLE_KEY: 'pk_test_1',
      ONHAND_STRIPE_API: stripe.url,
    };
    [browser, shop] = await Promise.all([launch(), openShop(settings)]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
    stripe?.close();
  });

  test('a card is declined, and then pays', async () => {
    const [width, height] = WIDE;
    const context = await browser.newContext({ viewport: { width, height } });
    await stripe.serve(context, shop, [DECLINED]);
    const visit = await openDemo(browser, shop, { context });
    await visit.add(BLUE_MUG);
    await visit.checkOut();
    assert.deepEqual(visit.faults, [], 'nothing is asked of Stripe before a card is wanted');
    await visit.pay('With a card');
    const card = visit.page.locator('form.card');
    await card.getByText('Card of pk_test_1').waitFor();
    await card.getByRole('button', { name: 'Pay with this card' }).click();
    await card.getByText(DECLINED).waitFor();
    await card.getByRole('button', { name: 'Pay with this card' }).click();
    await visit.orderSays('Paid: it is yours');
    await card.waitFor({ state: 'detached' });
    // Stripe is the only other host, and the page's policy let it.
    const others = visit.faults.filter((fault) => !/^asked another host: https:\/\/(js|api)\.stripe\.com\//.test(fault));
    assert.deepEqual(others, []);
    await context.close();
  });

  test('the sandbox is there as well', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(BLUE_MUG);
    await visit.checkOut();
    await visit.pay('Succeeds');
    await visit.orderSays('Paid: it is yours');
    assert.deepEqual(visit.faults, []);
  });
});
