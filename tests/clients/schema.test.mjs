// graphql-eslint: the schema follows what is recommended for schemas, and Relay's rules.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ESLint } from 'eslint';
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
