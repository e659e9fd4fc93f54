// The demo shop for shoppers who are quick, come back, have several orders, or shop where there is much to show: what
// they do is done once, is seen, and is never hidden by the next thing.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-shopper.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop, setStock } from './support/badge-shop.mjs';
import { DemoPage, openDemo } from './support/demo-page.mjs';
import { countOrders, makeProduct, makeProducts, placeOrder } from './support/shop-stock.mjs';

const [BLUE_MUG, GREEN_MUG, TEAPOT, TEA, MINT, COFFEE, , , TOWELS, TRAY, HONEY] = DEMO_PRODUCTS;

describe('the cart of the demo shop', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  for (const width of [390, 768, 1100, 1240, 1440, 1920]) {
    test(`is in sight after something was added, ${width} pixels wide`, async () => {
      const visit = await openDemo(browser, shop, { size: [width, 640], reducedMotion: 'reduce' });
      const last = visit.page.locator('.card').last();
      await last.scrollIntoViewIfNeeded();
      await last.getByRole('button').click();
      await last.getByText('1 in cart').waitFor();
      const seen = () =>
        [...document.querySelectorAll('.cart .lines, .cart-bar button')].some((one) => {
          const { top, bottom, height } = one.getBoundingClientRect();
          return height > 0 && top >= 0 && bottom <= innerHeight;
        });
      await visit.page.waitForFunction(seen);
      await visit.page.getByRole('status').filter({ hasText: 'is in your cart' }).waitFor({ state: 'attached' });
      await visit.close();
    });
  }

  test('leaves the page as high as it is, whether it is in sight or not', async () => {
    const visit = await openDemo(browser, shop, { size: [768, 640], reducedMotion: 'reduce' });
    await visit.add(GREEN_MUG);
    const heights = await visit.page.evaluate(async () => {
      const seen = new Set();
      const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      for (let from = 0; from < 600; from += 20) {
        scrollTo(0, document.documentElement.scrollHeight - innerHeight - from);
        await nextFrame();
        await nextFrame();
        seen.add(document.documentElement.scrollHeight);
      }
      return [...seen];
    });
    assert.equal(heights.length, 1, `heights of the page: ${heights}`);
    await visit.close();
  });

  test('has one more after a double click, and one order after another', async () => {
    const visit = await openDemo(browser, shop);
    const before = await countOrders(shop);
    await visit.badge(GREEN_MUG, 'In stock');
    await visit.card(GREEN_MUG).getByRole('button').dblclick();
    await visit.card(GREEN_MUG).getByText('1 in cart').waitFor();
    await visit.card(GREEN_MUG).getByRole('button', { name: 'Add to cart' }).waitFor();
    assert.equal(await visit.inCart(), 1);
    await visit.button('Check out').dblclick();
    await visit.button(/^Pay/).waitFor();
    await visit.orderSays('Nothing is kept for you yet');
    assert.equal(await countOrders(shop), before + 1);
    await visit.button(/^Pay/).dblclick();
    await visit.orderSays('Paid: it is yours');
    await visit.close();
  });

  test('gets everything that is pressed while the server is slow', async () => {
    const visit = await openDemo(browser, shop);
    let letGo;
    const gate = new Promise((resolve) => (letGo = resolve));
    await visit.page.route('**/graphql', async (route) => {
      if (route.request().postData()?.startsWith('{"query":"mutation')) await gate;
      await route.fallback();
    });
    for (const product of [HONEY, TOWELS, MINT]) await visit.card(product).getByRole('button').click();
    await visit.card(HONEY).getByText('Adding…').waitFor();
    letGo();
    for (const product of [HONEY, TOWELS, MINT]) await visit.card(product).getByText('1 in cart').waitFor();
    const more = visit.button('One more Honey, 500 g');
    for (let presses = 0; presses < 4; presses += 1) await more.click();
    await visit.card(HONEY).getByText('5 in cart').waitFor();
    await visit.close();
  });

  test('keeps the line in its place that was taken out, and puts it back', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    await visit.add(TOWELS);
    const less = visit.button('One less Tea towels, set of 3');
    const before = await less.boundingBox();
    await visit.button('One less Honey, 500 g').click();
    await visit.panel('cart').getByText('removed', { exact: true }).waitFor();
    await visit.page.waitForFunction(() => document.querySelectorAll('.stepper').length === 1);
    assert.equal((await less.boundingBox()).y, before.y, 'no other line comes under the pointer');
    await visit.button('Put back Honey, 500 g').click();
    await visit.page.getByRole('group', { name: 'Quantity of Honey, 500 g' }).waitFor();
    assert.equal(await visit.inCart(), 2);
    await visit.close();
  });

  test('says what to do when prices are in another currency', async () => {
    const dollars = await makeProduct(shop, { name: 'Dollar bill', currency: 'USD' });
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    await visit.card(dollars).getByRole('button').click();
    await visit.panel('cart').getByText('A cart can hold one currency only: check out or remove').waitFor();
    await visit.close();
  });

  test('that was checked out in another window is not filled any more: its order is there', async () => {
    const first = await openDemo(browser, shop);
    await first.add(HONEY);
    // A tab that is duplicated has the same memory.
    const memory = await first.page.evaluate(() => Object.entries(sessionStorage));
    const second = new DemoPage(await first.page.context().newPage(), shop);
    await second.page.addInitScript((memory) => memory.forEach(([key, value]) => (sessionStorage[key] ??= value)), memory);
    await second.page.goto(`${shop.url}/demo`);
    await second.page.getByRole('group', { name: 'Quantity of Honey, 500 g' }).waitFor();
    const number = await second.checkOut();
    await first.card(TOWELS).getByRole('button').click();
    await first.panel('cart').getByText('This cart has been checked out already').waitFor();
    assert.equal(await first.page.locator('#order').innerText(), `Order ${number}`);
    await first.close();
  });
});

describe('several orders of one shopper', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop({ ONHAND_PAY_ANSWER: '300ms' })]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  const other = (visit, number) => visit.page.locator('.order.short', { hasText: number });

  test('are all in sight: the one that is being paid, too', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    const first = await visit.checkOut();
    await visit.pay('Declined late');
    await visit.orderSays('The bank has not said yet.');
    await visit.add(TOWELS);
    const second = await visit.checkOut();
    assert.notEqual(second, first);
    await other(visit, first).waitFor();
    // It is followed, over a reload as well.
    await visit.page.reload();
    await other(visit, first).getByText('The payment was declined.').waitFor();
    assert.deepEqual(await visit.violations(), []);
    await other(visit, first).getByRole('button', { name: /^Show it/ }).click();
    await other(visit, second).waitFor();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.button('Shop on').click();
    await other(visit, second).waitFor();
    await visit.close();
  });

  test('are not somebody else: who lacks what another order of theirs has is told so', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(TRAY);
    await visit.checkOut();
    await visit.add(TRAY);
    await visit.checkOut();
    const first = await visit.page.locator('.order.short h3').innerText();
    await visit.page.locator('.order.short').getByRole('button', { name: /^Show it/ }).click();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.page.locator('.order.short').getByRole('button', { name: /^Show it/ }).click();
    await visit.pay();
    await visit.orderSays(`your own order ${first.replace('Order ', '')} has it. Nothing was charged.`);
    await visit.close();
  });

  test('are told how it ended when the answer was lost and the payment took its time', async () => {
    const visit = await openDemo(browser, shop);
    let lost = 0;
    // The first answer is lost; the second is that a payment is under way.
    await visit.page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('mutation PayOrder') || lost > 0) return route.fallback();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await visit.add(HONEY);
    await visit.checkOut();
    await visit.pay('Takes 8 s');
    await visit.orderSays('A payment is under way already.');
    await visit.orderSays('Paid: it is yours');
    assert.equal(lost, 1);
    visit.forgive();
    await visit.close();
  });

  test('are told who was faster, as far as that is known', async () => {
    const visit = await openDemo(browser, shop);
    for (const [product, act, words] of [
      [TEAPOT, () => placeOrder(shop, TEAPOT, { quantity: 6 }), 'somebody else paid first'],
      [BLUE_MUG, () => setStock(shop, BLUE_MUG, 0), 'the shop took some away'],
    ]) {
      await visit.add(product);
      await visit.checkOut();
      await act();
      await visit.pay();
      await visit.orderSays(`Sorry, not enough left: ${words}. Nothing was charged.`);
    }
    await visit.close();
  });

  test('are not blamed for another product of the same order', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(COFFEE);
    await visit.checkOut();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.add(COFFEE);
    await visit.add(MINT);
    await visit.checkOut();
    await placeOrder(shop, COFFEE, { quantity: 1 });
    await setStock(shop, MINT, 0);
    await visit.pay();
    await visit.orderSays('Sorry, not enough left: the shop took some away. Nothing was charged.');
    await visit.close();
  });

  test('can be cancelled, and that can be undone', async () => {
    const visit = await openDemo(browser, shop);
    await visit.holdClock();
    await visit.add(HONEY);
    const number = await visit.checkOut();
    const cancel = visit.button('Cancel the order');
    await visit.stopClock();
    await cancel.dblclick();
    const undo = visit.button(`Undo cancelling ${number}`);
    await visit.passRepeat();
    await undo.click();
    await visit.orderSays('It is not cancelled.');
    await cancel.click();
    await undo.waitFor();
    await visit.passUndo();
    await visit.orderSays('This order is cancelled');
    await visit.close();
  });
});

describe('a shop with much to show', () => {
  let browser;
  let shop;
  let ids;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
    ids = await makeProducts(shop, 50, (index) => `Product ${String(index).padStart(2, '0')}`);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('says how many products it does not show, and shows them live', async () => {
    const visit = await openDemo(browser, shop);
    await visit.page.getByText('50 of 62 products are shown.').waitFor();
    await visit.button('Show more products').dblclick();
    await visit.page.waitForFunction(() => document.querySelectorAll('.card').length === 62);
    await visit.page.getByText('products are shown').waitFor({ state: 'detached' });
    const last = ids.at(-1);
    await visit.badge(last, 'In stock');
    await setStock(shop, last, 0);
    await visit.badge(last, 'Sold out');
    // After a loss, too.
    await shop.stop();
    await visit.page.getByText('not live, trying again').waitFor();
    await shop.start();
    await visit.page.getByText('live again').waitFor();
    await setStock(shop, last, 3);
    await visit.badge(last, 'In stock');
    assert.equal(await visit.page.locator('.card').count(), 62);
    visit.forgive();
    await visit.close();
  });

  for (const width of [390, 720, 1440]) {
    test(`keeps long words and large numbers within their cards, ${width} pixels wide`, async () => {
      const long = await makeProduct(shop, { name: `A${'w'.repeat(199)}`, description: 'm'.repeat(600) });
      const large = await makeProduct(shop, {
        name: 'A כוס כחולה (2)',
        stock: 1_000_000_000,
        lowStockThreshold: 1_000_000_000,
        price: Number.MAX_SAFE_INTEGER,
      });
      await placeOrder(shop, long, { name: 'Wolfeschlegelsteinhausenbergerdorff'.repeat(5) });
      await placeOrder(shop, large, { quantity: 1 });
      const visit = await openDemo(browser, shop, { size: [width, 900], reducedMotion: 'reduce' });
      await visit.add(long);
      await visit.checkOut();
      await visit.add(large);
      assert.deepEqual(await visit.outside(), []);
      assert.deepEqual(await visit.violations(), []);
      if (width < 980) await visit.tab(/Back office/);
      await visit.choose(large);
      await visit.numbers({ total: '1,000,000,000', available: '999,999,999' });
      assert.deepEqual(await visit.outside(), []);
      assert.deepEqual(await visit.violations(), []);
      await shop.stop('SIGKILL');
      await visit.page.getByText('not live, trying again').waitFor();
      assert.deepEqual(await visit.outside(), []);
      if (width < 980) await visit.tab(/Shop/);
      await visit.card(large).scrollIntoViewIfNeeded();
      await visit.card(large).locator('stock-badge[stale]').waitFor();
      assert.deepEqual(await visit.outside(), []);
      await shop.start();
      await visit.isLive();
      visit.forgive();
      await visit.close();
    });
  }
});
