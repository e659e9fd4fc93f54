// The GraphiQL page as a newcomer uses it: a product's whole life, while the live strip shows its stock move.
//
//   ONHAND_URL=http://127.0.0.1:8000 npm test
//
// The server must run in development with the demo catalogue. CHROMIUM names the browser, SHOTS a directory
// for screenshots.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { buildClientSchema, getIntrospectionQuery, parse, validate } from 'graphql';
import { BLUE_MUG, DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { adjustStock, request, watchStock } from './support/api.mjs';
import { launch } from './support/browser.mjs';
import { Line, openPage } from './support/page.mjs';

const ORDER = ['Browse', 'Cart', 'CheckOut', 'Pay', 'Ship', 'FollowOrder'];
const PARTS = ['SecondCart', 'Hold', 'Demand', 'Authorize', 'ShipPart', 'Capture', 'Refund', 'CancelRest'];
const WEBHOOK = ['Deliveries', 'RepeatDelivery'];
const STOCK = ['Watch', 'Availability', 'Log', 'LogTail', 'DryRun', 'AdjustStock'];
const EXAMPLES = [...ORDER, 'CreateWebhook', ...PARTS, ...WEBHOOK, ...STOCK];
const RED_MUG = DEMO_PRODUCTS[1];

describe('the GraphiQL page', () => {
  let browser;
  before(async () => {
    browser = await launch();
    // However often this ran before, there is something to buy.
    await adjustStock(BLUE_MUG, 'INCREMENT', 5);
  });
  after(() => browser?.close());

  test('opens with examples that are valid for this server', async () => {
    const visit = await openPage(browser);
    assert.deepEqual(await visit.tabs(), EXAMPLES);

    const schema = buildClientSchema(await request(getIntrospectionQuery()));
    for (const { title, query } of await visit.storedTabs()) {
      assert.deepEqual(validate(schema, parse(query)), [], title);
    }
    await visit.close();
  });

  test('shows the products', async () => {
    const visit = await openPage(browser);
    const { data } = await visit.run();
    const mug = data.products.nodes.find(({ id }) => id === BLUE_MUG);
    assert.equal(mug.sku, 'MUG-BLUE');
    await visit.answer(/"sku": "/);
    await visit.close();
  });

  test('takes two mugs from the cart to the door while the live strip shows the stock move', async (t) => {
    const visit = await openPage(browser);
    const somebody = watchStock(BLUE_MUG);
    t.after(somebody.stop);
    const atFirst = await visit.stock(BLUE_MUG);

    await visit.openTab('Cart');
    const { data: first } = await visit.run();
    const { cart } = first.createCart;
    assert.deepEqual(first.createCart.userErrors, []);
    assert.equal(cart.items[0].quantity, 2);

    await visit.openTab('CheckOut');
    await visit.variables(new RegExp(`"cartId": "${cart.id}"`));
    const { data: second, variables: checkedOut } = await visit.run();
    const { order } = second.checkOut;
    assert.deepEqual(checkedOut, { cartId: cart.id });
    assert.deepEqual(second.checkOut.userErrors, []);
    assert.equal(order.payment, 'UNPAID');
    // A cart and an unpaid order hold nothing.
    assert.deepEqual(await visit.stock(BLUE_MUG), atFirst);

    await visit.openTab('Pay');
    await visit.variables(new RegExp(`"orderId": "${order.id}"`));
    const { data: third, variables: paid } = await visit.run();
    assert.deepEqual(paid, { orderId: order.id, gateway: 'manual' });
    assert.deepEqual(third.payOrder.userErrors, []);
    assert.equal(third.payOrder.order.payment, 'PAID');
    await visit.answer(/"status": "SUCCEEDED"/);
    await visit.stockBecomes(BLUE_MUG, {
      total: atFirst.total,
      available: atFirst.available - 2,
      allocated: atFirst.allocated + 2,
    });
    await visit.screenshot('paid');

    await visit.openTab('Ship');
    await visit.variables(new RegExp(`"orderId": "${order.id}"`));
    const { data: fourth } = await visit.run();
    assert.deepEqual(fourth.shipOrder.userErrors, []);
    assert.equal(fourth.shipOrder.order.shipping, 'FULFILLED');
    await visit.answer(/"shipping": "FULFILLED"/);
    await visit.stockBecomes(BLUE_MUG, {
      total: atFirst.total - 2,
      available: atFirst.available - 2,
      allocated: atFirst.allocated,
    });
    const atLast = await visit.stock(BLUE_MUG);
    assert.ok(atLast.version > atFirst.version);
    assert.deepEqual(await somebody.reaches(atLast.version), atLast);

    await visit.openTab('Log');
    const { data: log } = await visit.run();
    const ofOrder = log.stockTransactions.nodes.filter((row) => row.order?.number === order.number);
    assert.deepEqual(ofOrder.map(({ action }) => action), ['SHIP', 'ALLOCATE']);

    await visit.openTab('AdjustStock');
    const { data: adjusted } = await visit.run();
    assert.deepEqual(adjusted.adjustStock.userErrors, []);
    await visit.stockBecomes(BLUE_MUG, { total: atLast.total + 5, available: atLast.available + 5 });

    await visit.close();
  });

  test('takes three mugs from a hold to a parcel, a refund and the end, and each id goes to the next tab', async () => {
    const visit = await openPage(browser);
    const atFirst = await visit.stock(BLUE_MUG);
    const opens = async (name, id) => {
      await visit.openTab(name);
      if (id) await visit.variables(new RegExp(id));
      const { data } = await visit.run();
      const [[, payload]] = Object.entries(data);
      assert.deepEqual(payload.userErrors ?? [], [], name);
      return payload;
    };
    const moved = (total, available) =>
      visit.stockBecomes(BLUE_MUG, {
        total: atFirst.total + total,
        available: atFirst.available + available,
        allocated: atFirst.allocated + total - available,
      });
    const { cart } = await opens('SecondCart');
    const { order } = await opens('Hold', cart.id);
    assert.ok(Date.parse(order.heldUntil) > Date.now(), 'it is held for a while');
    await moved(0, -3);

    const stock = await opens('Demand', BLUE_MUG);
    const { quantity, expiresAt } = stock.allocations.nodes.find((one) => one.order.number === order.number);
    assert.deepEqual({ quantity, expiresAt }, { quantity: 3, expiresAt: order.heldUntil });
    assert.ok(stock.held >= 3 && stock.demand.inUnpaidOrders >= 3);
    assert.equal(stock.asOf.total, atFirst.total);
    await visit.screenshot('demand');

    const { payment } = await opens('Authorize', order.id);
    assert.equal(payment.status, 'AUTHORIZED');
    await moved(0, -3);
    const { order: shipped } = await opens('ShipPart', order.items[0].id);
    assert.equal(shipped.shipping, 'PARTIALLY_FULFILLED');
    await moved(-1, -3);
    assert.equal((await opens('Capture', payment.id)).order.payment, 'PAID');
    const refunded = await opens('Refund', payment.id);
    assert.equal(refunded.order.payment, 'PARTIALLY_REFUNDED');
    assert.deepEqual(refunded.payment.refunds.map(({ status }) => status), ['SUCCEEDED']);
    await moved(-1, -2);
    assert.equal((await opens('CancelRest', order.id)).order.status, 'CANCELLED');
    await moved(-1, -1);
    await visit.screenshot('cancelled');
    await visit.close();
  });

  test('shows a declined payment, after which the order can be paid', async () => {
    const visit = await openPage(browser);
    const atFirst = await visit.stock(BLUE_MUG);
    await visit.openTab('Cart');
    await visit.run();
    await visit.openTab('CheckOut');
    const { data } = await visit.run();
    await visit.openTab('Pay');
    const orderId = data.checkOut.order.id;
    await visit.variables(new RegExp(orderId));
    await visit.write({ orderId, gateway: 'sandbox', token: 'decline' });
    const { data: declined } = await visit.run();
    assert.deepEqual(declined.payOrder.userErrors.map(({ code }) => code), ['PAYMENT_DECLINED']);

    await visit.write({ orderId, gateway: 'manual' });
    const { data: paid } = await visit.run();
    assert.equal(paid.payOrder.order.payment, 'PAID');
    await visit.stockBecomes(BLUE_MUG, { available: atFirst.available - 2 });
    await visit.close();
  });

  test('watches, pauses under another tab and goes on', async () => {
    const visit = await openPage(browser, { path: '/?tab=watch' });
    assert.equal(await visit.tab('Watch').getAttribute('aria-selected'), 'true');
    const { available } = await visit.stock(BLUE_MUG);

    await visit.pressRun();
    await visit.answer(new RegExp(`"available": ${available},`));
    await adjustStock(BLUE_MUG, 'INCREMENT', 1);
    await visit.answer(new RegExp(`"available": ${available + 1},`));

    await visit.openTab('Browse');
    await visit.page.getByRole('button', { name: 'Execute query' }).waitFor();
    await adjustStock(BLUE_MUG, 'INCREMENT', 1);
    await visit.stockBecomes(BLUE_MUG, { available: available + 2 });

    await visit.openTab('Watch');
    await visit.answer(new RegExp(`"available": ${available + 2},`));
    await visit.screenshot('watch');

    // A subscription that was stopped by hand stays stopped.
    await visit.pressStop();
    await visit.openTab('Browse');
    await visit.openTab('Watch');
    await visit.page.getByRole('button', { name: 'Execute query' }).waitFor();
    await visit.close();
  });

  test('shows another product in the live strip once it moves', async () => {
    const visit = await openPage(browser);
    await visit.stock(BLUE_MUG);
    assert.equal(await visit.page.locator('.live-stock li').count(), 1);
    await adjustStock(RED_MUG, 'INCREMENT', 1);
    await visit.stock(RED_MUG);
    await visit.close();
  });

  test('keeps its tabs in reach when the operation is scrolled', async () => {
    const visit = await openPage(browser, { path: '/?tab=pay' });
    await visit.page.locator('.graphiql-query-editor .view-lines').click();
    await visit.page.keyboard.press('ControlOrMeta+End');
    await visit.openTab('Browse');
    await visit.close();
  });

  test('shows the tab that the address asks for, on a narrow screen too', async () => {
    const size = [420, 900];
    const visit = await openPage(browser, { path: '/?tab=adjust-stock', size });
    const { x, width } = await visit.tab('AdjustStock').boundingBox();
    assert.ok(x >= 0 && x + width <= size[0], `from ${x}, ${width} wide`);
    await visit.close();
  });

  test('says when it is not connected, and catches up', async () => {
    const line = new Line();
    const visit = await openPage(browser, { line });
    const { available } = await visit.stock(BLUE_MUG);
    await line.cut();
    await visit.page.getByText('not connected, trying again').waitFor();
    await visit.screenshot('not-connected');
    await adjustStock(BLUE_MUG, 'INCREMENT', 1);
    line.mend();
    await visit.stockBecomes(BLUE_MUG, { available: available + 1 });
    await visit.page.locator('.live-stock-connection', { hasText: /^live$/ }).waitFor();
    await visit.close();
  });

  test('keeps what a visitor made of the tabs', async () => {
    const visit = await openPage(browser);
    await visit.openTab('Cart');
    const { data } = await visit.run();
    await visit.write({ items: [{ productId: BLUE_MUG, quantity: 1 }] });
    await visit.storedTabs({ variables: '"quantity":1' });
    await visit.closeTab('Log');
    await visit.storedTabs({ closed: 'Log' });

    const again = await openPage(browser, { context: visit.context });
    assert.deepEqual(await again.tabs(), EXAMPLES.filter((name) => name !== 'Log'));
    await again.openTab('Cart');
    await again.variables(/"quantity":1\}/);
    await again.openTab('CheckOut');
    await again.variables(new RegExp(data.createCart.cart.id));

    const third = await openPage(browser, { context: visit.context, path: '/?tab=log' });
    assert.equal(await third.tab('Log').getAttribute('aria-selected'), 'true');
    await third.close();
  });

  test('opens with the examples when what the browser kept is broken', async () => {
    const visit = await openPage(browser);
    await visit.page.evaluate(() => {
      localStorage.setItem('onhand:graphiql:tabState', '{"tabs": [{"id": 1}], "activeTabIndex": "x"}');
      localStorage.setItem('onhand:examples', '[');
      localStorage.setItem('onhand:carried', '{"cartId": 5}');
    });
    await visit.page.goto('about:blank');
    const again = await openPage(browser, { context: visit.context });
    assert.deepEqual(await again.tabs(), EXAMPLES);
    await again.close();
  });

  for (const [shape, size] of [['wide', [1400, 900]], ['narrow', [420, 900]]]) {
    for (const theme of ['light', 'dark']) {
      test(`fits a ${shape} screen, ${theme}`, async () => {
        const visit = await openPage(browser, { size, theme });
        await visit.stock(BLUE_MUG);
        await visit.run();
        await visit.answer(/"sku": "/);
        await visit.screenshot(`browse-${shape}-${theme}`);
        await visit.openTab('Pay');
        await visit.screenshot(`pay-${shape}-${theme}`);
        await visit.page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
        await visit.page.getByText('Root Types').waitFor();
        await visit.screenshot(`docs-${shape}-${theme}`);
        const overflow = await visit.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `wider than the screen by ${overflow} pixels`);
        await visit.close();
      });
    }
  }
});
