// What the GraphiQL page says in words: what to run first, that the server is away, that a proxy is in the way, and what
// stands there before the editor has come.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { BLUE_MUG } from '../../web/graphiql/src/demo-ids.js';
import { openShop, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openPage } from './support/page.mjs';
import { openProxy } from './support/proxy.mjs';

/** A token of staff that has expired. */
function expired({ ONHAND_SECRET, ONHAND_ISSUER, ONHAND_AUDIENCE }) {
  const now = Math.floor(Date.now() / 1_000);
  const times = { iat: now - 7_200, exp: now - 3_600 };
  const claims = { sub: 'ann', role: 'staff', iss: ONHAND_ISSUER, aud: ONHAND_AUDIENCE, ...times };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', ONHAND_SECRET).update(signed).digest('base64url')}`;
}

describe('the GraphiQL page says', () => {
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

  test('what has to be run first, and sends nothing before', async () => {
    const visit = await openPage(browser, { server: shop.url });
    const sent = [];
    visit.page.on('request', (one) => one.method() === 'POST' && sent.push(one.postDataJSON().operationName));
    const runs = async (name, words) => {
      await visit.openTab(name);
      await visit.pressRun();
      await visit.answer(words);
    };
    await runs('CheckOut', /There is no cart yet\. Run Cart first/);
    for (const name of ['Pay', 'Ship', 'FollowOrder']) {
      await runs(name, /There is no order yet\. Run Cart and then CheckOut first/);
    }
    await runs('Authorize', /There is no order yet\. Run Cart and then CheckOut first/);
    await runs('Capture', /There is no payment yet\. Run SecondCart, Hold and then Authorize first/);
    await runs('RepeatDelivery', /There is no delivery yet\. Run Deliveries first/);
    await visit.screenshot('out-of-order');
    assert.deepEqual(sent, []);

    await visit.openTab('Cart');
    await visit.run();
    await runs('Pay', /There is no order yet\. Run CheckOut first/);
    await visit.openTab('CheckOut');
    await visit.run();
    await runs('Ship', /The order is not paid\./);
    await visit.openTab('CheckOut');
    const { data } = await visit.run();
    assert.deepEqual(data.checkOut.userErrors.map(({ message }) => message), ['The cart is checked out already.']);
    await visit.openTab('Pay');
    await visit.run();
    await runs('Pay', /The order is paid already\./);
    assert.deepEqual(sent.filter((name) => name === 'FollowOrder'), []);
    await visit.close();
  });

  test('what to run first where the ids are of another database, and forgets them', async () => {
    const visit = await openPage(browser, { server: shop.url });
    const runs = async (name, words) => {
      await visit.openTab(name);
      await visit.pressRun();
      await visit.answer(words);
    };
    const other = await openShop();
    // What is sent to the shop by its address is answered by the other one.
    let api = shop.url;
    await visit.page.route('**/graphql', async (route) => {
      route.fulfill({ response: await route.fetch({ url: `${api}/graphql` }) });
    });
    await visit.openTab('Cart');
    await visit.run();
    await visit.openTab('CheckOut');
    await visit.run();
    api = other.url;
    await runs('Pay', /The server does not know the id that was sent\. There is no order yet\. Run Cart and then CheckOut first/);
    await visit.variables(/comes from CheckOut/);
    await runs('CheckOut', /There is no cart yet\. Run Cart first/);
    await visit.openTab('Cart');
    await visit.run();
    await visit.openTab('CheckOut');
    const { data } = await visit.run();
    assert.deepEqual(data.checkOut.userErrors, []);
    await runs('Pay', /"payment": "PAID"/);
    // By websocket it is the first shop that is asked.
    await runs('FollowOrder', /The server does not know the id that was sent\. There is no order yet/);
    await visit.context.close();
    await other.close();
  });

  test('which name was meant', async () => {
    const visit = await openPage(browser, { server: shop.url });
    await visit.openTab('Browse');
    await visit.page.locator('.graphiql-query-editor .view-lines').click();
    await visit.page.keyboard.press('ControlOrMeta+A');
    await visit.page.keyboard.insertText('query Browse { products { nodes { avialability } } }');
    await visit.pressRun();
    await visit.answer(/does not have a field `avialability`\. Did you mean `availability`\?/);
    await visit.context.close();
  });

  test('that the server is away, and goes on with a subscription when it is back', async () => {
    const visit = await openPage(browser, { server: shop.url });
    await setStock(shop, BLUE_MUG, 31);
    await visit.openTab('Watch');
    await visit.pressRun();
    await visit.answer(/"total": 31,/);
    await shop.stop('SIGKILL');
    await visit.answer(/The connection to the server is lost\. This goes on by itself when it is back\./);
    await shop.start();
    await setStock(shop, BLUE_MUG, 32);
    await visit.answer(/"total": 32,/);
    await visit.pressStop();

    await shop.stop();
    await visit.openTab('Browse');
    await visit.pressRun();
    await visit.answer(/The server at http:\/\/127\.0\.0\.1:\d+\/graphql does not answer\. Is it running\?/);
    await visit.screenshot('server-away');
    await visit.openTab('Watch');
    await visit.pressRun();
    await visit.answer(/does not answer\. Is it running\? This begins by itself when it does\./);
    await shop.start();
    await visit.answer(/"total": 32,/);
    // The browser's own complaints about connections that were refused are none of the page's.
    await visit.context.close();
  });

  test('that a proxy answers instead of the server, or does not let websockets through', async (t) => {
    const proxy = await openProxy(shop.url, { prefix: '/stock', upgrade: '400' });
    t.after(() => proxy.close());
    const visit = await openPage(browser, { server: `${proxy.url}/`, path: '' });
    await visit.openTab('Watch');
    await visit.pressRun();
    await visit.answer(/The server answers, but the websocket to ws:.* was refused/);
    await visit.pressStop();
    await shop.stop();
    await visit.openTab('Browse');
    await visit.pressRun();
    await visit.answer(/answered 502 Bad Gateway, and not as GraphQL does/);
    await shop.start();
    await visit.context.close();
  });

  test('that a token is not good', async () => {
    const keys = {
      ONHAND_SECRET: 'a secret of these tests, 32 bytes or longer',
      ONHAND_ISSUER: 'https://login.example',
      ONHAND_AUDIENCE: 'onhand',
    };
    const guarded = await openShop({ ...keys, ONHAND_EXPLORE: 'true', ONHAND_DEMO: 'true' });
    const visit = await openPage(browser, { server: guarded.url });
    await visit.openTab('Browse');
    await visit.openHeaders();
    await visit.write({ Authorization: 'Bearer nonsense' });
    await visit.pressRun();
    await visit.answer(/"UNAUTHENTICATED".*token|token.*"UNAUTHENTICATED"/);
    await visit.screenshot('bad-token');
    // One that was good once: signed as it should be, and too old.
    await visit.write({ Authorization: `Bearer ${expired(keys)}` });
    await visit.openTab('Log');
    await visit.pressRun();
    await visit.answer(/"UNAUTHENTICATED".*token|token.*"UNAUTHENTICATED"/);
    await visit.context.close();
    await guarded.close();
  });

  test('everything as it does at the root, under a path of a proxy', async (t) => {
    const proxy = await openProxy(shop.url, { prefix: '/stock' });
    t.after(() => proxy.close());
    const visit = await openPage(browser, { server: `${proxy.url}/`, path: '?tab=cart' });
    await visit.run();
    await visit.openTab('CheckOut');
    assert.deepEqual((await visit.run()).data.checkOut.userErrors, []);
    await setStock(shop, BLUE_MUG, 41);
    await visit.stockBecomes(BLUE_MUG, { total: 41 });
    await visit.openTab('Watch');
    await visit.pressRun();
    await visit.answer(/"total": 41,/);
    await visit.pressStop();
    const link = visit.page.getByRole('link', { name: 'Demo shop' });
    assert.equal(await link.evaluate((one) => one.href), `${proxy.url}/demo`);
    await visit.close();
  });

  for (const [size, theme] of [[[1400, 900], 'light'], [[390, 844], 'dark']]) {
    test(`that the editor is loading, at ${size[0]} and ${theme}`, async () => {
      const viewport = { width: size[0], height: size[1] };
      const context = await browser.newContext({ viewport, colorScheme: theme });
      const page = await context.newPage();
      let serve;
      const served = new Promise((resolve) => (serve = resolve));
      await page.route('**/assets/**', async (route) => {
        await served;
        await route.continue();
      });
      await page.goto(shop.url, { waitUntil: 'commit' });
      // Painted while nothing but the page itself has come.
      await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
      await page.getByText('the editor is loading').waitFor();
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/skeleton-${size[0]}-${theme}.png` });
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
      serve();
      await page.locator('.graphiql-query-editor .view-line').first().waitFor();
      assert.equal(await page.getByText('the editor is loading').count(), 0);
      await context.close();
    });
  }

  test('that the editor did not come', async () => {
    const page = await (await browser.newContext()).newPage();
    // As when the server stops while the page is loading.
    await page.route('**/assets/monaco-editor-*.js', (route) => route.abort());
    await page.goto(shop.url);
    await page.getByRole('alert').getByText('A part of this page did not come from the server.').waitFor();
    await page.context().close();
  });

  test('that it needs JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(shop.url);
    const words = page.locator('noscript p');
    assert.match(await words.innerText(), /^This page needs JavaScript\./);
    assert.ok(await words.isVisible());
    assert.ok((await words.boundingBox()).y < 100);
    assert.ok(!(await page.locator('.skeleton').isVisible()));
    await context.close();
  });
});
