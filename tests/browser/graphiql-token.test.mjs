// The GraphiQL page of a server in production, where nobody is anybody without a token: it goes along with queries and
// with subscriptions, and stays in the open page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { BLUE_MUG } from '../../web/graphiql/src/demo-ids.js';
import { openShop } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openPage } from './support/page.mjs';

const KEYS = {
  ONHAND_SECRET: 'a secret of these tests, 32 bytes or longer',
  ONHAND_ISSUER: 'https://login.example',
  ONHAND_AUDIENCE: 'onhand',
};

describe('the GraphiQL page in production', () => {
  let browser;
  let shop;
  before(async () => {
    shop = await openShop({ ...KEYS, ONHAND_EXPLORE: 'true', ONHAND_DEMO: 'true' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('sends the token in its headers with every tab, and keeps it nowhere', async () => {
    const visit = await openPage(browser, { server: shop.url });
    await visit.openTab('Log');
    assert.notEqual((await visit.run()).errors, undefined, 'the log is for staff');

    const authorization = `Bearer ${token('staff')}`;
    await visit.openHeaders();
    await visit.write({ Authorization: authorization });
    const { data, errors } = await visit.run();
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.equal(data.stockTransactions.nodes[0].action, 'CREATE');

    // Pasted once, it is in the other tabs as well.
    await visit.openTab('AdjustStock');
    assert.equal((await visit.run()).data.adjustStock.stocks.length, 1);
    await visit.openTab('Browse');
    await visit.openTab('Log');
    assert.equal((await visit.run()).errors, undefined);

    const kept = await visit.page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
    assert.match(kept, /query Log/, 'the history has what was run');
    assert.ok(!kept.includes(authorization.split('.')[2]), 'and not the token');
    await visit.close();
  });

  test('sends the token with subscriptions, over a websocket of their own', async () => {
    const visit = await openPage(browser, { server: shop.url });
    const inits = [];
    visit.page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        const message = JSON.parse(payload);
        if (message.type === 'connection_init') inits.push(message.payload);
      }),
    );
    await visit.openTab('LogTail');
    await visit.pressRun();
    await visit.answer(/"code": "(FORBIDDEN|UNAUTHENTICATED)"/);

    const authorization = `Bearer ${token('staff')}`;
    await visit.openHeaders();
    await visit.write({ Authorization: authorization });
    await visit.pressRun();
    let isShown = false;
    const shown = visit.answer(/"action": "INCREMENT"/).then(() => (isShown = true));
    // Nothing tells when a tail has begun, so there is something to hear of until it has.
    while (!isShown) {
      await receive(authorization);
      await Promise.race([shown, visit.page.waitForTimeout(100)]);
    }
    assert.deepEqual(inits, [{ Authorization: authorization }]);
    await visit.screenshot('token');
    await visit.close();
  });

  test('says that a token is not good', async () => {
    const visit = await openPage(browser, { server: shop.url });
    await visit.openTab('LogTail');
    await visit.openHeaders();
    await visit.write({ Authorization: 'Bearer nonsense' });
    await visit.pressRun();
    await visit.answer(/The token is not good/);
    await visit.close();
  });

  async function receive(authorization) {
    const { adjustStock } = await shop.request(
      `mutation ($input: AdjustStockInput!) { adjustStock(input: $input) { userErrors { message } } }`,
      { input: { changes: [{ productId: BLUE_MUG, action: 'INCREMENT', quantity: 1 }], reason: 'RECEIVED' } },
      { authorization },
    );
    assert.deepEqual(adjustStock.userErrors, []);
  }
});

function token(role) {
  const flags = ['token', '--role', role, '--sub', 'ann'];
  return execFileSync(process.env.ONHAND_BINARY, flags, { env: KEYS, encoding: 'utf8' }).trim();
}
