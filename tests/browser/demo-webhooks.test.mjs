// Webhooks in the back office of the demo shop: an address is registered, its deliveries are seen as they fare, and one is
// sent again.
//
//   ONHAND_BINARY=target/debug/onhand node --test demo-webhooks.test.mjs
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { DEMO_PRODUCTS } from '../../web/graphiql/src/demo-ids.js';
import { launch } from './support/browser.mjs';
import { openShop } from './support/badge-shop.mjs';
import { NARROW, openDemo } from './support/demo-page.mjs';
import { placeOrder, shipOrder } from './support/shop-stock.mjs';

const [, , , TEA] = DEMO_PRODUCTS;

/** Another system, which answers with `status` and keeps what it was sent. */
async function openReceiver() {
  const receiver = { status: 200, requests: [] };
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    receiver.requests.push({ body, signature: request.headers['onhand-signature'] });
    response.writeHead(receiver.status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  receiver.url = `http://127.0.0.1:${server.address().port}/hooks`;
  receiver.close = () => {
    server.close();
    server.closeAllConnections();
  };
  return receiver;
}

function isSigned({ body, signature }, secret) {
  const [, time, code] = /^t=(\d+),v1=([0-9a-f]+)$/.exec(signature);
  return createHmac('sha256', secret).update(`${time}.${body}`).digest('hex') === code;
}

describe('webhooks in the demo shop', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  async function register(visit, url, events = []) {
    const panel = visit.panel('webhooks');
    if (!(await panel.getByLabel(/^Address/).isVisible())) await panel.getByText('Register an address').click();
    await panel.getByLabel(/^Address/).fill(url);
    for (const event of events) await panel.getByLabel(event).check();
    await panel.getByRole('button', { name: 'Register' }).click();
  }

  test('are registered, seen as they fare, and sent again', async (t) => {
    const receiver = await openReceiver();
    t.after(receiver.close);
    // A pause that nobody waits for: what is sent again is sent because it was asked for.
    const shop = await openShop({ ONHAND_WEBHOOK_PRIVATE_NETWORKS: 'true', ONHAND_WEBHOOK_RETRY: '10m' });
    t.after(() => shop.close());
    const visit = await openDemo(browser, shop, { reducedMotion: 'reduce' });
    const panel = visit.panel('webhooks');
    await panel.getByText('No address is registered: nobody outside is told anything.').waitFor();
    await register(visit, receiver.url, ['stock changed']);
    const hook = panel.locator(`[data-webhook="${receiver.url}"]`);
    await hook.getByText('order paid, order shipped, order cancelled, stock changed').waitFor();
    const secret = await panel.locator('.secret code').innerText();
    await panel.getByRole('button', { name: 'I have it' }).click();
    await panel.locator('.secret').waitFor({ state: 'detached' });

    receiver.status = 503;
    const order = await placeOrder(shop, TEA);
    const paid = hook.locator('[data-delivery]').filter({ hasText: 'order paid' });
    await paid.getByText('1 attempt, ').waitFor();
    assert.match(await paid.innerText(), /waits[^]*503/);
    await hook.getByText('fails', { exact: true }).waitFor();
    await hook.getByText('Nothing was accepted since').waitFor();
    assert.deepEqual(await visit.violations(), []);
    await visit.screenshot('webhook-fails', true);

    receiver.status = 204;
    await paid.getByRole('button', { name: /^Send again: order paid/ }).click();
    await panel.getByText('It is sent again, under the same id.').waitFor();
    await paid.getByText('delivered').waitFor();
    await paid.getByText('2 attempts, answered 204').waitFor();
    await hook.getByText('works', { exact: true }).waitFor();
    const ids = receiver.requests.map(({ body }) => JSON.parse(body)).filter(({ type }) => type === 'order.paid').map(({ id }) => id);
    assert.deepEqual(ids, [ids[0], ids[0]], 'it is the same, however often it is sent');
    assert.ok(receiver.requests.every((one) => isSigned(one, secret)));

    await panel.getByRole('button', { name: `Switch off ${receiver.url}` }).click();
    await hook.getByText('switched off', { exact: true }).waitFor();
    assert.equal(await paid.getByRole('button').getAttribute('aria-disabled'), 'true');
    await shipOrder(shop, order);
    await panel.getByRole('button', { name: `Switch on ${receiver.url}` }).click();
    await hook.getByText('works', { exact: true }).waitFor();
    assert.equal(await hook.getByText('order shipped delivered').count(), 0, 'nothing was recorded meanwhile');
    await visit.holdClock();
    await hook.waitFor();
    await visit.stopClock();
    const remove = panel.getByRole('button', { name: `Delete ${receiver.url}` });
    await remove.click();
    await visit.passRepeat();
    await visit.button(`Undo deleting ${receiver.url}`).click();
    await panel.getByText('It is not deleted.').waitFor();
    await remove.click();
    await visit.passUndo();
    await visit.passUntil(panel.getByText('Deleted.', { exact: true }));
    await hook.waitFor({ state: 'detached' });
    await visit.close();
  });

  test('are refused with a reason in words', async (t) => {
    const shop = await openShop();
    t.after(() => shop.close());
    const visit = await openDemo(browser, shop, { size: NARROW, reducedMotion: 'reduce' });
    await visit.tab(/Back office/);
    const panel = visit.panel('webhooks');
    for (const [url, words] of [
      ['http://shop.example/hooks', 'The address of a webhook begins with https://.'],
      ['https://127.0.0.1/hooks', 'Webhooks are sent to public addresses only.'],
      ['hooks', 'This is no address. It looks like https://shop.example/hooks.'],
    ]) {
      await register(visit, url);
      await panel.getByText(words).waitFor();
    }
    for (const event of ['order paid', 'order shipped', 'order cancelled']) await panel.getByLabel(event).uncheck();
    await register(visit, 'https://shop.example/hooks');
    await panel.getByText('A webhook needs at least one event.').waitFor();
    assert.deepEqual(await visit.violations(), []);
    assert.deepEqual(await visit.outside(), []);
    await visit.close();
  });
});
