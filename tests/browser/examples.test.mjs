// The examples in web/examples, each as its README says, against a server of their own: a list that is read once and
// kept up to date, an order, an answer that comes late, and a server that goes and comes back.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BLUE_MUG, DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { buy, openShop, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { preview, serveFiles, visit } from './support/examples.mjs';

/** How something is bought on the page of each. */
const EXAMPLES = {
  'react-apollo': cartToPayment,
  'react-urql': cartToPayment,
  'plain-js': (page) => page.row(BLUE_MUG).getByRole('button', { name: 'Buy one' }).click(),
};

async function cartToPayment(page) {
  await page.row(BLUE_MUG).getByRole('button', { name: 'Add to cart' }).click();
  await page.press('Check out');
  await page.says(/UNPAID/);
  await page.press('Pay');
}

describe('the examples', () => {
  let browser;
  let shop;
  const pages = {};
  before(async () => {
    const plain = await serveFiles('plain-js');
    shop = await openShop({ ONHAND_ALLOWED_ORIGINS: plain.origin });
    plain.server = shop.url;
    pages['plain-js'] = plain;
    for (const name of ['react-apollo', 'react-urql']) pages[name] = await preview(name, shop.url);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    for (const served of Object.values(pages)) await served.close();
    await shop?.close();
  });
  // Ten can be bought, whatever was sold before.
  beforeEach(async () => {
    const { stock } = await shop.request('query ($id: ID!) { stock(productId: $id) { allocated } }', { id: BLUE_MUG });
    await setStock(shop, BLUE_MUG, stock.allocated + 10);
  });

  for (const [name, buyOne] of Object.entries(EXAMPLES)) {
    test(`${name} reads the list once, and shows what others buy`, async () => {
      const page = await visit(browser, pages[name].url);
      await page.shows(BLUE_MUG, 10);
      assert.equal(await page.page.locator('[data-product]').count(), DEMO_PRODUCTS.length);
      await buy(shop, BLUE_MUG, 2);
      await page.shows(BLUE_MUG, 8);
      assert.deepEqual(page.sent, ['products']);
      await page.close();
    });

    test(`${name} buys one, with no further request for the list`, async () => {
      const page = await visit(browser, pages[name].url);
      await page.shows(BLUE_MUG, 10);
      await buyOne(page);
      await page.says(/: PAID/);
      await page.shows(BLUE_MUG, 9);
      assert.deepEqual(page.sent, ['products', 'createCart', 'checkOut', 'payOrder']);
      await page.close();
    });

    test(`${name} does not go back to an answer that comes late`, async () => {
      const page = await visit(browser, pages[name].url);
      await page.shows(BLUE_MUG, 10);
      const letThrough = await page.holdAnswer('payOrder', () => buyOne(page));
      await page.shows(BLUE_MUG, 9);
      await buy(shop, BLUE_MUG, 3);
      await page.shows(BLUE_MUG, 6);
      await letThrough();
      await page.says(/: PAID/);
      await page.shows(BLUE_MUG, 6);
      await page.close();
    });
  }

  test('all of them are live again after the server was away', async () => {
    const all = await Promise.all(Object.values(pages).map(({ url }) => visit(browser, url)));
    for (const page of all) await page.shows(BLUE_MUG, 10);
    await shop.stop();
    await shop.start();
    await buy(shop, BLUE_MUG, 1);
    for (const page of all) {
      await page.shows(BLUE_MUG, 9);
      assert.deepEqual(page.sent, ['products']);
      await page.page.context().close();
    }
  });
});
