// What stands between a stock badge and its server: a network that lets no websocket through gets events within three
// seconds, a page comes back with its server, and the console says once why nothing is live.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-network.test.mjs
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { badge, html, openPage } from './support/badge-page.mjs';
import { openShop, product, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openProxy } from './support/proxy.mjs';

const NOBODYS = 'product_7zzzzzzzzzzzzzzzzzzzzzzzzz';
/** The headers of a shop's page in which nothing of the badge's server is allowed. */
const NO_CONNECT = (url) => ({
  'content-security-policy': `script-src 'self' 'unsafe-inline' ${url}; connect-src 'self'`,
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
      const visit = await openPage(browser, { ...shop, url: proxy.url }, badge(id, 'always'), {
        before: stopClock,
        clock: true,
      });
      await begin(visit);
      await visit.until(() => proxy.upgrades === 1, 'an attempt by websocket');
      if (upgrade === 'hang') await visit.page.clock.runFor(2_500);
      await visit.shows(id, 'In stock');
      await setStock(shop, id, 2);
      await visit.shows(id, 'Only 2 left');
      assert.deepEqual(visit.told, []);

      // What works is remembered: the stream first, and no socket before it.
      await visit.page.clock.resume();
      proxy.cut();
      await visit.shows(id, 'Only 2 left', false);
      await visit.shows(id, 'Only 2 left');
      assert.equal(proxy.upgrades, 1);
      // On another network websockets are tried again.
      proxy.upgrade = 'pass';
      await visit.page.context().setOffline(true);
      await visit.shows(id, 'Only 2 left', false);
      await visit.page.context().setOffline(false);
      await visit.shows(id, 'Only 2 left');
      await visit.until(() => proxy.upgrades > 1, 'a websocket');
      await visit.close();
      proxy.close();
    });
  }

  test('gets events at once where the policy of the page forbids websockets', async () => {
    const id = await product(shop, 9);
    // A browser takes `http:` for websockets as well; so the server is under another name for them.
    const headers = { 'content-security-policy': `script-src 'unsafe-inline' ${shop.url}; connect-src ${shop.url}` };
    const before = async (page) => {
      await stopClock(page);
      await page.addInitScript(() => {
        const Real = WebSocket;
        window.WebSocket = class extends Real {
          constructor(url, protocols) {
            window.heard.push({ type: 'socket' });
            super(url.replace('127.0.0.1', 'localhost'), protocols);
          }
        };
      });
    };
    const visit = await openPage(browser, shop, badge(id, 'always'), { headers, before, clock: true });
    await begin(visit);
    await visit.shows(id, 'In stock');
    assert.equal((await visit.heard('socket')).length, 1);
    assert.equal((await visit.heard('connect-src')).length, 1, 'the policy forbade it');
    assert.deepEqual(visit.told, []);
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
    // In small steps, each as long as a request takes here, so that what it looks for is not too late.
    const hasLooked = () => proxy.requests.includes('POST /stock-badge.js');
    for (let at = 0; at < 60 && !hasLooked(); at += 1) {
      await visit.page.clock.runFor(1_000);
      await visit.page.evaluate(async () => (await fetch(location.href, { cache: 'no-store' })).text());
    }
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
    await pass(visit, 150_000);
    await visit.page.locator('stock-badge[stale]').waitFor();
    const message = `does not let in pages of this origin. Add it to ONHAND_ALLOWED_ORIGINS there (${other.pages.origin}).`;
    assert.deepEqual(visit.told, [`not live: ${other.url}/graphql ${message}`]);
    assert.equal((await visit.look(NOBODYS)).text, 'Only 3 left | not live'.replace('Only 3 left', 'In stock'));
    await visit.close();
    await other.close();
  });

  test('blames no origin while a cache has the script of a server that is away, and is back with it', async () => {
    const own = await openShop();
    const id = await product(own, 9);
    const script = await (await fetch(`${own.url}/stock-badge.js`)).text();
    const proxy = await openProxy(own.url, { upgrade: 502 });
    const away = (request, response) => {
      const isCached = request.url.startsWith('/stock-badge.js') && request.method !== 'POST';
      const type = isCached ? 'text/javascript' : 'text/html';
      response.writeHead(isCached ? 200 : 502, { 'content-type': type, ...(isCached && { 'access-control-allow-origin': '*' }) });
      response.end(isCached ? script : '<h1>502</h1>');
      return true;
    };
    proxy.answer = away;
    const visit = await openPage(browser, { ...own, url: proxy.url }, badge(id, 'available="3"'));
    await visit.until(() => proxy.upgrades > 4, 'several attempts');
    assert.deepEqual(visit.told.filter((one) => one.includes('ONHAND_ALLOWED_ORIGINS')), []);
    assert.equal(visit.told.length, 1);
    Object.assign(proxy, { upgrade: 'pass', answer: undefined });
    // Somebody who is refused would wait for up to a minute.
    await visit.shows(id, 'In stock');
    await visit.close();
    proxy.close();
    await own.close();
  });

  test('says that its origin is not allowed any more, and asks rarely from then on', async () => {
    const own = await openShop();
    const id = await product(own, 9);
    const proxy = await openProxy(own.url);
    const visit = await openPage(browser, { ...own, url: proxy.url }, badge(id), { clock: true });
    await visit.shows(id, 'In stock');
    await own.stop();
    await own.start({ ONHAND_ALLOWED_ORIGINS: 'https://elsewhere.example' });
    await visit.until(() => visit.told.length > 0, 'a message');
    assert.equal(visit.told.length, 1);
    assert.match(visit.told[0], /does not let in pages of this origin/);
    await stopClock(visit.page);
    const { upgrades } = proxy;
    // The shortest pause of those who are refused is 12 s.
    for (let at = 0; at < 10; at += 1) await visit.page.clock.runFor(1_000);
    assert.ok(proxy.upgrades <= upgrades + 1, `${proxy.upgrades - upgrades} attempts in 10 s`);
    await visit.close();
    proxy.close();
    await own.close();
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
    await pass(away, 120_000);
    await away.page.locator('stock-badge[stale]').waitFor();
    told.away = away.told.join('\n');
    await away.close();
    assert.deepEqual(told, {
      page: `${at} is not the API of an Onhand server.`,
      none: `${at} is not the API of an Onhand server.`,
      secret: `${at} wants a token, or does not take the one of connectionParams.`,
      closed: `${at} answers, but not as an API that lets in pages of ${shop.pages.origin}, or its server is away. It is tried again and again.`,
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
          'retry-after': '60',
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
    await visit.page.clock.fastForward(60_000);
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

/**
 * Lets this time pass in steps that are shorter than what a badge waits for anything, and waits for its requests in between:
 * for a request that is under way in truth no time passes.
 */
async function pass(visit, milliseconds) {
  const asked = new Set();
  visit.page.on('request', (request) => asked.add(request));
  for (const end of ['requestfinished', 'requestfailed']) visit.page.on(end, (request) => asked.delete(request));
  for (let passed = 0; passed < milliseconds; passed += 10_000) {
    await visit.page.clock.fastForward(10_000);
    await visit.until(() => asked.size === 0, 'the end of its requests');
  }
}

/** The time stands still unless the test moves it. */
const stopClock = (page) => page.clock.pauseAt(Date.now() + 3_600_000);

/** Lets a badge begin that is `always` followed, on a page whose time stands still. */
async function begin(visit) {
  await visit.page.locator('stock-badge[state]').waitFor();
  await visit.page.clock.runFor(200);
}
