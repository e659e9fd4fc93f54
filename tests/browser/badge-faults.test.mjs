// What goes wrong with one of the stock badges of a page: it is never its neighbours' fault, and the console names it.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-faults.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { badge, openPage } from './support/badge-page.mjs';
import { openShop, product, products, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';

const NOBODYS = 'product_7zzzzzzzzzzzzzzzzzzzzzzzzz';

describe('a stock badge among others', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  const configure = (visit, options) =>
    visit.page.evaluate(
      async ([script, options]) => (await import(script)).configure(options),
      [`${shop.url}/stock-badge.js`, options],
    );

  test('is not spoilt by a neighbour without an id or an address', async () => {
    const [first, last] = await products(shop, 2, 9);
    const bad = ['http://[', 'ftp://stock.example/graphql', 'blob:nothing'];
    const body = [
      badge(first),
      ...bad.map((endpoint) => badge(NOBODYS, `endpoint="${endpoint}"`)),
      badge('mug'),
      badge(''),
    ];
    const visit = await openPage(browser, shop, [...body, badge(last)].join(' '));
    for (const id of [first, last]) await visit.shows(id, 'In stock');
    for (const id of [NOBODYS, 'mug', '']) await visit.shows(id, 'Stock unknown', false);
    await visit.until(() => visit.told.length === 5, 'a message for each fault');
    for (const endpoint of bad) assert.ok(visit.told.some((one) => one.includes(`"${endpoint}" is not the address`)));
    assert.ok(visit.told.some((one) => one.includes('"mug" is not the id of a product')));
    assert.ok(visit.told.some((one) => one.includes('a badge has no product')));
    await visit.close();
  });

  test('is not spoilt by listeners that throw, nor by texts that are none', async () => {
    const [one, other] = await products(shop, 2, 9);
    const visit = await openPage(browser, shop, badge(one) + badge(other));
    await visit.page.evaluate(() =>
      document.querySelector('stock-badge').addEventListener('stock-change', () => {
        throw new Error('a fault of the page');
      }),
    );
    for (const id of [one, other]) await visit.shows(id, 'In stock');
    await configure(visit, { texts: { en: { soldOut: 5, lowStock: { other: {} }, checking: null }, de: null } });
    await visit.page.evaluate(
      async ([script]) =>
        (await import(script)).configure({
          texts: {
            en: {
              inStock: () => {
                throw new Error('another fault of the page');
              },
            },
          },
        }),
      [`${shop.url}/stock-badge.js`],
    );
    for (const id of [one, other]) {
      await setStock(shop, id, 2);
      await visit.shows(id, 'Only 2 left');
      await setStock(shop, id, 0);
      await visit.shows(id, 'Sold out');
      await setStock(shop, id, 20);
      await visit.shows(id, 'In stock');
    }
    assert.ok(visit.faults.length > 0 && visit.faults.every((fault) => fault === 'a fault of the page'));
    assert.equal(visit.told.filter((one) => one.includes('"soldOut"')).length, 1);
    visit.faults = [];
    await visit.close();
  });

  for (const kind of ['socket', 'stream']) {
    for (const how of ['error', 'next']) {
      test(`stays live when the server answers ${how} for one of a hundred, on a ${kind}`, async () => {
        const ids = Array.from({ length: 100 }, (_, at) => NOBODYS.slice(0, -2) + String(at).padStart(2, '0'));
        const bad = ids[37];
        const fault = [{ message: 'no', extensions: { code: how === 'error' ? 'BAD_ID' : 'INTERNAL' } }];
        const server = playServer(kind, ({ ids, send }) => {
          if (ids.includes(bad)) return send(how, how === 'error' ? fault : { data: null, errors: fault });
          for (const id of ids) send('next', stockOf(id, 3));
        });
        const visit = await openPage(browser, shop, ids.map((id) => badge(id, 'always')).join(' '), {
          before: server.before,
        });
        await visit.page.waitForFunction(() => document.querySelectorAll('stock-badge[live]').length === 99);
        assert.equal((await visit.look(bad)).live, false);
        await visit.until(() => visit.told.length > 0, 'a message');
        assert.deepEqual(visit.told, [`not live: the server refuses the product "${bad}".`]);
        await visit.until(() => server.running() <= (kind === 'socket' ? 3 : 1), 'few subscriptions are left');
        await visit.page.waitForFunction(() => document.querySelectorAll('stock-badge[live]').length === 99);

        await visit.page.locator(`[product="${bad}"][stale]`).waitFor();
        // One more that is bad comes to those that are good, which notice nothing.
        const stale = (await visit.heard('stock-stale')).length;
        const count = (await visit.heard('stock-live')).length;
        await visit.page.evaluate((id) => {
          document.querySelector(`[product="${id}"]`).remove();
          const added = document.createElement('stock-badge');
          added.product = id;
          added.always = true;
          document.querySelector('main').append(added);
        }, bad);
        await visit.page.locator('stock-badge[stale]').waitFor();
        assert.equal(await visit.page.locator('stock-badge[live]').count(), 99);
        assert.equal((await visit.heard('stock-live')).length, count);
        assert.equal((await visit.heard('stock-stale')).length, stale + 1);
        await visit.close();
      });
    }
  }

  test('asks again for what was turned away for now, without ending the rest', async () => {
    const [one, other] = [NOBODYS, NOBODYS.replace(/z$/, '1')];
    let turnedAway = 0;
    const server = playServer('socket', ({ ids, send }) => {
      if (ids.includes(other) && turnedAway++ < 1)
        return send('error', [{ message: 'slow down', extensions: { code: 'RATE_LIMITED' } }]);
      if (ids.includes(other) && turnedAway++ < 3) return send('complete');
      for (const id of ids) send('next', stockOf(id, 3));
    });
    const visit = await openPage(browser, shop, badge(one), { before: server.before });
    await visit.shows(one, 'Only 3 left');
    await visit.page.evaluate((id) => {
      const added = Object.assign(document.createElement('stock-badge'), { product: id });
      document.querySelector('main').append(added);
    }, other);
    await visit.shows(other, 'Only 3 left');
    assert.ok(turnedAway >= 2);
    assert.equal(visit.sockets.length + server.opened, 1, 'one socket');
    assert.equal((await visit.heard('stock-stale')).filter(({ product }) => product === one).length, 0);
    assert.deepEqual(visit.told, []);
    await visit.close();
  });

  test('says once which products nobody knows', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id) + badge(NOBODYS));
    await visit.shows(id, 'In stock');
    await visit.until(() => visit.told.length > 0, 'a message');
    await visit.page.evaluate(
      (id) =>
        document.querySelector('main').append(Object.assign(document.createElement('stock-badge'), { product: id })),
      NOBODYS,
    );
    await configure(visit, { connectionParams: {} });
    await visit.page.locator('stock-badge[stale]').last().waitFor();
    assert.deepEqual(visit.told, [`not live: the server knows no product "${NOBODYS}".`]);
    await visit.close();
  });
});

function stockOf(id, available) {
  const stock = {
    id: id.replace('product', 'stock'),
    available,
    availability: 'LOW_STOCK',
    version: 1,
    product: { status: 'ACTIVE' },
  };
  return { data: { stockChanged: stock } };
}

/**
 * A server of which nothing is real, over websockets or over events. `subscribe` is called for each subscription with its
 * ids and a function that sends on it.
 */
function playServer(kind, subscribe) {
  const running = new Set();
  const server = { opened: 0, running: () => running.size };
  server.before = async (page) => {
    if (kind === 'socket') {
      await page.routeWebSocket(/graphql/, (socket) => {
        server.opened += 1;
        socket.onMessage((text) => {
          const { type, id, payload } = JSON.parse(text);
          if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
          if (type === 'complete') running.delete(id);
          if (type !== 'subscribe') return;
          running.add(id);
          const send = (type, payload) => {
            if (type !== 'next') running.delete(id);
            socket.send(JSON.stringify({ type, id, payload }));
          };
          subscribe({ ids: payload.variables.ids, send });
        });
      });
      return;
    }
    await page.routeWebSocket(/graphql/, (socket) => socket.close({ code: 1008 }));
    // Real streams never end by themselves; an answer that is given at once would.
    await page.exposeFunction('playSubscription', (ids) => {
      const events = [];
      const send = (type, payload) =>
        events.push(`event: next\ndata: ${JSON.stringify(type === 'error' ? { errors: payload } : payload)}\n\n`);
      subscribe({ ids, send });
      return events.join('');
    });
    await page.exposeFunction('playRunning', (change, id) => void (change ? running.add(id) : running.delete(id)));
    await page.addInitScript(() => {
      const real = window.fetch;
      let count = 0;
      window.fetch = async (url, options) => {
        if (options?.headers?.accept !== 'text/event-stream') return real(url, options);
        const id = ++count;
        const text = await window.playSubscription(JSON.parse(options.body).variables.ids);
        window.playRunning(true, id);
        options.signal.addEventListener('abort', () => window.playRunning(false, id));
        const body = new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode(text)) });
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      };
    });
  };
  return server;
}
