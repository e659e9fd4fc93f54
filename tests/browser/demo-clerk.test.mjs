// The back office of the demo shop in the hands of somebody who is quick, or changes their mind: nothing is done twice,
// nothing is done to another order than was meant, and what was done can be undone for a while.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-clerk.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop } from './support/badge-shop.mjs';
import { openDemo } from './support/demo-page.mjs';
import { makeProduct, orderState, placeOrder, shipOrder, totalOf } from './support/shop-stock.mjs';

const [, GREEN_MUG, , TEA, MINT, COFFEE, , , , , HONEY] = DEMO_PRODUCTS;

describe('the back office', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  /** Two orders that wait, beside each other, and the page with its clock in the hands of the test. */
  async function twoOrders() {
    const orders = [await placeOrder(shop, TEA), await placeOrder(shop, TEA)];
    const visit = await openDemo(browser, shop, { reducedMotion: 'reduce' });
    await visit.holdClock();
    await visit.order(orders[1].number).waitFor();
    await visit.stopClock();
    return [visit, ...orders];
  }

  const shipButton = (visit, { number }) => visit.page.getByRole('button', { name: `Ship ${number}` });
  const topOf = (visit, { number }) =>
    visit.order(number).evaluate((row) => row.getBoundingClientRect().top + scrollY);

  test('ships one order by a double click, and no other comes under the pointer', async () => {
    const [visit, first, second] = await twoOrders();
    await shipButton(visit, first).dblclick();
    await visit.order(first.number).getByText('About to ship.').waitFor();
    assert.equal((await orderState(shop, first)).shipping, 'UNFULFILLED', 'it is held');
    const before = await topOf(visit, second);
    await visit.passUndo();
    await visit.order(first.number).getByText('Shipped.', { exact: true }).waitFor();
    assert.equal(await topOf(visit, second), before, 'the row below stays where it is');
    assert.equal((await orderState(shop, second)).shipping, 'UNFULFILLED');

    await visit.button(/^Clear the finished/).click();
    await visit.order(first.number).waitFor({ state: 'detached' });
    await visit.close();
  });

  test('does not undo what a double click on Ship did, and does when it is asked to', async () => {
    const [visit, first, second] = await twoOrders();
    await shipButton(visit, first).click();
    const undo = visit.button(`Undo shipping ${first.number}`);
    // As fast as the second click of a double click.
    await undo.click();
    await visit.order(first.number).getByText('About to ship.').waitFor();
    await visit.passRepeat();
    await undo.click();
    await visit.order(first.number).getByText('It is not shipped.').waitFor();
    await visit.passUndo();

    // What is done after it shows that nothing was under way.
    await shipButton(visit, second).click();
    await visit.passUndo();
    await visit.order(second.number).getByText('Shipped.', { exact: true }).waitFor();
    assert.equal((await orderState(shop, first)).shipping, 'UNFULFILLED');
    await visit.close();
  });

  test('sends what is held when the page is left', async () => {
    const [visit, first] = await twoOrders();
    await shipButton(visit, first).click();
    await visit.order(first.number).getByText('About to ship.').waitFor();
    await visit.page.goto('about:blank');
    while ((await orderState(shop, first)).shipping !== 'FULFILLED') await new Promise(setImmediate);
    await visit.close();
  });

  test('asks before it cancels a paid order, apart from Ship', async () => {
    const [visit, first] = await twoOrders();
    const cancel = visit.order(first.number).getByRole('button', { name: /^Cancel/ });
    const [one, other] = [await cancel.boundingBox(), await shipButton(visit, first).boundingBox()];
    assert.ok(other.x - (one.x + one.width) > 40 || one.y - (other.y + other.height) > 40, 'one is not beside the other');
    await cancel.dblclick();
    await visit.order(first.number).getByText('It is paid: €8.90.').waitFor();
    // What looks for violations needs time itself.
    await visit.page.clock.resume();
    assert.deepEqual(await visit.violations(), []);
    await visit.stopClock();
    await visit.button(`Keep it: ${first.number}`).click();
    await cancel.click();
    await visit.button(`Yes, cancel it: ${first.number}`).click();
    await visit.order(first.number).getByText('About to be cancelled.').waitFor();
    assert.equal((await orderState(shop, first)).status, 'COMPLETE');
    await visit.passUndo();
    await visit.order(first.number).getByText('Cancelled: its units are free again.').waitFor();
    assert.equal((await orderState(shop, first)).status, 'CANCELLED');
    await visit.close();
  });

  test('keeps a row in its place that somebody else shipped, and says so', async () => {
    const [visit, first, second] = await twoOrders();
    const before = await topOf(visit, second);
    await shipButton(visit, first).click();
    await visit.order(first.number).getByText('About to ship.').waitFor();
    await shipOrder(shop, first);
    await visit.passUntil(visit.order(first.number).getByText('Shipped elsewhere.'));
    assert.equal(await topOf(visit, second), before);
    await visit.close();
  });

  test('receives once by a double click and by Enter twice, and takes it back', async () => {
    const visit = await openDemo(browser, shop);
    await visit.holdClock();
    await visit.choose(COFFEE);
    await visit.numbers({ total: 45 });
    await visit.page.getByLabel('Units').fill('5');
    await visit.button(/^Receive 5 units/).dblclick();
    await visit.numbers({ total: 50 });
    await visit.page.getByText('5 units received: Coffee beans, 1 kg.').waitFor();
    assert.equal(await totalOf(shop, COFFEE), 50);

    await visit.page.locator('.adjust [type="submit"][aria-disabled="false"]').waitFor();
    await visit.stopClock();
    await visit.passUndo();
    await visit.page.getByLabel('Units').press('Enter');
    await visit.page.getByLabel('Units').press('Enter');
    await visit.numbers({ total: 55 });
    const undo = visit.button('Undo receiving');
    await undo.waitFor();
    await visit.passRepeat();
    assert.equal(await totalOf(shop, COFFEE), 55);
    await undo.click();
    await visit.page.getByText('Taken back: 5 units, Coffee beans, 1 kg.').waitFor();
    await visit.numbers({ total: 50 });
    await visit.logRow(COFFEE, 4).getByText('correction').waitFor();
    await visit.close();
  });

  test('receives once while Enter is held down, and takes back all that was received just now', async () => {
    const visit = await openDemo(browser, shop);
    await visit.holdClock();
    await visit.choose(GREEN_MUG);
    const before = await totalOf(shop, GREEN_MUG);
    await visit.stopClock();
    for (const place of [visit.page.getByLabel('Units'), visit.button(/^Receive 1 unit/)]) {
      await place.focus();
      const total = await totalOf(shop, GREEN_MUG);
      await visit.page.keyboard.down('Enter');
      await visit.numbers({ total: total + 1 });
      for (let repeats = 0; repeats < 5; repeats += 1) {
        await visit.passRepeat();
        await visit.page.keyboard.down('Enter');
      }
      await visit.page.keyboard.up('Enter');
      await visit.page.getByText('1 unit received: Green mug.').waitFor();
    }
    assert.equal(await totalOf(shop, GREEN_MUG), before + 2);
    await visit.page.getByText('Undo takes back all of it: 2 units, Green mug.').waitFor();
    await visit.passRepeat();
    await visit.button('Undo receiving').click();
    await visit.page.getByText('Taken back: 2 units, Green mug.').waitFor();
    assert.equal(await totalOf(shop, GREEN_MUG), before);
    await visit.close();
  });

  test('takes back once when the answers are lost and it is tried again', async () => {
    const visit = await openDemo(browser, shop);
    await visit.holdClock();
    await visit.choose(HONEY);
    const before = await totalOf(shop, HONEY);
    await visit.receive(7);
    await visit.numbers({ total: before + 7 });
    let lost = 0;
    await visit.page.route('**/graphql', async (route) => {
      const isTakenBack = route.request().postData()?.includes('CORRECTION') && lost < 3;
      if (!isTakenBack) return route.fallback();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    const undo = visit.button('Undo receiving');
    await visit.stopClock();
    await undo.waitFor();
    await visit.passRepeat();
    await undo.click();
    await visit.passUntil(visit.page.getByText('It is not known whether it was taken back.'));
    await visit.passUndo();
    await undo.click();
    await visit.page.getByText(/^Taken back: 7 units/).waitFor();
    assert.equal(lost, 3);
    assert.equal(await totalOf(shop, HONEY), before);
    visit.forgive();
    await visit.close();
  });

  test('keeps the focus in the row where something was cancelled, kept or undone by keyboard', async () => {
    const [visit, first] = await twoOrders();
    const focused = () => visit.page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.dataset.order);
    const presses = async (name) => {
      await visit.button(name).focus();
      await visit.page.keyboard.press('Enter');
    };
    const becomes = (wanted) =>
      visit.page.waitForFunction(
        (wanted) => (document.activeElement.ariaLabel ?? document.activeElement.dataset.order) === wanted,
        wanted,
        { polling: 20 },
      ).catch(async () => assert.equal(await focused(), wanted));
    await presses(`Cancel ${first.number}…`);
    await becomes(`Keep it: ${first.number}`);
    await visit.page.keyboard.press('Enter');
    await becomes(first.number);
    await presses(`Ship ${first.number}`);
    await visit.passRepeat();
    await presses(`Undo shipping ${first.number}`);
    await becomes(first.number);
    await presses(`Ship ${first.number}`);
    await visit.button(`Undo shipping ${first.number}`).focus();
    await visit.passUndo();
    await visit.order(first.number).getByText('Shipped.', { exact: true }).waitFor();
    await becomes(first.number);
    await visit.close();
  });

  test('receives once when the answers are lost and it is tried again', async () => {
    const visit = await openDemo(browser, shop);
    await visit.choose(MINT);
    await visit.numbers({ total: 80 });
    let lost = 0;
    await visit.page.route('**/graphql', async (route) => {
      const isReceived = route.request().postData()?.includes('mutation AdjustStock') && lost < 3;
      if (!isReceived) return route.fallback();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await visit.receive(7);
    await visit.page.getByText('The server does not answer. Please try again: nothing is done twice.').waitFor();
    await visit.receive(7);
    await visit.page.getByText('7 units received: Peppermint, 100 g.').waitFor();
    assert.equal(lost, 3);
    assert.equal(await totalOf(shop, MINT), 87);
    visit.forgive();
    await visit.close();
  });

  test('looks at a product of the log that is not on the shelf', async () => {
    const visit = await openDemo(browser, shop);
    const late = await makeProduct(shop, { name: 'Zither', stock: 4 });
    await visit.logRow(late, 1).getByRole('button', { name: 'Zither' }).click();
    await visit.numbers({ total: 4 });
    await visit.close();
  });
});

describe('the lists of the back office', () => {
  const ORDERS = 25;
  let browser;
  let shop;
  const orders = [];
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
    for (let index = 0; index < ORDERS; index += 1) orders.push(await placeOrder(shop, TEA));
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('say what they leave out, and show it when they are asked to', async () => {
    const visit = await openDemo(browser, shop);
    const panel = visit.panel('orders');
    await panel.getByText('20 of 25 orders are shown.').waitFor();
    assert.equal(await panel.locator('[data-order]').count(), 20);
    // One that comes now is seen, though others are left out before it.
    const late = await placeOrder(shop, GREEN_MUG);
    await visit.order(late.number).waitFor();
    await panel.getByText('21 of 26 orders are shown.').waitFor();
    await panel.getByRole('button', { name: 'Show more orders' }).dblclick();
    await visit.order(orders.at(-1).number).waitFor();
    await panel.getByText('orders are shown').waitFor({ state: 'detached' });
    assert.equal(await panel.locator('[data-order]').count(), ORDERS + 1);
    // Those that were shown by asking are followed as well.
    await shipOrder(shop, orders.at(-1));
    await visit.order(orders.at(-1).number).getByText('Shipped elsewhere.').waitFor();

    const log = visit.panel('log');
    await log.getByText('The newest 14 rows are shown; there are older ones.').waitFor();
    await log.getByRole('button', { name: 'Show more rows of the log' }).click();
    await log.getByText('The newest 28 rows are shown; there are older ones.').waitFor();
    assert.equal(await log.locator('[data-sequence]').count(), 28);
    await log.getByRole('button', { name: 'Show more rows of the log' }).click();
    await visit.logRow(TEA, 1).waitFor();
    await log.getByText('rows are shown').waitFor({ state: 'detached' });
    assert.deepEqual(await visit.violations(), []);
    await visit.close();
  });

  test('say that they are empty', async () => {
    const empty = await openShop({ ONHAND_DEMO: 'false' });
    const visit = await openDemo(browser, empty);
    await visit.page.getByText('Nothing is for sale here yet.').waitFor();
    await visit.page.getByText('Nobody counts any of the products that are shown.').waitFor();
    await visit.page.getByText('No paid order waits.').waitFor();
    await visit.page.getByText('Nothing has moved yet.').waitFor();
    await visit.close();
    await empty.close();
  });
});
