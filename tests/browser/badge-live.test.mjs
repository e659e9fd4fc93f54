// The stock badge on the pages of a shop at another origin: live, with the newest state, for those who may see it.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-live.test.mjs
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { BLUE_MUG } from '../../web/graphiql/src/demo-ids.js';
import { badge, openPage } from './support/badge-page.mjs';
import { buy, openShop, product, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { staffToken } from './support/token.mjs';

const SECRET = 'a secret for nothing but the tests';

describe('a stock badge', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  test('shows what is left when somebody else pays', async () => {
    const id = await product(shop, 8);
    const visit = await openPage(browser, shop, badge(id));
    await visit.shows(id, 'In stock');
    await buy(shop, id, 5);
    await visit.shows(id, 'Only 3 left');
    await buy(shop, id, 3);
    await visit.shows(id, 'Sold out');
    await setStock(shop, id, 8 + 20);
    await visit.shows(id, 'In stock');
    const states = await visit.heard('stock-change');
    assert.deepEqual(
      states.map(({ available }) => available),
      [8, 3, 0, 20],
    );
    assert.deepEqual(states[1], {
      type: 'stock-change',
      product: id,
      available: 3,
      availability: 'LOW_STOCK',
      version: states[1].version,
      live: true,
    });
    assert.deepEqual(visit.told, []);
    await visit.close();
  });

  test('is on the page of the README, and does what it says there', async () => {
    const section = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').split('\n## A live badge')[1];
    const [, page] = section.match(/```html\n([^]*?)```/);
    const visit = await openPage(browser, shop, '', { whole: page.replace('http://127.0.0.1:8000', shop.url) });
    await visit.shows(BLUE_MUG, 'In stock');
    await buy(shop, BLUE_MUG, 7);
    await visit.shows(BLUE_MUG, 'Only 3 left');
    await visit.close();
  });

  test('never goes back to a lower version', async () => {
    const id = await product(shop, 9);
    let send;
    const before = playServer({
      subscribe(socket, operation) {
        const stock = { id: id.replace('product', 'stock'), availability: 'LOW_STOCK' };
        send = (available, version) =>
          socket.send(
            JSON.stringify({
              type: 'next',
              id: operation,
              payload: { data: { stockChanged: { ...stock, available, version } } },
            }),
          );
        send(4, 7);
      },
    });
    const visit = await openPage(browser, shop, badge(id), { before });
    await visit.shows(id, 'Only 4 left');
    send(5, 6);
    send(3, 8);
    await visit.shows(id, 'Only 3 left');
    assert.deepEqual(
      (await visit.heard('stock-change')).map(({ version }) => version),
      [7, 8],
    );
    await visit.close();
  });

  test('does not spoil the others with an id that is none or that nobody has', async () => {
    const id = await product(shop, 9);
    const [nobodys, none] = ['product_7zzzzzzzzzzzzzzzzzzzzzzzzz', 'mug'];
    const visit = await openPage(browser, shop, [nobodys, none, id].map((one) => badge(one)).join(' '));
    await visit.shows(id, 'In stock');
    for (const one of [nobodys, none]) await visit.shows(one, 'Stock unknown', false);
    assert.deepEqual(visit.followed(), [[nobodys, id]]);
    await visit.close();
  });
});

describe('a stock badge of a private shop', () => {
  let browser;
  let shop;
  const settings = {
    ONHAND_SECRET: SECRET,
    ONHAND_ISSUER: 'tests',
    ONHAND_AUDIENCE: 'onhand',
    ONHAND_DEMO: 'true',
    ONHAND_PUBLIC_STOCK: 'capped:2',
  };
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop(settings)]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  const configure = (visit, options) =>
    visit.page.evaluate(
      async ([script, bearers]) => {
        const { configure } = await import(script);
        const next = async () => ({ Authorization: bearers.length > 1 ? bearers.shift() : bearers[0] });
        configure({ connectionParams: next });
      },
      [`${shop.url}/stock-badge.js`, options],
    );

  test('shows what the public may see, and with a token what its owner may', async () => {
    const visit = await openPage(browser, shop, badge(BLUE_MUG));
    await visit.shows(BLUE_MUG, 'In stock');
    const last = async () => (await visit.heard('stock-change')).at(-1).available;
    assert.equal(await last(), 2, 'the public sees no more');
    await configure(visit, [`Bearer ${staffToken(SECRET)}`]);
    await visit.until(async () => (await last()) === 10, 'what staff sees');
    assert.equal(visit.sockets.length, 2);
    await visit.close();
  });

  test('gets another token at once when one has ended', async () => {
    const inits = [];
    const before = playServer({
      connection_init: (_, __, payload) => inits.push(payload.Authorization),
      subscribe: (socket) => socket.close({ code: 4403 }),
    });
    const visit = await openPage(browser, shop, badge(BLUE_MUG), { before });
    await visit.until(() => inits.length > 0, 'an attempt');
    await visit.until(() => visit.told.length > 0, 'a message: no token is no good one');
    assert.match(visit.told[0], /wants a token, or does not take the one of connectionParams/);
    visit.told = [];
    await configure(visit, ['first', 'second']);
    await visit.until(() => inits.includes('second'), 'the other token');
    assert.deepEqual(visit.told, [], 'an end of a token is no fault');
    await visit.close();
  });

  test('does not press on with what the server has refused', async () => {
    let attempts = 0;
    const before = playServer({ connection_init: (socket) => (attempts += 1) && socket.close({ code: 4403 }) });
    const visit = await openPage(browser, shop, badge(BLUE_MUG, 'available="3"'), { before, clock: true });
    await visit.page.locator('stock-badge[stale]').waitFor();
    await visit.page.clock.fastForward(10_000);
    assert.equal(attempts, 1);
    await visit.page.clock.fastForward(60_000);
    await visit.until(() => attempts === 2, 'another attempt: it never gives up');
    await visit.close();
  });
});

/** A server of which nothing is real: it acknowledges, and does what is given to a kind of message. */
function playServer(does) {
  return (page) =>
    page.routeWebSocket(/graphql/, (socket) => {
      socket.onMessage((text) => {
        const { type, id, payload } = JSON.parse(text);
        if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
        does[type]?.(socket, id, payload);
      });
    });
}
