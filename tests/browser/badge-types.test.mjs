// The types of the badge's package, as it is published, with the types of the frameworks that pages are made with.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULES = join(import.meta.dirname, 'node_modules');
const PACKAGE = join(import.meta.dirname, '../../web/stock-badge');
const ID = 'product_01j0000000e008000000000001';

/** What every JSX has to take, and what it must not. */
const jsx = (event) => `
  import { configure, type StockEvent } from 'onhand-stock-badge';
  configure({ endpoint: new URL('https://stock.example/graphql') });
  const heard = (event: StockEvent): number | null => event.detail.available;
  export const all = [
    <stock-badge product="${ID}" />,
    <stock-badge product="${ID}" label="Mug" available={3} availability="LOW_STOCK" always endpoint="/graphql">
      In stock
    </stock-badge>,
    <stock-badge product={undefined} available="3" always={false} id="one" lang="de" hidden title="Stock" slot="stock" />,
    <stock-badge product={null} always="false" class="mine" ${event}={heard} />,
    // @ts-expect-error no such state
    <stock-badge product="${ID}" availability="SOLD_OUT" />,
    // @ts-expect-error no such attribute
    <stock-badge produkt="${ID}" />,
    // @ts-expect-error an id is a text
    <stock-badge product={5} />,
  ];`;

const react = `${jsx('onstock-change')}
  import { createRef } from 'react';
  import type { StockBadge } from 'onhand-stock-badge';
  const ref = createRef<StockBadge>();
  export const more = <stock-badge key="one" ref={ref} className="mine" style={{ color: 'red' }} onClick={() => ref.current?.stock.live} />;`;

const vue = `<script setup lang="ts">
import { type StockBadge, type StockEvent } from 'onhand-stock-badge';
import { ref } from 'vue';
const badge = ref<StockBadge>();
const isAlways = ref(false);
const heard = (event: StockEvent) => event.detail.available;
</script>
<template>
  <stock-badge ref="badge" product="${ID}" :available="3" availability="LOW_STOCK" :always="isAlways" class="mine" id="one" />
  <stock-badge product="${ID}" always label="Mug" @stock-change="heard">In stock</stock-badge>
  <!-- @vue-expect-error no such state -->
  <stock-badge product="${ID}" availability="SOLD_OUT" />
  <!-- @vue-expect-error an id is a text -->
  <stock-badge :product="5" />
</template>`;

const svelte = (bad) => `<script lang="ts">
  import { type StockEvent } from 'onhand-stock-badge';
  const heard = (event: StockEvent) => event.detail.available;
</script>
<stock-badge product="${ID}" available={3} availability="LOW_STOCK" always={false} class="mine" id="one" onstock-change={heard}>In stock</stock-badge>
<stock-badge product="${ID}" always label="Mug"></stock-badge>
${bad}`;

describe('the types of the stock badge', () => {
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'onhand-types-'));
    await run('npm', ['pack', '--offline', '--pack-destination', folder], { cwd: PACKAGE });
    await run('sh', ['-c', 'tar xzf onhand-stock-badge-*.tgz'], { cwd: folder });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A project with the badge and these packages: name → folder of the package among ours. */
  function project(name, packages, files, options = {}) {
    const root = join(folder, name);
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    // As npm would put it there: beside the packages that its types speak of.
    cpSync(join(folder, 'package'), join(root, 'node_modules/onhand-stock-badge'), { recursive: true });
    for (const [to, from] of Object.entries(packages)) {
      const path = join(root, 'node_modules', to);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(join(MODULES, from), path);
    }
    const compilerOptions = {
      target: 'ES2022',
      module: 'ESNext',
      moduleResolution: 'Bundler',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      ...options,
    };
    writeFileSync(join(root, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*'] }));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, file), text);
    return root;
  }

  /** What a checker finds wrong with a project. */
  async function faults(root, checker, ...more) {
    try {
      await run(process.execPath, [join(MODULES, checker), ...more], { cwd: root });
      return '';
    } catch ({ stdout, stderr }) {
      return stdout + stderr;
    }
  }

  const tsc = (root) => faults(root, 'typescript/bin/tsc', '-p', '.');

  test('need no framework', async () => {
    const file = `import { configure, StockBadge } from 'onhand-stock-badge';
      configure({ endpoint: null, connectionParams: async () => ({ Authorization: 'Bearer ' }), texts: { fr: { soldOut: 'Épuisé' } } });
      const one = document.createElement('stock-badge');
      one.product = '${ID}';
      one.product = null;
      one.always = false;
      one.available = 3;
      one.availability = 'LOW_STOCK';
      one.label = undefined;
      one.endpoint = new URL('https://stock.example/graphql');
      const live: boolean = one.stock.live;
      const status: 'ACTIVE' | 'ARCHIVED' | null = one.status;
      const made: StockBadge = new StockBadge();
      document.addEventListener('stock-change', ({ detail }) => [detail.availability === 'OUT_OF_STOCK', live, status, made]);
      // @ts-expect-error it is read only
      one.stock = null;
      // @ts-expect-error no such option
      configure({ endPoint: '' });`;
    const root = project('plain', {}, { 'plain.ts': file });
    assert.equal(await tsc(root), '');
  });

  for (const version of [18, 19]) {
    for (const mode of ['react-jsx', 'react']) {
      test(`fit React ${version} with ${mode}`, async () => {
        const classic = mode === 'react' ? `import React from 'react';` : '';
        const from = `types-react-${version}`;
        const files = { 'page.tsx': classic + react };
        const types = { '@types/react': from, csstype: 'csstype', '@types/prop-types': '@types/prop-types' };
        const options = { jsx: mode, allowSyntheticDefaultImports: true };
        assert.equal(await tsc(project(`${from}-${mode}`, types, files, options)), '');
      });
    }
  }

  test('fit Preact', async () => {
    const options = { jsx: 'react-jsx', jsxImportSource: 'preact' };
    assert.equal(
      await tsc(project('preact', { preact: 'preact' }, { 'page.tsx': jsx('onstock-change') }, options)),
      '',
    );
  });

  test('fit Solid', async () => {
    const options = { jsx: 'preserve', jsxImportSource: 'solid-js', skipLibCheck: true };
    const files = { 'page.tsx': jsx('on:stock-change') };
    assert.equal(await tsc(project('solid', { 'solid-js': 'solid-js' }, files, options)), '');
  });

  test('fit the templates of Vue', async () => {
    const options = { jsx: 'preserve', skipLibCheck: true };
    const root = project('vue', { vue: 'vue', '@vue': '@vue' }, { 'Page.vue': vue }, options);
    assert.equal(await faults(root, 'vue-tsc/bin/vue-tsc.js', '-p', '.'), '');
  });

  test('fit the templates of Svelte', async () => {
    const options = { skipLibCheck: true };
    const check = (name, bad) => {
      const root = project(name, { svelte: 'svelte' }, { 'Page.svelte': svelte(bad) }, options);
      return faults(root, 'svelte-check/bin/svelte-check', '--output', 'machine', '--fail-on-warnings');
    };
    assert.equal(await check('svelte', ''), '');
    assert.match(
      await check('svelte-state', `<stock-badge availability="SOLD_OUT"></stock-badge>`),
      /ERROR .*SOLD_OUT/,
    );
    assert.match(await check('svelte-id', `<stock-badge product={5}></stock-badge>`), /ERROR .*number/);
  });
});
