// The demo shop as its visitors use it: a whole order, the race to pay, the back office beside it.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo.test.mjs
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { buildSchema, parse, validate } from 'graphql';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop, setStock } from './support/badge-shop.mjs';
import { DemoPage, openDemo } from './support/demo-page.mjs';

const [BLUE_MUG, , TEAPOT, , , COFFEE, , , TOWELS, TRAY, HONEY] = DEMO_PRODUCTS;

describe('the operations of the demo shop', () => {
  test('keep to the contract of the API', () => {
    const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
    const folder = new URL('../../web/demo/src/api/documents/', import.meta.url);
    const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
    const isFragment = (text) => text.startsWith('fragment');
    for (const text of texts.filter((text) => !isFragment(text))) {
      const needed = texts.filter((one) => isFragment(one) && text.includes(`...${one.split(' ')[1]}`));
      assert.deepEqual(validate(schema, parse(text + needed.join(''))), [], text);
    }
  });
});

describe('the demo shop', () => {
  let browser;
  let shop;
  before(async () => {
    // Short enough that a payment of three seconds is one that the shop does not wait for.
    [browser, shop] = await Promise.all([launch(), openShop({ ONHAND_PAY_ANSWER: '300ms' })]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('takes an order from the shelf to the door, and both sides see each step', async () => {
    const visit = await openDemo(browser, shop);
    await visit.badge(BLUE_MUG, 'In stock');
    await visit.add(BLUE_MUG);
    await visit.add(BLUE_MUG);
    await visit.numbers({ total: 10, available: 10, allocated: 0 });
    await visit.screenshot('cart');
    const number = await visit.checkOut();
    await visit.orderSays('Nothing is kept for you yet');
    await visit.screenshot('order');
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.step('Paid');
    await visit.numbers({ total: 10, available: 8, allocated: 2 });
    await visit.logRow(BLUE_MUG, 2).getByText('allocated 2').waitFor();
    await visit.screenshot('paid', true);

    await visit.button(`Ship ${number}`).click();
    await visit.step('Shipped');
    await visit.orderSays('It has left the warehouse');
    await visit.numbers({ total: 8, available: 8, allocated: 0 });
    await visit.logRow(BLUE_MUG, 3).getByText('shipped 2').waitFor();
    await visit.page.getByText('No paid order waits.').waitFor();
    await visit.screenshot('shipped', true);

    await visit.button('Shop on').click();
    await visit.panel('order').waitFor({ state: 'detached' });
    await visit.close();
  });

  test('lets one of two shoppers have the last one, and tells the other', async () => {
    const first = await openDemo(browser, shop, { size: [1100, 900] });
    await first.badge(TRAY, 'Only 1 left');
    const opening = first.page.context().waitForEvent('page');
    await first.page.getByRole('link', { name: 'Open a second shopper' }).click();
    const second = new DemoPage(await opening, shop);
    await second.isLive();
    assert.equal(await second.inCart(), 0, 'a cart of its own');

    for (const one of [first, second]) {
      await one.add(TRAY);
      await one.checkOut();
    }
    await first.pay();
    await first.orderSays('Paid: it is yours');
    // The other one sees it before paying: at the order, and on the shelf.
    await second.panel('order').locator('stock-badge').getByText('Sold out').waitFor();
    await second.badge(TRAY, 'Sold out');
    await first.badge(TRAY, 'Sold out');
    await second.pay();
    await second.orderSays('Sorry, not enough left: somebody else paid first. Nothing was charged.');
    assert.equal(await second.card(TRAY).getByRole('button').getAttribute('aria-disabled'), 'true');
    await first.screenshot('race-won');
    await second.screenshot('race-lost');

    await second.button('Cancel the order').click();
    await second.orderSays('This order is cancelled');
    assert.deepEqual(second.faults, []);
    await first.close();
  });

  test('shows in another window what the back office receives and removes', async () => {
    const [office, shopper] = await Promise.all([openDemo(browser, shop), openDemo(browser, shop)]);
    await setStock(shop, TEAPOT, 0);
    await shopper.badge(TEAPOT, 'Sold out');
    await office.choose(TEAPOT);
    await office.numbers({ total: 0 });
    await office.receive(2);
    await office.page.getByText('2 units received').waitFor();
    await shopper.badge(TEAPOT, 'Only 2 left');
    await office.receive(1, 'Remove');
    await shopper.badge(TEAPOT, 'Only 1 left');
    await office.numbers({ total: 1, available: 1 });
    await office.receive(2, 'Remove');
    await office.page.getByText('There are not so many available.').waitFor();
    await office.numbers({ total: 1 });
    await Promise.all([office.close(), shopper.close()]);
  });

  test('grows its log and its chart by what somebody else does', async () => {
    const visit = await openDemo(browser, shop);
    await visit.choose(COFFEE);
    await visit.numbers({ total: 45 });
    await setStock(shop, COFFEE, 50);
    await setStock(shop, COFFEE, 30);
    await visit.logRow(COFFEE, 3).getByText('counted 30').waitFor();
    await visit.numbers({ total: 30, available: 30, allocated: 0 });
    const summary = /^Coffee beans, 1 kg over time, 2 changes: from total 45, .* to total 30/;
    const chart = visit.page.getByRole('img', { name: summary });
    await chart.waitFor();
    assert.match(await chart.locator('.series.total').getAttribute('d'), /^M[\d. ]+(H[\d.]+V[\d.]+){2}H[\d.]+$/);

    // By keyboard, and by pointing at it.
    const scrub = visit.page.getByRole('slider');
    await scrub.focus();
    await visit.page.keyboard.press('ArrowLeft');
    await visit.numbers({ total: 50 });
    assert.match(await scrub.getAttribute('aria-valuetext'), /counted 50 units. total 50, available 50, allocated 0$/);
    await visit.page.keyboard.press('Tab');
    await visit.numbers({ total: 30 });
    await chart.hover({ position: { x: 32, y: 60 } });
    await visit.numbers({ total: 45 });
    await visit.page.getByText('The same as a table').click();
    assert.equal(await visit.page.getByRole('row').count(), 4);
    await visit.close();
  });

  test('goes on after a payment that is declined', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    await visit.checkOut();
    await visit.pay('Is declined');
    await visit.orderSays('The payment was declined.');
    await visit.logRow(HONEY, 3).getByText('freed 1').waitFor();
    await visit.pay('Succeeds');
    await visit.orderSays('Paid: it is yours');
    await visit.close();
  });

  test('holds the units while the bank says nothing, and hears the outcome when it comes', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(TOWELS);
    await visit.checkOut();
    await visit.pay('Takes 3 s');
    await visit.orderSays('The bank has not said yet.');
    await visit.numbers({ total: 32, available: 31, allocated: 1 });
    await visit.panel('orders').getByText('being paid').waitFor();
    await visit.screenshot('waiting');
    await visit.orderSays('Paid: it is yours');
    await visit.button(/^Ship/).first().waitFor();
    await visit.button('Shop on').click();

    await visit.add(TOWELS);
    await visit.checkOut();
    await visit.pay('Declined late');
    await visit.orderSays('The bank has not said yet.');
    await visit.orderSays('The payment was declined.');
    await visit.numbers({ available: 31, allocated: 1 });
    await visit.close();
  });

  test('waits for a shopper whose bank wants a word, and then has the money', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    await visit.checkOut();
    await visit.pay('Asks you first');
    await visit.orderSays('Your bank wants you to confirm.');
    await visit.orderSays('Paid: it is yours');
    await visit.close();
  });

  test('keeps the cart and the order of a window over a reload', async () => {
    const visit = await openDemo(browser, shop);
    await visit.add(HONEY);
    await visit.page.reload();
    await visit.page.getByRole('group', { name: 'Quantity of Honey, 500 g' }).waitFor();
    const number = await visit.checkOut();
    await visit.page.reload();
    await visit.page.getByText(`Order ${number}`).first().waitFor();
    await visit.pay();
    await visit.orderSays('Paid: it is yours');
    await visit.close();
  });

  test('changes quantities, and says when there is not so much', async () => {
    await setStock(shop, TEAPOT, 2);
    const visit = await openDemo(browser, shop);
    await visit.add(TEAPOT);
    const more = visit.button('One more Teapot');
    await more.click();
    await visit.page.locator('.stepper output', { hasText: '2' }).waitFor();
    await more.click();
    await visit.panel('cart').getByText('Sorry, not enough left.').waitFor();
    assert.equal(await visit.inCart(), 2);
    const less = visit.button('One less Teapot');
    await less.click();
    await visit.page.locator('.stepper output', { hasText: '1' }).waitFor();
    await less.click();
    await visit.panel('cart').getByText('Empty.').waitFor();
    await visit.close();
  });
});
