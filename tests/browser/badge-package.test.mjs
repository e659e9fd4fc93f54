// The package of the stock badge: how heavy it is, what is in it, and that it can be imported where there is no page.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

/** What the badge may weigh when it is compressed, in bytes. */
const MAX_GZIPPED = 11_500;

const FOLDER = new URL('../../web/stock-badge/', import.meta.url);
const SCRIPT = new URL('dist/stock-badge.js', FOLDER);

test('the badge weighs a few kilobytes', (t) => {
  const size = gzipSync(readFileSync(SCRIPT), { level: 9 }).length;
  t.diagnostic(`${size} bytes with gzip`);
  assert.ok(size <= MAX_GZIPPED, `${size} bytes with gzip, more than ${MAX_GZIPPED}`);
  const told = `less than ${MAX_GZIPPED / 1_000} kB compressed`;
  assert.ok(readFileSync(new URL('../../README.md', FOLDER), 'utf8').includes(told), `README.md says "${told}"`);
});

test('the package has the script, its types, a description and the licences, and nothing else', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--offline'], { cwd: FOLDER, encoding: 'utf8' });
  const [{ files }] = JSON.parse(packed);
  const names = files.map(({ path }) => path).filter((path) => !/^dist\/types\/[a-z]+\.d\.ts$/.test(path));
  assert.deepEqual(names.toSorted(), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'README.md',
    'dist/stock-badge.js',
    'package.json',
  ]);
  const { exports } = JSON.parse(readFileSync(new URL('package.json', FOLDER), 'utf8'));
  for (const path of Object.values(exports['.']))
    assert.ok(
      files.some((file) => `./${file.path}` === path),
      path,
    );
});

test('the module can be imported where pages are rendered on a server', async () => {
  const { StockBadge, configure } = await import(SCRIPT);
  assert.equal(typeof StockBadge, 'function');
  configure({ texts: { fr: { soldOut: 'Épuisé' } } });
});
