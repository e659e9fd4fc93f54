// Relay's compiler: it takes a connection, `node` to fetch a fragment again by, and a subscription.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const HERE = import.meta.dirname;

test('relay-compiler accepts connections, refetching by node, and subscriptions', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'onhand-relay-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'generated'));
  cpSync(join(HERE, 'relay'), join(folder, 'src'), { recursive: true });
  cpSync(join(HERE, '../../schema.graphql'), join(folder, 'schema.graphql'));
  const config = { src: './src', schema: './schema.graphql', language: 'javascript', artifactDirectory: './generated' };
  writeFileSync(join(folder, 'relay.config.json'), JSON.stringify(config));
  const compiler = join(HERE, 'node_modules/relay-compiler/cli.js');
  await promisify(execFile)(process.execPath, [compiler, 'relay.config.json'], { cwd: folder });
  const artifacts = readdirSync(join(folder, 'generated'), { recursive: true }).join('\n');
  for (const name of ['listMoreQuery', 'listProductQuery', 'listPageQuery', 'listStockSubscription']) {
    assert.ok(artifacts.includes(`${name}.graphql.js`), `${name} in\n${artifacts}`);
  }
});
