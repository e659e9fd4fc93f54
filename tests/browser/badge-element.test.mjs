// The stock badge as an element among others: made, filled, moved, copied and morphed by pages and frameworks that do not
// know it, in several copies, and under a path.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-element.test.mjs
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { badge, html, openPage } from './support/badge-page.mjs';
import { archive, openShop, product, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';
import { openProxy } from './support/proxy.mjs';

const REGION = '[data-stock-badge-announcer]';
const SCRIPT = readFileSync(new URL('../../web/stock-badge/dist/stock-badge.js', import.meta.url), 'utf8');

describe('a stock badge as an element', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  /** A page whose scripts run before that of the badge. */
  const early = (script, body = '') => html(shop, `${body}<div id="list"></div><script>${script}</script>`);

  test('takes over what was set before it was one, and follows what is set later', async () => {
    const [one, other, third] = [await product(shop, 9), await product(shop, 2), await product(shop, 3)];
    const whole = early(
      `const made = document.createElement('stock-badge');
       Object.assign(made, { product: '${one}', available: 7, availability: 'IN_STOCK', label: 'Mug', always: true,
         endpoint: '${shop.url}/graphql', stock: 'nonsense', status: 'nonsense' });
       document.getElementById('list').append(made);
       document.getElementById('there').product = '${third}';`,
      `<stock-badge id="there" product="${one}"></stock-badge>`,
    );
    const visit = await openPage(browser, shop, '', { whole });
    await visit.shows(one, 'In stock');
    await visit.shows(third, 'Only 3 left');
    const made = visit.page.locator('#list stock-badge');
    assert.deepEqual(
      await made.evaluate((one) => [
        Object.keys(one),
        ...['product', 'available', 'availability', 'label', 'always', 'endpoint'].map((name) =>
          one.getAttribute(name),
        ),
        one.stock.live,
        one.status,
      ]),
      [[], one, '7', 'IN_STOCK', 'Mug', '', `${shop.url}/graphql`, true, 'ACTIVE'],
    );
    await made.evaluate((one, id) => (one.product = id), other);
    await visit.shows(other, 'Only 2 left');
    await visit.close();
  });

  test('takes what templates leave around a value for nothing', async () => {
    const id = await product(shop, 9);
    const body = `<stock-badge product="\n  ${id}\n" available=" 3 " availability="LOW_STOCK\n"></stock-badge>`;
    const visit = await openPage(browser, shop, body);
    await visit.page.locator('stock-badge[live]').waitFor();
    const found = await visit.page.evaluate(() => {
      const { product, available, availability } = document.querySelector('stock-badge');
      return [product, available, availability];
    });
    assert.deepEqual(found, [id, 3, 'LOW_STOCK']);
    assert.deepEqual(visit.told, []);
    await visit.close();
  });

  test('has a property for each attribute, which takes what frameworks give', async () => {
    const visit = await openPage(browser, shop, '<stock-badge></stock-badge>');
    await visit.page.waitForFunction(() => customElements.get('stock-badge'));
    const found = await visit.page.evaluate(() => {
      const one = document.querySelector('stock-badge');
      const all = [];
      const set = (name, ...values) => {
        for (const value of values) {
          one[name] = value;
          all.push([name, one.getAttribute(name), one[name]]);
        }
      };
      set('product', 'a', null, 'b', undefined, 'c', '');
      set('label', 'Mug', null);
      set('available', 0, '12', null, 5, undefined);
      set('availability', 'LOW_STOCK', 'nonsense', null);
      set('endpoint', new URL('https://stock.example/graphql'), null);
      set('always', true, false, 'false', '', 'true', null, 0, 1, undefined);
      const attributes = ['', 'true', 'false', ' False ', '0', null].map((value) => {
        if (value === null) one.removeAttribute('always');
        else one.setAttribute('always', value);
        return one.always;
      });
      // Vue and React 19 look for this before they set a property.
      const names = ['product', 'label', 'available', 'availability', 'endpoint', 'always'];
      return { all, attributes, missing: names.filter((name) => !(name in one)) };
    });
    assert.deepEqual(found.all, [
      ['product', 'a', 'a'],
      ['product', null, ''],
      ['product', 'b', 'b'],
      ['product', null, ''],
      ['product', 'c', 'c'],
      ['product', null, ''],
      ['label', 'Mug', 'Mug'],
      ['label', null, ''],
      ['available', '0', 0],
      ['available', '12', 12],
      ['available', null, null],
      ['available', '5', 5],
      ['available', null, null],
      ['availability', 'LOW_STOCK', 'LOW_STOCK'],
      ['availability', 'nonsense', null],
      ['availability', null, null],
      ['endpoint', 'https://stock.example/graphql', 'https://stock.example/graphql'],
      ['endpoint', null, ''],
      ['always', '', true],
      ['always', null, false],
      ['always', null, false],
      ['always', null, false],
      ['always', '', true],
      ['always', null, false],
      ['always', null, false],
      ['always', '', true],
      ['always', null, false],
    ]);
    assert.deepEqual(found.attributes, [true, true, false, false, false, false]);
    assert.deepEqual(found.missing, []);
    await visit.close();
  });

  test('is followed out of view with `always`, and not where that is said to be false', async () => {
    const [near, far, off] = [await product(shop, 9), await product(shop, 9), await product(shop, 9)];
    const body = `${badge(near)}<div style="height: 5000px"></div>${badge(off, 'always="false"')}${badge(far, 'always')}`;
    const visit = await openPage(browser, shop, body);
    await visit.shows(near, 'In stock');
    await visit.shows(far, 'In stock');
    assert.deepEqual(visit.followed().flat().toSorted(), [near, far].toSorted());
    assert.equal((await visit.look(off)).live, false);
    await visit.page.evaluate((id) => (document.querySelector(`[product="${id}"]`).always = true), off);
    await visit.shows(off, 'In stock');
    await visit.close();
  });

  test('keeps its looks when the page is morphed, and puts back what is its own and nothing else', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id, 'class="mine" id="one" title="Stock" dir="ltr"'));
    await visit.shows(id, 'In stock');
    const result = await visit.page.evaluate(async (region) => {
      const one = document.querySelector('stock-badge');
      const inside = (name) => getComputedStyle(one.shadowRoot.querySelector(name));
      const looks = () => [
        inside('.dot').backgroundColor,
        inside('.badge').backgroundColor,
        inside('.badge').borderTopStyle,
        one.matches(':state(in-stock)'),
        one.matches(':state(live)'),
        one.stock.live,
      ];
      const attributes = () => one.getAttributeNames().toSorted().join(' ');
      const before = [looks(), attributes()];
      // What Turbo, Livewire, LiveView, htmx with idiomorph and Svelte 4 do.
      for (const name of one.getAttributeNames())
        if (!['product', 'class', 'id'].includes(name)) one.removeAttribute(name);
      for (const node of document.querySelectorAll(region)) node.remove();
      const morphed = looks();
      const frame = () => new Promise(requestAnimationFrame);
      await frame();
      const later = [looks(), attributes()];
      // Markup that claims more than there is.
      one.setAttribute('state', 'sold-out');
      one.setAttribute('stale', '');
      const claimed = looks();
      await frame();
      return { before, morphed, later, claimed, last: [one.getAttribute('state'), one.hasAttribute('stale')] };
    }, REGION);
    assert.deepEqual(result.morphed, result.before[0], 'it looks as before, at once');
    assert.deepEqual(result.claimed, result.before[0]);
    assert.deepEqual(result.later, [result.before[0], 'class id live product state']);
    assert.deepEqual(result.last, ['in-stock', false]);
    // The next change is told, though the page has removed the announcer.
    await setStock(shop, id, 2);
    await visit.page.locator(REGION).filter({ hasText: 'Only 2 left' }).waitFor({ state: 'attached' });
    await visit.close();
  });

  test('does not hang the page with whoever takes its attributes away whenever they come', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id));
    await visit.shows(id, 'In stock');
    await visit.page.evaluate(() => {
      const one = document.querySelector('stock-badge');
      const strip = () => ['state', 'live', 'stale'].forEach((name) => one.removeAttribute(name));
      new MutationObserver(strip).observe(one, { attributes: true });
      strip();
    });
    await setStock(shop, id, 2);
    await visit.page.waitForFunction(() => window.shown(document.querySelector('stock-badge')) === 'Only 2 left');
    await visit.close();
  });

  test('leaves alone what a morph has made of its announcer', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, badge(id));
    await visit.shows(id, 'In stock');
    await visit.page.evaluate((region) => {
      const node = document.querySelector(region);
      for (const name of node.getAttributeNames()) node.removeAttribute(name);
      Object.assign(node, { id: 'footer', textContent: 'Imprint' });
    }, REGION);
    await setStock(shop, id, 2);
    await visit.page.locator(REGION).filter({ hasText: 'Only 2 left' }).waitFor({ state: 'attached' });
    assert.equal(await visit.page.locator('#footer').textContent(), 'Imprint');
    await visit.close();
  });

  test('never looks live in a page that was kept, and has one announcer there', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, `<div id="list">${badge(id)}</div>`);
    await visit.shows(id, 'In stock');
    await setStock(shop, id, 4);
    await visit.page.locator(REGION).filter({ hasText: 'Only 4 left' }).waitFor({ state: 'attached' });
    const looks = await visit.page.evaluate((region) => {
      // Turbo keeps a copy of the body, and puts it back later.
      const kept = document.body.cloneNode(true);
      document.body.replaceWith(document.createElement('body'));
      document.documentElement.replaceChild(kept, document.body);
      const one = document.querySelector('stock-badge');
      const all = [...document.querySelectorAll(region)];
      return {
        attributes: [one.hasAttribute('live'), one.getAttribute('state'), one.matches(':state(live)'), one.stock.live],
        regions: all.map((region) => region.textContent),
      };
    }, REGION);
    assert.deepEqual(looks.attributes, [false, 'unknown', false, false]);
    assert.equal(looks.regions.length, 1);
    await visit.shows(id, 'Only 4 left');
    await visit.close();
  });

  test('goes on where it is moved, without a gap, and lets go when it is taken out', async () => {
    const id = await product(shop, 9);
    const visit = await openPage(browser, shop, `<div id="from">${badge(id)}</div><div id="to"></div>`);
    await visit.shows(id, 'In stock');
    const isLive = await visit.page.evaluate(async () => {
      const one = document.querySelector('stock-badge');
      document.getElementById('to').append(one);
      const moved = one.stock.live && one.hasAttribute('live');
      one.remove();
      document.getElementById('from').append(one);
      return moved && one.stock.live;
    });
    assert.ok(isLive);
    assert.equal((await visit.heard('stock-live')).length, 1);
    await setStock(shop, id, 2);
    await visit.shows(id, 'Only 2 left');
    const gone = await visit.page.evaluate(async () => {
      const one = document.querySelector('stock-badge');
      one.remove();
      await new Promise((resolve) => setTimeout(resolve));
      const { live } = one.stock;
      one.setAttribute('product', one.product);
      document.body.append(one);
      return live;
    });
    assert.equal(gone, false);
    await visit.shows(id, 'Only 2 left');
    await visit.close();
  });

  test('is at home in other documents, in markup of the server, and in copies', async () => {
    const id = await product(shop, 9);
    const body = `<stock-badge id="open" product="${id}"><template shadowrootmode="open"><b>Server</b></template></stock-badge>
      <stock-badge id="closed" product="${id}"><template shadowrootmode="closed"><b>Server</b></template></stock-badge>
      <template id="inert">${badge(id, 'id="parsed"')}</template><p style="display: contents">
      <stock-badge id="boxless" product="${id}" style="display: contents"></stock-badge></p><iframe></iframe>`;
    const visit = await openPage(browser, shop, body);
    await visit.page.locator('#open[live]').waitFor();
    await visit.page.locator('#closed[live]').waitFor();
    await visit.page.locator('#boxless[live]').waitFor({ state: 'attached' });
    await visit.page.evaluate(() => {
      const first = document.getElementById('open');
      document.body.append(
        document.getElementById('inert').content.cloneNode(true),
        Object.assign(first.cloneNode(true), { id: 'cloned' }),
        document.adoptNode(
          new DOMParser().parseFromString(first.outerHTML.replace('open', 'foreign'), 'text/html').body.firstChild,
        ),
      );
      const written = document.createElement('div');
      written.innerHTML = first.outerHTML.replace('open', 'written');
      document.body.append(written);
    });
    for (const name of ['parsed', 'cloned', 'foreign', 'written']) await visit.page.locator(`#${name}[live]`).waitFor();
    // Into a frame and back: with its style in both.
    const styled = await visit.page.evaluate(async () => {
      const one = document.getElementById('cloned');
      const radius = () =>
        one.ownerDocument.defaultView.getComputedStyle(one.shadowRoot.firstChild).borderTopLeftRadius;
      const at = [radius()];
      document.querySelector('iframe').contentDocument.body.append(one);
      at.push(radius());
      document.body.append(one);
      at.push(radius());
      return at;
    });
    assert.equal(new Set(styled).size, 1, styled.join(', '));
    assert.notEqual(styled[0], '0px');
    await visit.page.locator('#cloned[live]').waitFor();
    await visit.close();
  });

  test('cannot be bought when its product is archived, and says so at once', async () => {
    const [id, gone] = [await product(shop, 9), await product(shop, 9)];
    await archive(shop, gone);
    const visit = await openPage(browser, shop, badge(id) + badge(gone), { lang: 'de' });
    await visit.shows(id, 'Auf Lager');
    await visit.shows(gone, 'Nicht mehr erhältlich');
    await archive(shop, id);
    await visit.shows(id, 'Nicht mehr erhältlich');
    assert.equal((await visit.look(id)).state, 'sold-out');
    const last = (await visit.heard('stock-change')).filter((one) => one.product === id).at(-1);
    assert.deepEqual([last.available, last.availability, last.live], [0, 'OUT_OF_STOCK', true]);
    assert.equal(await visit.page.locator(`[product="${id}"]`).evaluate((one) => one.status), 'ARCHIVED');
    await archive(shop, id, 'restoreProduct');
    await visit.shows(id, 'Auf Lager');
    await visit.close();
  });

  test('is configured by whichever copy of the script a page has', async () => {
    const id = await product(shop, 9);
    const app = shop.pages.put(SCRIPT, { 'content-type': 'text/javascript' });
    const body = `${badge(id, 'always')}<script type="module">
      import { configure } from '${app}';
      configure({ announce: false, texts: { en: { inStock: 'Yes, we have it' } } });
    </script>`;
    const visit = await openPage(browser, shop, body);
    await visit.shows(id, 'Yes, we have it');
    await setStock(shop, id, 2);
    await visit.shows(id, 'Only 2 left');
    assert.equal(await visit.page.locator(REGION).count(), 1);
    assert.deepEqual(visit.told, []);
    await visit.close();
  });

  test('says which copy cannot be reached, and which options there are not', async () => {
    const script = `customElements.define('stock-badge', class extends HTMLElement {});`;
    const whole = early(script, '').replace('</head>', `</head>`);
    const visit = await openPage(browser, shop, '', { whole });
    const configure = (options) =>
      visit.page.evaluate(
        async ([script, options]) => (await import(script)).configure(options),
        [`${shop.url}/stock-badge.js`, options],
      );
    await configure({ texts: {} });
    await configure({ texts: {} });
    assert.equal(visit.told.length, 1);
    assert.match(visit.told[0], /another copy/);
    await visit.close();

    const own = await openPage(browser, shop, '');
    const choose = (options) =>
      own.page.evaluate(
        async ([script, options]) => (await import(script)).configure(options),
        [`${shop.url}/stock-badge.js`, options],
      );
    for (const options of [
      { endPoint: 'https://stock.example', announce: undefined },
      { endPoint: 'x' },
      null,
      undefined,
    ])
      await choose(options);
    assert.equal(own.told.length, 1);
    assert.match(own.told[0], /no option "endPoint"/);
    await own.close();
  });

  test('finds its server under a path, whatever the base of the page', async () => {
    const id = await product(shop, 9);
    const proxy = await openProxy(shop.url, { prefix: '/stock' });
    const whole = `<!doctype html><base href="https://elsewhere.example/a/b/"><link rel="icon" href="data:,">
      <script type="module" src="${proxy.url}/stock-badge.js?v=3"></script>${badge(id)}`;
    const visit = await openPage(browser, shop, '', { whole });
    await visit.shows(id, 'In stock');
    assert.equal(proxy.upgrades, 1);
    await visit.close();

    // Named by the page in every way that names an address.
    const { host, port } = new URL(proxy.url);
    const ways = [`//${host}/stock/graphql`, `ws://${host}/stock/graphql?a=b#c`, `http://${host}/stock/graphql?a=b`];
    for (const way of ways) {
      const named = await openPage(browser, shop, badge(id, `endpoint="${way}"`));
      await named.shows(id, 'In stock');
      assert.deepEqual(named.told, []);
      await named.close();
    }
    assert.equal(proxy.upgrades, 1 + ways.length, `all of them at ${port}`);
    // Relative to the base of the page, as every other address on it.
    const based = await openPage(browser, shop, '', {
      whole: `<!doctype html><base href="${proxy.url}/shop/"><script type="module" src="${shop.url}/stock-badge.js"></script>
        ${badge(id, 'endpoint="../graphql"')}`,
    });
    await based.shows(id, 'In stock');
    assert.equal(proxy.upgrades, 2 + ways.length);
    await based.close();
    proxy.close();
  });
});
