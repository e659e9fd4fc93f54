// The GraphiQL page in a new shop: every tab runs as it is, from left to right, and the explorer writes operations.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE_MUG } from '../../web/graphiql/src/demo-ids.js';
import { openShop, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openPage } from './support/page.mjs';

/** The tabs that answer for as long as they are run, and what is sent first. A log's tail waits for what happens. */
const LIVE = {
  FollowOrder: /"shipping": "FULFILLED"/,
  Watch: /"sku": "MUG-BLUE"/,
  Availability: /"from": null, "to": "(IN|LOW)_STOCK"/,
  LogTail: /"action": "INCREMENT"/,
};

describe('the GraphiQL page in a new shop', () => {
  let browser;
  let shop;
  before(async () => {
    shop = await openShop();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('has tabs that run as they are, from left to right', async () => {
    const visit = await openPage(browser, { server: shop.url });
    for (const name of await visit.tabs()) {
      await visit.openTab(name);
      if (name in LIVE) await follow(visit, name);
      else await ask(visit, name);
    }
    await visit.stockBecomes(BLUE_MUG, { allocated: 0 });
    await visit.close();
  });

  async function ask(visit, name) {
    const { data, errors } = await visit.run();
    assert.equal(errors, undefined, `${name}: ${JSON.stringify(errors)}`);
    for (const payload of Object.values(data)) assert.deepEqual(payload.userErrors ?? [], [], name);
    const { preview } = data.adjustStock ?? {};
    if (name === 'Deliveries') assert.deepEqual(eventsIn(data), ['ORDER_CANCELLED', 'ORDER_PAID', 'ORDER_SHIPPED']);
    if (name === 'DryRun') assert.equal(preview[0].after.total, preview[0].before.total + 5);
  }

  /** The events that were recorded for the one webhook, newest first. */
  function eventsIn({ webhooks: [{ deliveries }] }) {
    return deliveries.nodes.map(({ event }) => event);
  }

  async function follow(visit, name) {
    await visit.pressRun();
    await visit.page.getByRole('button', { name: 'Stop query' }).waitFor();
    // Nothing tells when a tail has begun, so there is something to hear of until it has.
    let isShown = false;
    const shown = visit.answer(LIVE[name]).then(() => (isShown = true));
    while (name === 'LogTail' && !isShown) {
      await receive();
      await Promise.race([shown, visit.page.waitForTimeout(100)]);
    }
    await shown;
    await visit.pressStop();
  }

  /** One more mug arrives. */
  async function receive() {
    const { adjustStock } = await shop.request(
      `mutation ($input: AdjustStockInput!) { adjustStock(input: $input) { userErrors { message } } }`,
      { input: { changes: [{ productId: BLUE_MUG, action: 'INCREMENT', quantity: 1 }], reason: 'RECEIVED' } },
    );
    assert.deepEqual(adjustStock.userErrors, []);
  }

  test('has an explorer whose fields come into the operation at a click', async () => {
    const visit = await openPage(browser, { server: shop.url });
    await visit.openTab('Browse');
    await visit.page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    const explorer = visit.page.locator('.graphiql-explorer-root');
    await explorer.getByText('slug', { exact: true }).click();
    await visit.editorMatches('.graphiql-query-editor', /\bslug\b/);
    await visit.screenshot('explorer');
    const { data } = await visit.run();
    assert.equal(data.products.nodes.find(({ id }) => id === BLUE_MUG).slug, 'blue-mug');
    await visit.close();
  });

  test('shows the order that is followed move', async () => {
    await setStock(shop, BLUE_MUG, 50);
    const visit = await openPage(browser, { server: shop.url });
    await visit.openTab('Cart');
    await visit.run();
    await visit.openTab('CheckOut');
    const { data } = await visit.run();
    await visit.openTab('FollowOrder');
    await visit.variables(new RegExp(data.checkOut.order.id));
    await visit.pressRun();
    await visit.answer(/"payment": "UNPAID"/);
    await shop.request(`mutation ($id: ID!) { payOrder(input: { orderId: $id }) { order { id } } }`, {
      id: data.checkOut.order.id,
    });
    await visit.answer(/"payment": "PAID"/);
    await visit.close();
  });
});
