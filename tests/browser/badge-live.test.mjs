// The stock badge on the pages of a shop at another origin: live, over one connection, through everything that ends one.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-live.test.mjs
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { BLUE_MUG } from '../../web/graphiql/src/demo-ids.js';
import { badge, openPage } from './support/badge-page.mjs';
import { buy, openShop, product, products, setStock } from './support/badge-shop.mjs';
import { launch } from './support/page.mjs';

/** At most so many products are followed at once, 100 in each subscription. */
const MOST_FOLLOWED = 300;

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

  const isFollowing = (visit, count) => () => new Set(visit.followed().flat()).size === count;

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
    assert.deepEqual(states.map(({ available }) => available), [8, 3, 0, 20]);
    assert.deepEqual(states[1], {
      type: 'stock-change', product: id, available: 3, availability: 'LOW_STOCK', version: states[1].version, live: true,
    });
    await visit.close();
  });

  test('shares one socket and one subscription with ninety-nine others', async () => {
    const ids = await products(shop, 100, 9);
    const visit = await openPage(browser, shop, ids.map((id) => badge(id)).join(' '));
    for (const id of ids) await visit.shows(id, 'In stock');
    assert.equal(visit.sockets.length, 1);
    assert.deepEqual(visit.sockets[0].sent.map(({ type }) => type), ['connection_init', 'subscribe']);
    assert.deepEqual(visit.followed()[0].toSorted(), ids.toSorted());

    // One more joins by another subscription, which takes over before the old one is ended.
    const more = await product(shop, 2);
    await visit.page.evaluate((id) => document.querySelector('main').prepend(Object.assign(document.createElement('stock-badge'), { product: id })), more);
    await visit.shows(more, 'Only 2 left');
    assert.equal(visit.sockets.length, 1);
    assert.equal(visit.followed().length, 2, 'the first is full');
    await visit.close();
  });

  test('changes its product without a gap for the others', async () => {
    const [one, other] = await products(shop, 2, 9);
    const visit = await openPage(browser, shop, badge(one));
    await visit.shows(one, 'In stock');
    await visit.page.evaluate((id) => {
      const added = document.createElement('stock-badge');
      added.product = id;
      document.querySelector('main').append(added);
    }, other);
    await visit.shows(other, 'In stock');
    const [{ sent, all }] = visit.sockets;
    await visit.until(() => sent.some(({ type }) => type === 'complete'), 'the end of the first subscription');
    const [first, second] = sent.filter(({ type }) => type === 'subscribe').map(({ id }) => id);
    const told = all.map(({ type, id }) => `${type} ${id}`);
    assert.ok(told.indexOf(`complete ${first}`) > told.indexOf(`next ${second}`), 'ended when the other has delivered');
    assert.deepEqual(visit.followed(), [[one, other]]);
    assert.equal((await visit.heard('stock-stale')).length, 0);
    assert.equal((await visit.heard('stock-live')).length, 2, 'nobody was without a subscription');
    await visit.close();
  });

  test('of a long list is followed only in or near the view, over one socket', async () => {
    const ids = await products(shop, 250, 9);
    const visit = await openPage(browser, shop, ids.map((id) => `<p style="height: 100px">${badge(id)}</p>`).join(''));
    await visit.shows(ids[0], 'In stock');
    assert.ok(visit.followed().flat().length <= 20);
    for (let at = 0; at < 250; at += 25) {
      await visit.page.locator('stock-badge').nth(at).scrollIntoViewIfNeeded();
      await visit.shows(ids[at], 'In stock');
      // Two subscriptions overlap while one takes over from the other.
      for (const some of visit.followed()) assert.ok(some.length <= 100, `${some.length} ids`);
      assert.ok(visit.followed().length <= 2);
    }
    await visit.page.locator('stock-badge').last().scrollIntoViewIfNeeded();
    await visit.shows(ids.at(-1), 'In stock');
    assert.equal(visit.sockets.length, 1);

    // What has left the view does not pretend to be live, and `always` stays.
    assert.equal((await visit.look(ids[0])).live, false);
    await visit.page.locator('stock-badge').first().evaluate((one) => one.setAttribute('always', ''));
    await visit.shows(ids[0], 'In stock');
    await visit.close();
  });

  test('is one of at most three hundred that are followed at once, in subscriptions of a hundred', async () => {
    const ids = await products(shop, MOST_FOLLOWED + 20, 9);
    const visit = await openPage(browser, shop, ids.map((id) => badge(id, 'always')).join(' '));
    await visit.until(isFollowing(visit, MOST_FOLLOWED), 'a full house');
    await visit.page.waitForFunction((count) => document.querySelectorAll('stock-badge[live]').length === count, MOST_FOLLOWED);
    assert.deepEqual(visit.followed().map((some) => some.length), [100, 100, 100]);
    assert.equal(visit.sockets.length, 1);
    const last = await visit.page.evaluate(() => document.querySelector('stock-badge:not([live])').product);
    // When a whole subscription's worth has gone, others move up.
    await visit.page.evaluate(() => [...document.querySelectorAll('stock-badge')].slice(0, 30).forEach((one) => one.remove()));
    await visit.shows(last, 'In stock');
    await visit.close();
  });

  test('comes back with the last value when the server was started again', async (t) => {
    const own = await openShop();
    t.after(() => own.close());
    const id = await product(own, 9);
    const visit = await openPage(browser, own, badge(id), { clock: true });
    await visit.shows(id, 'In stock');
    await setStock(own, id, 2);
    await visit.shows(id, 'Only 2 left');
    await own.stop('SIGKILL');
    await visit.page.locator('stock-badge:not([live])').waitFor();
    await visit.page.locator('stock-badge[stale]').waitFor();
    assert.equal((await visit.look(id)).text, 'Only 2 left | not live');
    assert.equal((await visit.heard('stock-stale')).at(-1).available, 2);
    await own.start();
    await setStock(own, id, 1);
    await visit.page.clock.fastForward(60_000);
    await visit.shows(id, 'Only 1 left');
    assert.equal((await visit.look(id)).stale, false);
    await visit.close();
  });

  test('rests while the page is hidden, and catches up at once', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id), { clock: true });
    await visit.shows(id, 'In stock');
    await visit.hide(true);
    await visit.page.clock.fastForward(20_000);
    assert.ok(visit.sockets[0].isOpen, 'who looks away for a moment loses nothing');
    await visit.page.clock.fastForward(20_000);
    await visit.until(() => !visit.sockets[0].isOpen, 'the end of the socket');
    await setStock(shop, id, 4);
    await visit.page.clock.fastForward(600_000);
    assert.equal(visit.sockets.length, 1, 'it rests');
    await visit.hide(false);
    await visit.shows(id, 'Only 4 left');
    assert.equal(visit.sockets.length, 2);
    await visit.close();
  });

  test('takes event streams where websockets are blocked', async () => {
    const ids = await products(shop, 3, 9);
    for (const [how, block] of [
      ['closed', (page) => page.routeWebSocket(/graphql/, (socket) => socket.close({ code: 1008 }))],
      ['not allowed', (page) => page.addInitScript(() => {
        window.WebSocket = class { constructor() { throw new DOMException('no', 'SecurityError'); } };
      })],
    ]) {
      const streams = [];
      const watchRequests = async (page) => {
        page.on('request', (request) => request.headers().accept === 'text/event-stream' && streams.push(request));
        await block(page);
      };
      const visit = await openPage(browser, shop, ids.map((id) => badge(id)).join(' '), { before: watchRequests });
      for (const id of ids) await visit.shows(id, 'In stock');
      assert.equal(streams.length, 1, `${how}: one stream for all of them`);
      assert.equal(streams[0].method(), 'POST');
      await setStock(shop, ids[1], 2);
      await visit.shows(ids[1], 'Only 2 left');
      await setStock(shop, ids[1], 9);
      await visit.shows(ids[1], 'In stock');
      await visit.close();
    }
  });

  test('never goes back to a lower version', async () => {
    const id = await product(shop, 9);
    let send;
    const before = playServer({
      subscribe(socket, operation) {
        const stock = { id: id.replace('product', 'stock'), availability: 'LOW_STOCK' };
        send = (available, version) => socket.send(JSON.stringify({
          type: 'next', id: operation, payload: { data: { stockChanged: { ...stock, available, version } } },
        }));
        send(4, 7);
      },
    });
    const visit = await openPage(browser, shop, badge(id), { before });
    await visit.shows(id, 'Only 4 left');
    send(5, 6);
    send(3, 8);
    await visit.shows(id, 'Only 3 left');
    assert.deepEqual((await visit.heard('stock-change')).map(({ version }) => version), [7, 8]);
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
    ONHAND_SECRET: SECRET, ONHAND_ISSUER: 'tests', ONHAND_AUDIENCE: 'onhand', ONHAND_DEMO: 'true', ONHAND_PUBLIC_STOCK: 'capped:2',
  };
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop(settings)]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  const configure = (visit, options) => visit.page.evaluate(
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
    await configure(visit, [`Bearer ${staffToken()}`]);
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
    await configure(visit, ['first', 'second']);
    await visit.until(() => inits.includes('second'), 'the other token');
    await visit.close();
  });

  test('does not press on with what the server has refused', async () => {
    let attempts = 0;
    const before = playServer({ connection_init: (socket) => (attempts += 1) && socket.close({ code: 4403 }) });
    const visit = await openPage(browser, shop, badge(BLUE_MUG, 'available="3"'), { before, clock: true });
    await visit.page.locator('stock-badge[stale]').waitFor();
    await visit.page.clock.fastForward(20_000);
    assert.equal(attempts, 1);
    await visit.page.clock.fastForward(60_000);
    await visit.until(() => attempts === 2, 'another attempt: it never gives up');
    await visit.close();
  });
});

/** A server of which nothing is real: it acknowledges, and does what is given to a kind of message. */
function playServer(does) {
  return (page) => page.routeWebSocket(/graphql/, (socket) => {
    socket.onMessage((text) => {
      const { type, id, payload } = JSON.parse(text);
      if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
      does[type]?.(socket, id, payload);
    });
  });
}

/** A token of staff, signed with the secret. */
function staffToken() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub: 'tests', role: 'staff', iss: 'tests', aud: 'onhand', iat: now, exp: now + 600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}
