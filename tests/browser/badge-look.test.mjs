// The stock badge to those who look at it, listen to it or style it: before it is live, in their language, under a strict
// policy.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-look.test.mjs
//
// SHOTS is a directory for screenshots.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { badge, openPage } from './support/badge-page.mjs';
import { openShop, product, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';

const REGION = '[data-stock-badge-announcer]';

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

  const configure = (visit, options) =>
    visit.page.evaluate(
      async ([script, options]) => (await import(script)).configure(options),
      [`${shop.url}/stock-badge.js`, options],
    );

  test('shows what the page says until it knows better, and is never empty', async () => {
    const id = await product(shop, 9);
    let letThrough;
    const gate = new Promise((resolve) => (letThrough = resolve));
    const holdBack = async (page) => {
      await page.routeWebSocket(/graphql/, async (socket) => {
        await gate;
        socket.connectToServer();
      });
      await page.route(/graphql$/, async (route) => {
        await gate;
        // The page may have given it up.
        await route.continue().catch(() => {});
      });
    };
    const body =
      ['available="3" availability="LOW_STOCK"', 'availability="LOW_STOCK"', 'available="0"', 'available="4"', '']
        .map((attributes) => badge(id, attributes))
        .join(' ') +
      badge(id, '', 'Three left in <b>our</b> shop') +
      badge(id, '', '\n  ');
    const visit = await openPage(browser, shop, body, { before: holdBack });
    await visit.page.waitForFunction(() => customElements.get('stock-badge'));
    const texts = () => visit.page.evaluate(() => [...document.querySelectorAll('stock-badge')].map(window.shown));
    const first = [
      'Only 3 left',
      'Only a few left',
      'Sold out',
      'In stock',
      'Checking stock',
      'Three left in our shop',
      'Checking stock',
    ];
    assert.deepEqual(await texts(), first);
    // It says that it is not live, and goes on showing.
    await visit.page.locator('stock-badge[stale]').last().waitFor();
    const old = (text) => (text === 'Checking stock' ? 'Stock unknown' : `${text} | not live`);
    assert.deepEqual(await texts(), first.map(old));
    assert.equal((await visit.heard('stock-change')).length, 0);
    letThrough();
    await visit.page.locator('stock-badge:not([live])').first().waitFor({ state: 'detached' });
    assert.deepEqual(
      await texts(),
      first.map(() => 'In stock'),
    );
    await visit.close();
  });

  test('speaks German with its plural, and any language that the page has texts for', async () => {
    const [one, many, none] = [await product(shop, 1), await product(shop, 1_200, 2_000), await product(shop, 0)];
    const body = `${badge(one)} <section lang="de-AT">${badge(many)}</section> ${badge(none, 'lang="en"')}`;
    const visit = await openPage(browser, shop, body, { lang: 'de' });
    await visit.shows(one, 'Nur noch ein Stück');
    await visit.shows(many, 'Nur noch 1.200 Stück'.replace('.', (1200).toLocaleString('de-AT')[1]));
    await visit.shows(none, 'Sold out');
    await setStock(shop, one, 3);
    await visit.shows(one, 'Nur noch 3 Stück');
    await configure(visit, {
      texts: {
        pl: { lowStock: { one: 'Tylko {count} sztuka', few: 'Tylko {count} sztuki', many: 'Tylko {count} sztuk' } },
      },
    });
    await visit.page.evaluate(() => (document.documentElement.lang = 'pl'));
    await visit.shows(one, 'Tylko 3 sztuki');
    await setStock(shop, one, 5);
    await visit.shows(one, 'Tylko 5 sztuk');
    await setStock(shop, one, 50);
    await visit.shows(one, 'In stock');
    await visit.page.evaluate(() => (document.documentElement.lang = 'no such language!'));
    await visit.shows(one, 'In stock');
    await visit.close();
  });

  test('says of a product that nobody counts that it can be had', async () => {
    const id = await product(shop, null);
    const visit = await openPage(browser, shop, badge(id));
    await visit.shows(id, 'In stock');
    assert.equal((await visit.look(id)).state, 'untracked');
    await configure(visit, { texts: { en: { untracked: 'Always there' } } });
    await visit.shows(id, 'Always there');
    await visit.close();
  });

  test('works under a strict content security policy with trusted types', async () => {
    const id = await product(shop, 9);
    const policy = [
      "default-src 'none'",
      "base-uri 'none'",
      `script-src ${shop.url}`,
      `connect-src ${shop.url} ${shop.url.replace('http', 'ws')}`,
      "style-src 'none'",
      'img-src data:',
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; ');
    const visit = await openPage(browser, shop, badge(id), { headers: { 'content-security-policy': policy } });
    await visit.shows(id, 'In stock');
    await setStock(shop, id, 2);
    await visit.shows(id, 'Only 2 left');
    const looks = await visit.page.evaluate(() => ({
      radius: getComputedStyle(document.querySelector('stock-badge').shadowRoot.querySelector('.badge'))
        .borderTopLeftRadius,
      violations: window.heard.filter(({ type }) => !type.startsWith('stock-')),
    }));
    assert.notEqual(looks.radius, '0px', 'it has its style');
    assert.deepEqual(looks.violations, []);
    await visit.page.locator(REGION).filter({ hasText: 'Only 2 left' }).waitFor({ state: 'attached' });
    assert.equal(await visit.page.locator(REGION).evaluate((one) => getComputedStyle(one).width), '1px');
    await visit.close();
  });

  test('tells screen readers of changes politely: at most once in five seconds, and the last state', async () => {
    const [mug, pot] = [await product(shop, 9), await product(shop, 9)];
    const visit = await openPage(browser, shop, badge(mug, 'label="Blue mug"') + badge(pot), { clock: true });
    await visit.shows(mug, 'In stock');
    await visit.shows(pot, 'In stock');
    await visit.page.evaluate((region) => {
      window.told = [];
      const look = () => window.told.push({ text: document.querySelector(region).textContent, at: Date.now() });
      new MutationObserver(look).observe(document.querySelector(region), {
        childList: true,
        characterData: true,
        subtree: true,
      });
    }, REGION);
    const region = visit.page.locator(REGION);
    assert.equal(await region.getAttribute('aria-live'), 'polite');
    assert.equal(await region.textContent(), '', 'what is there at first is not told');
    const told = () => visit.page.evaluate(() => window.told.filter(({ text }) => text));

    await setStock(shop, mug, 4);
    await visit.until(async () => (await told()).length === 1, 'an announcement');
    for (const left of [3, 2]) {
      await setStock(shop, mug, left);
      await visit.shows(mug, `Only ${left} left`);
    }
    await setStock(shop, pot, 0);
    await visit.shows(pot, 'Sold out');
    await visit.page.clock.fastForward(5_000);
    await visit.until(async () => (await told()).length >= 2, 'another announcement');
    await visit.page.clock.fastForward(20_000);
    await visit.until(async () => (await region.textContent()) === '', 'silence: nothing old is left to be found');
    const all = await told();
    assert.deepEqual(
      all.map(({ text }) => text),
      ['Blue mug: Only 4 left', 'Blue mug: Only 2 left. Sold out'],
    );
    assert.ok(all[1].at - all[0].at >= 5_000);

    await configure(visit, { announce: false });
    await setStock(shop, mug, 1);
    await visit.shows(mug, 'Only 1 left');
    await visit.page.clock.fastForward(10_000);
    assert.equal((await told()).length, 2);
    await visit.close();
  });

  for (const theme of ['light', 'dark']) {
    test(`hinders nobody, in all its states on a ${theme} page`, async () => {
      const ids = [await product(shop, 9), await product(shop, 3), await product(shop, 0), await product(shop, null)];
      const nobodys = 'product_7zzzzzzzzzzzzzzzzzzzzzzzzz';
      const row = (more) => `<p>${[...ids, nobodys].map((id) => badge(id, more)).join(' ')}</p>`;
      const away = 'endpoint="http://127.0.0.1:9/graphql"';
      const body = `<h2>Live</h2>${row('')}<h2>Not live</h2><p>${[
        'available="3" availability="LOW_STOCK"',
        'available="9"',
        'available="0"',
        '',
      ]
        .map((more) => badge(nobodys, `${away} ${more}`))
        .join(' ')}</p>
        <h2>In a card</h2><article><h3>Blue mug</h3><p>€ 12.00 ${badge(ids[1])}</p><button>Buy</button></article>`;
      for (const [name, size] of [
        ['wide', [1000, 520]],
        ['narrow', [320, 640]],
      ]) {
        const visit = await openPage(browser, shop, body, {
          theme,
          size,
          head: `<link rel="stylesheet" href="${look()}">`,
        });
        await visit.shows(ids[1], 'Only 3 left');
        await visit.page.waitForFunction(() => document.querySelectorAll('stock-badge[stale]').length === 5);
        await visit.screenshot(`badge-${theme}-${name}`);
        assert.deepEqual(await visit.violations(), []);
        const width = await visit.page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= size[0], `${width} pixels wide`);
        await visit.close();
      }
    });
  }

  /** The page's own style sheet: a common shop's, light and dark. */
  function look() {
    const css = `:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif }
      body { margin: 1rem; background: light-dark(#fff, #16181d); color: light-dark(#1c1e21, #e6e8eb) }
      article { padding: 1rem; border: 1px solid; max-width: 20rem }`;
    return shop.pages.put(css, { 'content-type': 'text/css' });
  }

  test('is styled by parts, properties and states, and keeps to what visitors prefer', async () => {
    const id = await product(shop, 3);
    const css = shop.pages.put(
      `stock-badge { --stock-badge-low-stock: rgb(1, 2, 3); --stock-badge-radius: 3px }
       stock-badge:state(low-stock):state(live)::part(text) { text-transform: uppercase }
       stock-badge::part(dot) { width: 20px }`,
      { 'content-type': 'text/css' },
    );
    const options = {
      head: `<link rel="stylesheet" href="${css}">`,
      page: { reducedMotion: 'reduce', forcedColors: 'active' },
    };
    const visit = await openPage(browser, shop, badge(id), options);
    await visit.shows(id, 'Only 3 left');
    const looks = () =>
      visit.page.evaluate(() => {
        const badge = document.querySelector('stock-badge').shadowRoot.querySelector('.badge');
        badge.classList.add('changed');
        const style = (name) => getComputedStyle(badge.querySelector(name) ?? badge);
        return {
          radius: style('.badge').borderTopLeftRadius,
          transform: style('.text').textTransform,
          dot: style('.dot').width,
          colour: style('.dot').borderTopColor,
          animation: style('.badge').animationName,
        };
      });
    const forced = await looks();
    assert.deepEqual(
      { ...forced, colour: 0 },
      { radius: '3px', transform: 'uppercase', dot: '20px', colour: 0, animation: 'none' },
    );
    assert.notEqual(forced.colour, 'rgb(1, 2, 3)', 'the system has the say over colours');
    await visit.page.emulateMedia({ reducedMotion: 'no-preference', forcedColors: 'none' });
    const free = await looks();
    assert.equal(free.colour, 'rgb(1, 2, 3)');
    assert.equal(free.animation, 'changed');
    await visit.close();
  });

  test('lets the page switch its button', async () => {
    const id = await product(shop, 9);
    const body = `<article>${badge(id)}<button>Buy</button></article>`;
    const visit = await openPage(browser, shop, body);
    await visit.page.evaluate(() => {
      const [article, button] = [document.querySelector('article'), document.querySelector('button')];
      article.addEventListener(
        'stock-change',
        ({ detail }) => (button.disabled = detail.availability === 'OUT_OF_STOCK'),
      );
    });
    await visit.shows(id, 'In stock');
    await setStock(shop, id, 0);
    await visit.page.locator('button:disabled').waitFor();
    await setStock(shop, id, 1);
    await visit.page.locator('button:enabled').waitFor();
    await visit.close();
  });

  test('follows another product when it is given one', async () => {
    const [one, other] = [await product(shop, 9), await product(shop, 2)];
    const visit = await openPage(browser, shop, badge(one));
    await visit.shows(one, 'In stock');
    await visit.page.evaluate((id) => (document.querySelector('stock-badge').product = id), other);
    await visit.shows(other, 'Only 2 left');
    await visit.until(() => JSON.stringify(visit.followed()) === JSON.stringify([[other]]), 'the end of the first');
    assert.equal(visit.sockets.length, 1);
    await visit.close();
  });
});
