// The connection of the stock badges of a page: one for all of them, bounded, and back after everything that ends it.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-connection.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { badge, openPage } from './support/badge-page.mjs';
import { openShop, product, products, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';

/** At most so many products are followed at once, 100 in each subscription. */
const MOST_FOLLOWED = 300;

describe('the connection of a stock badge', () => {
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

  test('is one socket with one subscription for a hundred badges', async () => {
    const ids = await products(shop, 100, 9);
    const visit = await openPage(browser, shop, ids.map((id) => badge(id)).join(' '));
    for (const id of ids) await visit.shows(id, 'In stock');
    assert.equal(visit.sockets.length, 1);
    assert.deepEqual(
      visit.sockets[0].sent.map(({ type }) => type),
      ['connection_init', 'subscribe'],
    );
    assert.deepEqual(visit.followed()[0].toSorted(), ids.toSorted());

    // One more joins by another subscription, which takes over before the old one is ended.
    const more = await product(shop, 2);
    await visit.page.evaluate(
      (id) =>
        document.querySelector('main').prepend(Object.assign(document.createElement('stock-badge'), { product: id })),
      more,
    );
    await visit.shows(more, 'Only 2 left');
    assert.equal(visit.sockets.length, 1);
    assert.equal(visit.followed().length, 2, 'the first is full');
    await visit.close();
  });

  test('takes in another product without a gap for the others', async () => {
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

  test('follows of a long list only what is in or near the view', async () => {
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
    await visit.page
      .locator('stock-badge')
      .first()
      .evaluate((one) => one.setAttribute('always', ''));
    await visit.shows(ids[0], 'In stock');
    await visit.close();
  });

  test('follows at most three hundred products at once, in subscriptions of a hundred', async () => {
    const ids = await products(shop, MOST_FOLLOWED + 20, 9);
    const visit = await openPage(browser, shop, ids.map((id) => badge(id, 'always')).join(' '));
    await visit.until(isFollowing(visit, MOST_FOLLOWED), 'a full house');
    await visit.page.waitForFunction(
      (count) => document.querySelectorAll('stock-badge[live]').length === count,
      MOST_FOLLOWED,
    );
    assert.deepEqual(
      visit.followed().map((some) => some.length),
      [100, 100, 100],
    );
    assert.equal(visit.sockets.length, 1);
    const last = await visit.page.evaluate(() => document.querySelector('stock-badge:not([live])').product);
    // When a whole subscription's worth has gone, others move up.
    await visit.page.evaluate(() =>
      [...document.querySelectorAll('stock-badge')].slice(0, 30).forEach((one) => one.remove()),
    );
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

    // What has not changed meanwhile is no news.
    await visit.hide(true);
    await visit.page.clock.fastForward(40_000);
    await visit.shows(id, 'Only 4 left | not live', false);
    await visit.hide(false);
    await visit.shows(id, 'Only 4 left');
    assert.equal((await visit.heard('stock-change')).length, 2);
    await visit.close();
  });

  test('is made of event streams where websockets are blocked', async () => {
    const ids = await products(shop, 3, 9);
    for (const [how, block] of [
      ['closed', (page) => page.routeWebSocket(/graphql/, (socket) => socket.close({ code: 1008 }))],
      [
        'not allowed',
        (page) =>
          page.addInitScript(() => {
            window.WebSocket = class {
              constructor() {
                throw new DOMException('no', 'SecurityError');
              }
            };
          }),
      ],
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

  test('comes back after pauses of at most 1.5 s while somebody uses the page, at most 10 s while it is seen', async () => {
    const id = await product(shop, 9);
    let attempts = 0;
    const ended = new Set();
    const before = async (page) => {
      // The time stands still unless the test moves it.
      await page.clock.pauseAt(Date.now() + 3_600_000);
      await page.addInitScript(() => (Math.random = () => 0)); // Nothing is left out of a pause.
      await page.routeWebSocket(/graphql/, (socket) => {
        attempts += 1;
        socket.onMessage(() => {
          socket.send(JSON.stringify({ type: 'connection_ack' }));
          socket.close({ code: 1012 });
          ended.add(socket);
        });
      });
    };
    const visit = await openPage(browser, shop, badge(id), { before, clock: true });
    await visit.page.locator('stock-badge[state]').waitFor();
    await nextAttempt(500);
    for (const pause of [1_000, 1_500, 1_500]) {
      const taken = await nextAttempt(pause / 4);
      assert.ok(taken >= pause && taken <= pause * 2, `${taken} ms instead of ${pause} ms`);
    }
    // Nobody has touched the page for a minute.
    await visit.page.clock.fastForward(60_000);
    await nextAttempt(500);
    for (const pause of [10_000, 10_000, 10_000]) {
      const taken = await nextAttempt(pause / 8);
      assert.ok(taken >= pause && taken <= pause * 1.5, `${taken} ms instead of ${pause} ms`);
    }
    // Somebody comes back: at once, and quickly from now on.
    for (const comeBack of [
      () => visit.page.mouse.move(50, 60),
      () => visit.page.evaluate(() => dispatchEvent(new Event('focus'))),
      () => visit.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange'))),
      () => visit.page.evaluate(() => dispatchEvent(new Event('online'))),
      () => visit.page.evaluate(() => dispatchEvent(new Event('pageshow'))),
    ]) {
      await visit.page.clock.fastForward(60_000);
      await nextAttempt(500);
      await visit.page.clock.fastForward(1_500);
      const last = attempts;
      await comeBack();
      await visit.until(() => attempts > last && ended.size === attempts, `an attempt at once: ${comeBack}`);
    }
    assert.ok((await nextAttempt(250)) <= 2_000);
    await visit.close();

    /** Moves the time step by step until there is another attempt, and waits until the page knows how that ended: how far. */
    async function nextAttempt(step) {
      const last = attempts;
      let taken = 0;
      const move = async () => {
        await visit.page.clock.fastForward(step);
        taken += step;
        return attempts > last;
      };
      await visit.until(move, 'another attempt');
      await visit.until(() => ended.size === attempts, 'the end of the attempt');
      // The page is told in order.
      await visit.page.evaluate(() => undefined);
      return taken;
    }
  });

  test('is gone when the network is, and back when it is back', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id));
    await visit.shows(id, 'In stock');
    await visit.page.context().setOffline(true);
    await visit.shows(id, 'In stock', false);
    await setStock(shop, id, 1);
    await visit.page.locator('stock-badge[stale]').waitFor();
    await visit.page.context().setOffline(false);
    await visit.shows(id, 'Only 1 left');
    await visit.close();
  });
});
