// The staff's desk of the demo shop: one order with its payments and parcels, which is captured, voided, refunded, shipped in
// parts and cancelled, and offers what its state allows and nothing else.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-desk.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop } from './support/badge-shop.mjs';
import { NARROW, openDemo } from './support/demo-page.mjs';
import { orderState, placeOrder, shipOrder, totalOf } from './support/shop-stock.mjs';

const [BLUE_MUG, GREEN_MUG, TEAPOT, TEA, MINT, COFFEE, , , TOWELS, , HONEY] = DEMO_PRODUCTS;

describe('the desk of the demo shop', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  /** A shopper's order of so many units, paid as `outcome` says, open at the desk, with the clock in the hands of the test. */
  async function atDesk(product, units, outcome, how = {}) {
    const visit = await openDemo(browser, shop, { reducedMotion: 'reduce', ...how });
    await visit.holdClock();
    for (let added = 0; added < units; added += 1) await visit.add(product);
    const number = await visit.checkOut();
    await visit.pay(outcome);
    await visit.page.locator('.steps[data-reached="2"], .steps .going').first().waitFor();
    if (how.size === NARROW) await visit.tab(/Back office/);
    await visit.button(`Details of ${number}`).click();
    await visit.payment().waitFor();
    await visit.stopClock();
    return [visit, number];
  }

  test('takes an order from authorized money to a parcel, a refund and its end, and the shopper sees each step', async () => {
    const [visit, number] = await atDesk(BLUE_MUG, 3, 'Capture fails once');
    await visit.orderSays('It is yours. Your money is reserved, and not taken yet.');
    assert.deepEqual(await visit.offers(), ['Capture €36.00', 'Void…', 'Next parcel…']);
    await visit.order(number).getByText('Its money is authorized, not captured.').waitFor();

    await visit.decide('Capture €36.00', 'The payment provider did not give the money. It stays authorized');
    await visit.numbers({ total: 10, available: 7, allocated: 3 });
    await visit.decide('Capture €36.00', '€36.00 captured.');
    await visit.payment('SUCCEEDED').getByText('Captured €36.00, refunded €0.00.').waitFor();
    assert.deepEqual(await visit.offers(), ['Refund…', 'Next parcel…', 'Cancel this order…']);
    await visit.orderSays('Paid: it is yours.');

    await visit.button('Next parcel…').click();
    await visit.page.getByLabel('Ship: Blue mug').fill('1');
    await visit.page.getByLabel('Carrier').fill('DHL');
    await visit.page.getByLabel('Tracking number').fill('JD0146');
    await visit.decide('Ship 1 unit', '1 unit shipped.');
    await visit.panel('desk').locator('[data-parcel]').getByText('DHL, JD0146').waitFor();
    await visit.numbers({ total: 9, available: 7, allocated: 2 });
    await visit.orderSays('A part of it has left the warehouse.');
    await visit.order(number).getByText('1 of 3 units shipped.').waitFor();

    await visit.button('Refund…').click();
    await visit.page.getByLabel(/^Amount in EUR/).fill('12');
    await visit.page.getByLabel('Back: Blue mug').fill('1');
    await visit.decide('Refund €12.00', '€12.00 refunded, 1 unit back in stock.');
    await visit.payment().locator('[data-refund="SUCCEEDED"]').getByText('€12.00 was sent back.').waitFor();
    await visit.numbers({ total: 9, available: 8, allocated: 1 });
    await visit.orderSays('A part of your money was sent back.');

    await visit.button('Cancel the rest…').click();
    await visit.panel('desk').getByText('What was shipped stays shipped').waitFor();
    await visit.decide('Yes, cancel the rest', 'Cancelled: what was not shipped is free again.');
    await visit.numbers({ total: 9, available: 9, allocated: 0 });
    await visit.panel('desk').locator('[data-item]').getByText('3 ordered · 1 shipped · 2 cancelled').waitFor();
    assert.deepEqual(await visit.offers(), ['Refund…'], 'money is a matter of its own');
    await visit.orderSays('This order is cancelled. What was not shipped is free again.');
    await visit.screenshot('desk', true);
    await visit.close();
  });

  test('voids authorized money: the units are free, and the order can be paid again', async () => {
    const [visit, number] = await atDesk(GREEN_MUG, 2, 'Reserves it');
    await visit.choose(GREEN_MUG);
    await visit.numbers({ available: 22, allocated: 2 });
    await visit.button('Void…').click();
    await visit.panel('desk').getByText('the order can be paid again').waitFor();
    await visit.decide('Yes, void it', 'Voided: no money is taken');
    await visit.numbers({ available: 24, allocated: 0 });
    await visit.payment('VOIDED').waitFor();
    assert.deepEqual(await visit.offers(), ['Record €24.00 in cash', 'Cancel this order…']);
    await visit.orderSays('Nothing is kept for you yet');
    await visit.decide('Record €24.00 in cash', '€24.00 recorded as taken.');
    await visit.orderSays('Paid: it is yours.');
    await visit.order(number).waitFor();

    await visit.payment('SUCCEEDED').getByRole('button', { name: 'Refund…' }).click();
    await visit.panel('desk').getByText('This only notes it: hand the money back yourself.').waitFor();
    await visit.decide('Refund €24.00', 'Hand the money back');
    await visit.order(number).getByText('Refunded: nothing is shipped any more.').waitFor();
    await visit.close();
  });

  test('does nothing that was undone, and nothing twice', async () => {
    const [visit, number] = await atDesk(TEA, 1, 'Succeeds');
    const sent = [];
    visit.page.on('request', (one) => one.postData()?.includes('refundPayment') && sent.push(one));
    await visit.button('Refund…').click();
    await visit.button('Refund €8.90').dblclick();
    await visit.panel('desk').getByText('About to be done.').waitFor();
    // Neither is it shipped meanwhile.
    assert.equal(await visit.button(`Ship ${number}`).getAttribute('aria-disabled'), 'true');
    await visit.passRepeat();
    await visit.button(`Undo refunding ${number}`).click();
    await visit.panel('desk').getByText('Undone: nothing was changed.').waitFor();
    await visit.passUndo();
    assert.deepEqual(sent, []);

    await visit.button('Refund…').click();
    await visit.decide('Refund €8.90', '€8.90 refunded.');
    assert.equal(sent.length, 1);
    await visit.close();
  });

  test('shows a refund that fails as due, and lets it be tried again', async () => {
    const [visit] = await atDesk(HONEY, 1, 'Refund fails');
    await visit.button('Refund…').click();
    await visit.decide('Refund €9.50', 'the money is still due, and no stock came back');
    await visit.payment('SUCCEEDED').locator('[data-refund="FAILED"]').getByText('failed and is still due').waitFor();
    await visit.payment().getByText('Captured €9.50, refunded €0.00.').waitFor();
    assert.deepEqual(await visit.offers(), ['Refund…', 'Next parcel…', 'Cancel this order…']);
    await visit.close();
  });

  test('closes a form that is for nothing any more, and says what another did', async () => {
    const [visit, number] = await atDesk(MINT, 2, 'Succeeds');
    await visit.button('Next parcel…').click();
    await visit.page.getByLabel('Ship: Peppermint, 100 g').waitFor();
    const { orders } = await shop.request(`{ orders(first: 1) { nodes { id number } } }`);
    assert.equal(orders.nodes[0].number, number);
    await shipOrder(shop, orders.nodes[0]);
    await visit.panel('desk').locator('[data-parcel]').getByText('2 × Peppermint, 100 g').waitFor();
    await visit.page.getByLabel('Ship: Peppermint, 100 g').waitFor({ state: 'detached' });
    assert.deepEqual(await visit.offers(), ['Refund…'], 'what was shipped whole is not cancelled');

    // Shipped units come back with a refund.
    const before = await totalOf(shop, MINT);
    await visit.button('Refund…').click();
    await visit.page.getByLabel('Back: Peppermint, 100 g').fill('2');
    await visit.decide('Refund €9.00', '€9.00 refunded, 2 units back in stock.');
    await visit.panel('desk').locator('[data-item]').getByText('2 shipped · 2 came back').waitFor();
    assert.equal(await totalOf(shop, MINT), before + 2);
    await visit.close();
  });

  test('has every order, also one that waits for nothing any more', async () => {
    const order = await placeOrder(shop, COFFEE);
    await shipOrder(shop, order);
    const visit = await openDemo(browser, shop);
    const choice = visit.page.getByRole('combobox', { name: 'Order' });
    await choice.locator('option', { hasText: order.number }).waitFor({ state: 'attached' });
    await choice.selectOption(order.id);
    await visit.payment('SUCCEEDED').getByText('by manual').waitFor();
    await visit.panel('desk').locator('.pill', { hasText: 'paid, shipped' }).waitFor();
    assert.equal((await orderState(shop, order)).shipping, 'FULFILLED');
    await visit.close();
  });

  for (const [size, theme] of [[undefined, 'dark'], [NARROW, 'light'], [[320, 640], 'dark']]) {
    test(`leaves nobody out, ${size?.[0] ?? 'wide'} and ${theme}`, async () => {
      const order = await placeOrder(shop, TOWELS, { quantity: 2, name: 'Wolfeschlegelsteinhausenbergerdorff'.repeat(5) });
      const visit = await openDemo(browser, shop, { ...(size && { size }), theme, reducedMotion: 'reduce' });
      if (size) await visit.tab(/Back office/);
      await visit.button(`Details of ${order.number}`).click();
      for (const form of ['Next parcel…', 'Refund…', 'Cancel this order…']) {
        await visit.button(form).click();
        assert.deepEqual(await visit.violations(), [], form);
        assert.deepEqual(await visit.outside(), [], form);
        const focused = await visit.page.evaluate(() => Boolean(document.activeElement.closest('.desk-form, .sure')));
        assert.ok(focused, `${form}: the focus is where one goes on`);
      }
      await visit.close();
    });
  }

  test('forces a payment whose provider is gone only when it is asked to', async () => {
    const [visit] = await atDesk(TEAPOT, 1, 'Never answers');
    assert.deepEqual(await visit.offers(), ['Give it up…']);
    await visit.button('Give it up…').click();
    await visit.panel('desk').getByText('Money that it takes all the same is refunded.').waitFor();
    await visit.decide('Yes, give it up', 'Voided: no money is taken');
    await visit.payment('VOIDED').waitFor();
    await visit.close();
  });
});
