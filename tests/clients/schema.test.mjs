// graphql-eslint: the schema follows what is recommended for schemas, and Relay's rules. graphql-js: it breaks no client of
// the last release, whose schema is `released.graphql` beside this file; a release replaces that by its own.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ESLint } from 'eslint';
import { buildSchema, findBreakingChanges } from 'graphql';
import overrideConfig from './eslint.config.mjs';

test('the schema passes the rules of graphql-eslint', async () => {
  const cwd = join(import.meta.dirname, '../..');
  const eslint = new ESLint({ cwd, overrideConfigFile: true, overrideConfig });
  const results = await eslint.lintFiles(['schema.graphql']);
  const formatter = await eslint.loadFormatter('stylish');
  const faults = results.reduce((count, one) => count + one.errorCount + one.warningCount, 0);
  assert.equal(results.length, 1);
  assert.equal(faults, 0, await formatter.format(results));
});

const schemaAt = async (path) => buildSchema(await readFile(join(import.meta.dirname, path), 'utf8'));

test('the schema breaks no client of the last release', async () => {
  const released = await schemaAt('released.graphql');
  const current = await schemaAt('../../schema.graphql');
  const told = findBreakingChanges(released, current).map((change) => change.description);
  assert.deepEqual(told, []);
});

test('a field, an argument or a value that goes would be found', async () => {
  const text = await readFile(join(import.meta.dirname, 'released.graphql'), 'utf8');
  const released = buildSchema(text);
  for (const [part, instead] of [
    ['  sku: String!\n', '  code: String!\n'],
    ['  number: String!\n', '  number: String\n'],
    ['  LOW_STOCK\n', '  LOW\n'],
  ]) {
    assert.ok(text.includes(part), part);
    const found = findBreakingChanges(released, buildSchema(text.replace(part, instead)));
    assert.notDeepEqual(found, [], part);
  }
});
