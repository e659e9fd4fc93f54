// What goes wrong around the stock badges of a page: one badge's fault is never its neighbours', a network that lets no
// websocket through gets events within three seconds, and the console says once why nothing is live.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-faults.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { badge, html, openPage } from './support/badge-page.mjs';
import { openShop, product, products, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openProxy } from './support/proxy.mjs';

const NOBODYS = 'product_7zzzzzzzzzzzzzzzzzzzzzzzzz';
/** A shop's page in which nothing of the badge's server is allowed. */
const NO_CONNECT = (url) => ({
  'content-security-policy': `script-src 'self' 'unsafe-inline' ${url}; connect-src 'self'`,
});

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

describe('a stock badge without a way to its server', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  for (const upgrade of [403, 404, 426, 502, 'drop', 'hang']) {
    test(`gets events within three seconds where the upgrade is answered ${upgrade}`, async () => {
      const id = await product(shop, 9);
      const proxy = await openProxy(shop.url, { upgrade });
      const visit = await openPage(browser, { ...shop, url: proxy.url }, badge(id));
      await visit.shows(id, 'In stock');
      // Three seconds after it began a badge that is not live says so.
      assert.deepEqual(await visit.heard('stock-stale'), []);
      await setStock(shop, id, 2);
      await visit.shows(id, 'Only 2 left');
      assert.deepEqual(visit.told, []);

      // What works is remembered: the stream first, and no socket before it.
      const upgrades = proxy.upgrades;
      proxy.cut();
      await visit.shows(id, 'Only 2 left', false);
      await visit.shows(id, 'Only 2 left');
      assert.equal(proxy.upgrades, upgrades);
      // On another network websockets are tried again.
      proxy.upgrade = 'pass';
      await visit.page.context().setOffline(true);
      await visit.shows(id, 'Only 2 left', false);
      await visit.page.context().setOffline(false);
      await visit.shows(id, 'Only 2 left');
      await visit.until(() => proxy.upgrades > upgrades, 'a websocket');
      await visit.close();
      proxy.close();
    });
  }

  test('gets events within three seconds where the policy of the page forbids websockets', async () => {
    const id = await product(shop, 9);
    // A browser takes `http:` for websockets as well; so the server is under another name for them.
    const headers = { 'content-security-policy': `script-src 'unsafe-inline' ${shop.url}; connect-src ${shop.url}` };
    const visit = await openPage(browser, shop, badge(id), {
      headers,
      before: (page) =>
        page.addInitScript(() => {
          const Real = WebSocket;
          window.WebSocket = class extends Real {
            constructor(url, protocols) {
              window.heard.push({ type: 'socket' });
              super(url.replace('127.0.0.1', 'localhost'), protocols);
            }
          };
        }),
    });
    await visit.shows(id, 'In stock');
    assert.deepEqual(await visit.heard('stock-stale'), []);
    assert.ok((await visit.heard('socket')).length >= 1);
    assert.ok((await visit.heard('connect-src')).length >= 1, 'the policy forbade it');
    await visit.close();
  });

  test('says once that the policy of the page forbids every way, and asks no more', async () => {
    const visit = await openPage(browser, shop, badge(NOBODYS, 'available="3"'), {
      headers: NO_CONNECT(shop.url),
      clock: true,
    });
    await visit.until(() => visit.told.length > 0, 'a message');
    assert.equal(visit.told.length, 1);
    assert.match(visit.told[0], /content security policy of this page lacks "connect-src http:.* ws:/);
    const count = (await visit.heard('connect-src')).length;
    await visit.page.clock.fastForward(120_000);
    await visit.page.locator('stock-badge[stale]').waitFor();
    await visit.page.clock.fastForward(120_000);
    assert.equal((await visit.heard('connect-src')).length, count);
    assert.equal(visit.told.length, 1);
    await visit.close();
  });

  test('says once that a proxy lets no websocket through and keeps events back, and does not look live', async () => {
    const id = await product(shop, 9);
    const proxy = await openProxy(shop.url, { upgrade: 'drop', keeps: true });
    const visit = await openPage(browser, { ...shop, url: proxy.url }, badge(id, 'available="3"'), { clock: true });
    await visit.page.locator('stock-badge[stale]').waitFor();
    for (let at = 0; at < 12; at += 1) await visit.page.clock.runFor(5_000);
    await visit.until(() => visit.told.length > 0, 'a message');
    assert.equal(visit.told.length, 1);
    assert.match(visit.told[0], /lets no websocket through and keeps back events/);
    assert.equal((await visit.look(id)).text, 'In stock | not live');
    // Whoever mends the proxy need not tell the visitors.
    proxy.keeps = false;
    await visit.page.clock.runFor(25_000);
    await visit.shows(id, 'In stock');
    await visit.close();
    proxy.close();
  });

  test('says once that its origin is not allowed', async () => {
    const other = await openShop({ ONHAND_ALLOWED_ORIGINS: 'https://elsewhere.example' });
    const visit = await openPage(browser, other, badge(NOBODYS, 'available="3"'), { clock: true });
    await visit.until(() => visit.told.length > 0, 'a message');
    for (let at = 0; at < 5; at += 1) await visit.page.clock.fastForward(30_000);
    await visit.page.locator('stock-badge[stale]').waitFor();
    const message = `does not let in pages of this origin. Add it to ONHAND_ALLOWED_ORIGINS there (${other.pages.origin}).`;
    assert.deepEqual(visit.told, [`not live: ${other.url}/graphql ${message}`]);
    assert.equal((await visit.look(NOBODYS)).text, 'Only 3 left | not live'.replace('Only 3 left', 'In stock'));
    await visit.close();
    await other.close();
  });

  test('says once that a server is another one, away, or not asked over TLS', async () => {
    const proxy = await openProxy(shop.url);
    const allow = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    const status = (request, otherwise) => (request.method === 'OPTIONS' ? 204 : otherwise);
    const answers = {
      page: (request, response) => response.writeHead(200, { ...allow, 'content-type': 'text/html' }).end('<p>Hello'),
      none: (request, response) => response.writeHead(status(request, 404), allow).end(),
      secret: (request, response) => response.writeHead(status(request, 401), allow).end(),
      closed: (request, response) => response.writeHead(404).end(),
    };
    const told = {};
    for (const [name, answer] of Object.entries(answers)) {
      Object.assign(proxy, { answer, upgrade: 404 });
      const visit = await openPage(browser, shop, badge(NOBODYS, `endpoint="${proxy.url}/graphql?token=secret"`));
      await visit.until(() => visit.told.length > 0, `a message: ${name}`);
      told[name] = visit.told.join('\n');
      await visit.close();
    }
    const at = `not live: ${proxy.url}/graphql`;
    proxy.close();
    const away = await openPage(browser, shop, badge(NOBODYS, `endpoint="${proxy.url}/graphql"`), { clock: true });
    await away.until(() => away.told.length > 0, 'a message: away');
    await away.page.clock.fastForward(60_000);
    await away.page.clock.fastForward(60_000);
    await away.page.locator('stock-badge[stale]').waitFor();
    told.away = away.told.join('\n');
    await away.close();
    assert.deepEqual(told, {
      page: `${at} is not the API of an Onhand server.`,
      none: `${at} is not the API of an Onhand server.`,
      secret: `${at} wants a token, or does not take the one of connectionParams.`,
      closed: `${at} answers, but not as an API that lets in pages of ${shop.pages.origin}. It is tried again and again.`,
      away: `${at} does not answer. It is tried again and again.`,
    });

    // A bundle that was told of no endpoint asks beside itself.
    const script = await (await fetch(`${shop.url}/stock-badge.js`)).text();
    const bundle = shop.pages.put(script, { 'content-type': 'text/javascript' });
    const whole = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${bundle}"></script>${badge(NOBODYS)}`;
    const guessed = await openPage(browser, shop, '', { whole });
    await guessed.until(() => guessed.told.length > 0, 'a message: guessed');
    const hint = 'is not the API of an Onhand server (no endpoint was given: call configure({ endpoint })).';
    assert.deepEqual(guessed.told, [`not live: ${shop.pages.origin}/graphql ${hint}`]);
    await guessed.close();

    const secure = await browser.newContext();
    const page = await secure.newPage();
    const messages = [];
    page.on('console', (message) => message.text().startsWith('<stock-badge>') && messages.push(message.text()));
    await page.route('https://shop.example/**', (route) => {
      const isScript = route.request().url().endsWith('.js');
      const body = isScript ? script : html({ url: '' }, badge(NOBODYS, 'endpoint="http://stock.example/graphql"'));
      return route.fulfill({ contentType: isScript ? 'text/javascript' : 'text/html', body });
    });
    await page.goto('https://shop.example/');
    await page.locator('stock-badge[stale]').waitFor();
    assert.equal(messages.length, 1);
    assert.match(messages[0], /came over https, and http:\/\/stock.example\/graphql is plain http/);
    await secure.close();
  });

  test('says once that no endpoint was given, where the script has no address', async () => {
    const whole = `<!doctype html><link rel="icon" href="data:,">${badge(NOBODYS)}${badge(NOBODYS)}<script type="module">
      const text = await (await fetch('${shop.url}/stock-badge.js')).text();
      await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
    </script>`;
    const visit = await openPage(browser, shop, '', { whole });
    await visit.page.locator('stock-badge[stale]').last().waitFor();
    assert.deepEqual(visit.told, [
      'not live: no endpoint was given. Call configure({ endpoint: "https://host/graphql" }).',
    ]);
    await visit.close();
  });

  test('says once that connectionParams failed, without what was thrown, and asks again', async () => {
    const id = await product(shop, 9);
    const body = `${badge(id)}<script type="module">
      import { configure } from '${shop.url}/stock-badge.js';
      let calls = 0;
      configure({ connectionParams: () => { if (calls++ < 3) throw new Error('Bearer secret'); return {}; } });
    </script>`;
    const visit = await openPage(browser, shop, body);
    await visit.shows(id, 'In stock');
    assert.equal(visit.told.filter((one) => one.includes('connectionParams')).length, 1);
    assert.ok(!visit.told.join().includes('secret'));
    await visit.close();
  });

  test('leaves a server alone for as long as it asks for', async () => {
    const id = await product(shop, 9);
    let isAway = true;
    let attempts = 0;
    const proxy = await openProxy(shop.url, {
      upgrade: 503,
      answer(request, response) {
        if (!isAway || request.method !== 'POST') return false;
        attempts += 1;
        const headers = {
          'retry-after': '20',
          'access-control-allow-origin': '*',
          'access-control-expose-headers': 'retry-after',
        };
        response.writeHead(503, headers).end();
        return true;
      },
    });
    const visit = await openPage(browser, shop, badge(id, `endpoint="${proxy.url}/graphql" available="3"`), {
      clock: true,
    });
    await visit.until(() => attempts === 1, 'the first attempt');
    await visit.page.locator('stock-badge[stale]').waitFor();
    await visit.page.clock.fastForward(15_000);
    await visit.page.evaluate(() => dispatchEvent(new Event('focus')));
    await visit.page.mouse.move(40, 50);
    assert.equal(proxy.upgrades, 1);
    isAway = false;
    await visit.page.clock.fastForward(7_000);
    await visit.shows(id, 'In stock');
    await visit.close();
    proxy.close();
  });

  test('is back with the page after an outage', async (t) => {
    const own = await openShop();
    t.after(() => own.close());
    const id = await product(own, 9);
    const visit = await openPage(browser, own, badge(id), { clock: true });
    await visit.shows(id, 'In stock');
    await own.stop('SIGKILL');
    await visit.page.locator('stock-badge[stale]').waitFor();
    // Half a minute, step by step, so that every attempt is made and fails.
    for (let at = 0; at < 60; at += 1) await visit.page.clock.runFor(500);
    await own.start();
    await setStock(own, id, 2);
    // The longest pause of a page in use.
    await visit.page.clock.runFor(1_500);
    await visit.shows(id, 'Only 2 left');
    assert.deepEqual(visit.told, [], 'an outage is no fault of the page');
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
