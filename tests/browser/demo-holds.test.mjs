// Holds and demand in the demo shop: units that are held for an unpaid order, who wants and who holds a product, how it stood
// at a moment, and the crossings of its availability.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-holds.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop, setStock } from './support/badge-shop.mjs';
import { NARROW, openDemo, WIDE } from './support/demo-page.mjs';
import { makeProduct, placeOrder } from './support/shop-stock.mjs';

const [BLUE_MUG, GREEN_MUG, TEAPOT, TEA, , , , , TOWELS, TRAY] = DEMO_PRODUCTS;

describe('a hold in the demo shop', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  async function checkOutHolding(visit, product) {
    await visit.add(product);
    await visit.page.getByLabel('Hold it for me until I pay').check();
    return visit.checkOut();
  }

  test('keeps the last one for a shopper who has not paid, and others see it', async (t) => {
    const shop = await openShop();
    t.after(() => shop.close());
    const [first, second] = [await openDemo(browser, shop), await openDemo(browser, shop)];
    await second.add(TRAY);
    await second.checkOut();
    const number = await checkOutHolding(first, TRAY);
    await first.orderSays('Held for you: nobody else can buy it meanwhile.');
    assert.match(await first.panel('order').getByRole('timer').innerText(), /^Yours for 1[45]:\d\d$/);
    await first.logRow(TRAY, 2).getByText('allocated 1').waitFor();
    await second.badge(TRAY, 'Sold out');
    await second.pay();
    await second.orderSays('Sorry, not enough left: somebody else was first. Nothing was charged.');

    // The staff see whose it is, until when, and go to the order from there.
    await first.choose(TRAY);
    await first.wanted({ held: 1, carts: 0, unpaid: 2 });
    const holder = first.panel('holders').locator(`[data-holder="${number}"]`);
    await holder.getByText(/^on hold for/).waitFor();
    assert.deepEqual(await first.violations(), []);
    await holder.getByRole('button', { name: number }).click();
    await first.panel('desk').getByText(/^Held for/).waitFor();
    assert.deepEqual(await first.offers(), ['Record €89.00 in cash', 'Cancel this order…']);

    // A payment that is declined gives it back to the hold; one that succeeds keeps it.
    await first.pay('Is declined');
    await first.orderSays('it is still held for you');
    await first.pay('Succeeds');
    await first.orderSays('Paid: it is yours');
    await first.wanted({ held: 0, unpaid: 1 });
    await holder.getByText('1 unit since').waitFor();
    assert.equal(await holder.getByRole('timer').count(), 0);
    await Promise.all([first.close(), second.close()]);
  });

  test('ends by itself, and says so', async (t) => {
    const shop = await openShop({ ONHAND_HOLD_TIME: '6s' });
    t.after(() => shop.close());
    const visit = await openDemo(browser, shop);
    await checkOutHolding(visit, TEAPOT);
    await visit.orderSays('Held for you');
    await visit.orderSays('The hold has ended: nothing is kept for you any more.');
    await visit.choose(TEAPOT);
    await visit.numbers({ total: 6, available: 6, allocated: 0 });
    await visit.logRow(TEAPOT, 3).getByText('freed 1').waitFor();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.close();
  });

  test('is not given by a shop that holds nothing, and that is said', async (t) => {
    const shop = await openShop({ ONHAND_HOLDS: 'never' });
    t.after(() => shop.close());
    const visit = await openDemo(browser, shop);
    await checkOutHolding(visit, TEAPOT);
    await visit.orderSays('This shop holds nothing before it is paid: who pays first gets it.');
    await visit.choose(TEAPOT);
    await visit.numbers({ available: 6, allocated: 0 });
    assert.equal(await visit.panel('order').getByRole('timer').count(), 0);
    await visit.close();
  });
});

describe('what the back office knows of a product', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  /** Fills a cart of somebody else. */
  async function fillCart(productId, quantity) {
    const { createCart } = await shop.request(
      `mutation ($input: CreateCartInput) { createCart(input: $input) { cart { id } userErrors { message } } }`,
      { input: { items: [{ productId, quantity }] } },
    );
    assert.deepEqual(createCart.userErrors, []);
  }

  test('is what shoppers want of it, as they change their minds', async () => {
    const visit = await openDemo(browser, shop);
    await visit.choose(BLUE_MUG);
    await visit.wanted({ held: 0, carts: 0, unpaid: 0 });
    await visit.panel('holders').getByText('No order holds any of it.').waitFor();
    await fillCart(BLUE_MUG, 4);
    await visit.wanted({ carts: 4 });
    await visit.add(BLUE_MUG);
    await visit.wanted({ carts: 5 });
    await visit.checkOut();
    await visit.wanted({ carts: 4, unpaid: 1 });
    const { number } = await placeOrder(shop, BLUE_MUG, { quantity: 2 });
    await visit.panel('holders').locator(`[data-holder="${number}"]`).getByText('Olga, 2 units since').waitFor();
    await visit.choose(GREEN_MUG);
    await visit.wanted({ carts: 0, unpaid: 0 });
    await visit.close();
  });

  for (const size of [WIDE, NARROW]) {
    test(`is all numbers of every product, ${size[0]} pixels wide`, async () => {
      const mint = await makeProduct(shop, { name: 'Spearmint', stock: 90 });
      const visit = await openDemo(browser, shop, { size });
      if (size === NARROW) await visit.tab(/Back office/);
      await visit.page.getByText('Every product').click();
      const row = visit.panel('holders').locator(`[data-row="${mint}"]`);
      await row.getByText('total 90, available 90, allocated 0', { exact: true }).waitFor();
      await fillCart(mint, 7);
      await placeOrder(shop, mint, { quantity: 2 });
      await row.getByText('total 90, available 88, allocated 2, in carts 7', { exact: true }).waitFor();
      assert.deepEqual(await visit.violations(), []);
      assert.deepEqual(await visit.outside(), []);
      await visit.close();
    });
  }

  test('is how it stood at a moment', async () => {
    const visit = await openDemo(browser, shop);
    await visit.choose(TEA);
    await visit.page.getByText('How it stood at a moment').click();
    const looksUp = async (time, words) => {
      await visit.page.getByLabel('Date and time').fill(time);
      await visit.button('Look it up').click();
      await visit.panel('holders').getByText(words).waitFor();
    };
    await looksUp('2020-01-01T00:00:00', '01/01/2020, 00:00:00: nobody counted it yet.');
    await looksUp('2999-01-01T00:00:00', 'total 120, available 120, allocated 0.');
    await visit.close();
  });

  test('is when its availability crosses a line, and not each sale', async () => {
    const visit = await openDemo(browser, shop);
    const panel = visit.panel('crossings');
    await panel.getByText('Nothing has crossed a line since this page was opened.').waitFor();
    // Nothing tells when it is followed, so it crosses until that is seen.
    const rows = panel.locator(`[data-crossing="${TOWELS}"]`);
    for (let isEmpty = false; (await rows.count()) === 0; isEmpty = !isEmpty) await setStock(shop, TOWELS, isEmpty ? 32 : 0);
    await setStock(shop, TOWELS, 40);
    await visit.badge(TOWELS, 'In stock');
    await rows.first().getByText(/out of stock\s*→\s*in stock$/).waitFor();
    const seen = await rows.count();
    await setStock(shop, TOWELS, 39);
    await setStock(shop, TOWELS, 0);
    await rows.first().getByText(/in stock\s*→\s*out of stock$/).waitFor();
    assert.equal(await rows.count(), seen + 1);
    await visit.close();
  });
});
