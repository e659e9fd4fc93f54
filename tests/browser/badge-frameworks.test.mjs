// The stock badge in what React 18 and 19, Preact, Vue and Svelte make of their templates, in a browser.
//
//   ONHAND_BINARY=target/debug/onhand node --test badge-frameworks.test.mjs
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compile } from 'svelte/compiler';
import { openPage } from './support/badge-page.mjs';
import { openShop, products, setStock } from './support/badge-shop.mjs';
import { launch } from './support/browser.mjs';

const MODULES = join(import.meta.dirname, 'node_modules');
const FAR = '<div style="height: 5000px"></div>';

/** What a page does: shows three badges, and then lets `update(first, isAlways)` change them. */
const react = (version) => ({
  setup: `${commonJs(version)}
    const React = load('react'), { createRoot } = load('react-dom/client');
    const h = React.createElement;`,
  script: `const root = createRoot(document.getElementById('root'));
    window.update = (first, isAlways) => root.render(h(React.StrictMode, null,
      h('stock-badge', { product: first, label: 'Mug' }), h('div', { style: { height: '5000px' } }),
      h('stock-badge', { product: ids[1], always: isAlways }), h('stock-badge', { product: ids[2], always: !isAlways })));`,
});

const FRAMEWORKS = {
  'React 18': react(18),
  'React 19': react(19),
  Preact: {
    script: `import { h, render } from '/node_modules/preact/dist/preact.mjs';
      window.update = (first, isAlways) => render(h('div', null,
        h('stock-badge', { product: first, label: 'Mug' }), h('div', { style: 'height: 5000px' }),
        h('stock-badge', { product: ids[1], always: isAlways }), h('stock-badge', { product: ids[2], always: !isAlways })),
        document.getElementById('root'));`,
  },
  Vue: {
    script: `import { createApp, reactive } from '/node_modules/vue/dist/vue.esm-browser.prod.js';
      const state = reactive({ first: '', isAlways: false, ids });
      const template = \`<stock-badge :product="first" label="Mug"></stock-badge>${FAR}
        <stock-badge :product="ids[1]" :always="isAlways"></stock-badge><stock-badge :product="ids[2]" :always="!isAlways"></stock-badge>\`;
      const app = createApp({ template, setup: () => state });
      app.config.compilerOptions.isCustomElement = (tag) => tag === 'stock-badge';
      let isThere = false;
      window.update = (first, isAlways) => {
        Object.assign(state, { first, isAlways });
        if (!isThere) app.mount('#root');
        isThere = true;
      };`,
  },
  Svelte: {
    script: `import { mount, flushSync } from 'svelte';
      import Page from '/page.js';
      window.update = (first, isAlways) => {
        if (window.set) return flushSync(() => window.set(first, isAlways));
        mount(Page, { target: document.getElementById('root'), props: { start: first, isOn: isAlways, ids } });
      };`,
    files: {
      '/page.js': compile(
        `<script>
          let { start, isOn, ids } = $props();
          let first = $state(start);
          let isAlways = $state(isOn);
          window.set = (one, always) => { first = one; isAlways = always; };
        </script>
        <stock-badge product={first} label="Mug"></stock-badge>${FAR}
        <stock-badge product={ids[1]} always={isAlways}></stock-badge><stock-badge product={ids[2]} always={!isAlways}></stock-badge>`,
        { generate: 'client', name: 'Page' },
      ).js.code,
    },
  },
};

/** A script that has `load`, with React of a release. */
function commonJs(version) {
  const [core, dom] = [`react-${version}`, `react-dom-${version}`].map((name) => join(MODULES, name));
  const scheduler = dirname(createRequire(join(dom, 'package.json')).resolve('scheduler'));
  const files = {
    react: join(core, 'cjs/react.development.js'),
    'react-dom': join(dom, 'cjs/react-dom.development.js'),
    'react-dom/client': join(dom, version === 18 ? 'client.js' : 'cjs/react-dom-client.development.js'),
    scheduler: join(scheduler, 'cjs/scheduler.development.js'),
  };
  const texts = Object.entries(files).map(([name, path]) => [name, readFileSync(path, 'utf8')]);
  return `const process = { env: { NODE_ENV: 'development' } }, texts = new Map(${JSON.stringify(texts).replaceAll('</', '<\\/')}), loaded = new Map();
    function load(name) {
      if (!loaded.has(name)) {
        const module = { exports: {} };
        loaded.set(name, module);
        new Function('module', 'exports', 'require', 'process', texts.get(name))(module, module.exports, load, process);
      }
      return loaded.get(name).exports;
    }`;
}

const IMPORTS = {
  svelte: '/node_modules/svelte/src/index-client.js',
  'svelte/internal/client': '/node_modules/svelte/src/internal/client/index.js',
  'svelte/internal/disclose-version': '/node_modules/svelte/src/internal/disclose-version.js',
  'svelte/internal/flags/legacy': '/node_modules/svelte/src/internal/flags/legacy.js',
  'svelte/reactivity': '/node_modules/svelte/src/reactivity/index-client.js',
  'svelte/store': '/node_modules/svelte/src/store/index-client.js',
  '#client/constants': '/node_modules/svelte/src/internal/client/constants.js',
  'esm-env': '/esm-env.js',
  clsx: '/node_modules/clsx/dist/clsx.mjs',
};

describe('a stock badge in a template', () => {
  let browser;
  let shop;
  before(async () => {
    [browser, shop] = await Promise.all([launch(), openShop()]);
  });
  after(async () => {
    await browser?.close();
    await shop?.close();
  });

  for (const [name, { setup = '', script, files = {} }] of Object.entries(FRAMEWORKS)) {
    for (const order of ['before', 'after']) {
      test(`of ${name} follows its product and is off with always={false}, its script ${order} the page's`, async () => {
        const [first, off, on, other] = await products(shop, 4, 9);
        const own = { '/esm-env.js': 'export const BROWSER = true, DEV = false, NODE = false;', ...files };
        const badge = `<script type="module" src="${shop.url}/stock-badge.js"></script>`;
        const page = `<script type="module">${script.replace(/^(\s*import .*\n)*/, (imports) => `${imports}const ids = ${JSON.stringify([first, off, on])};${setup}\n`)}
          update(ids[0], false);</script>`;
        const whole = `<!doctype html><html lang="en"><link rel="icon" href="data:,">
          <script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script><div id="root"></div>
          ${order === 'before' ? badge + page : page + badge}`;
        const serve = (page) =>
          page.route(
            (url) => url.origin === shop.pages.origin && url.pathname.endsWith('js'),
            (route) => {
              const { pathname } = new URL(route.request().url());
              const body = own[pathname] ?? readFileSync(join(import.meta.dirname, pathname), 'utf8');
              return route.fulfill({ contentType: 'text/javascript', body });
            },
          );
        const visit = await openPage(browser, shop, '', { whole, before: serve });
        await visit.shows(first, 'In stock');
        await visit.shows(on, 'In stock');
        assert.deepEqual(visit.followed().flat().toSorted(), [first, on].toSorted());
        await setStock(shop, first, 2);
        await visit.shows(first, 'Only 2 left');
        // The page draws itself anew: nothing of the badge is lost, and what has changed is followed.
        await visit.page.evaluate((other) => window.update(other, true), other);
        await visit.shows(other, 'In stock');
        await visit.shows(off, 'In stock');
        await visit.shows(on, 'In stock', false);
        assert.equal(await visit.page.locator('stock-badge').first().getAttribute('label'), 'Mug');
        await visit.close();
      });
    }
  }

  test('of React holds out when a page of the server is hydrated, whatever it has become before', async () => {
    const [id] = await products(shop, 1, 9);
    for (const version of [18, 19]) {
      const whole = `<!doctype html><html lang="en"><link rel="icon" href="data:,">
        <script type="module" src="${shop.url}/stock-badge.js"></script>
        <div id="root"><p><stock-badge product="${id}" always="">In stock</stock-badge></p></div>
        <script type="module">${commonJs(version)}
          const React = load('react'), { hydrateRoot } = load('react-dom/client'), h = React.createElement;
          const show = (more) => h('p', null, h('stock-badge', { product: '${id}', always: true, ...more }, 'In stock'));
          window.hydrate = () => (window.root = hydrateRoot(document.getElementById('root'), show()));
          window.again = () => window.root.render(show({ label: 'Mug' }));
        </script>`;
      const visit = await openPage(browser, shop, '', { whole });
      await visit.shows(id, 'In stock');
      await visit.page.evaluate(() => window.hydrate());
      await setStock(shop, id, 2);
      await visit.shows(id, 'Only 2 left');
      await visit.page.evaluate(() => window.again());
      await visit.page.locator('[label=Mug]').waitFor();
      await visit.shows(id, 'Only 2 left');
      assert.equal((await visit.heard('stock-live')).length, 1);
      await setStock(shop, id, 9);
      await visit.shows(id, 'In stock');
      await visit.close();
    }
  });
});
