// A server of a test's own, which it may stop and start again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A port that nobody listens to. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A server on a port and a database that outlive its process, with these flags besides. */
export async function ownServer(settings = []) {
  assert.ok(process.env.ONHAND_BINARY, 'ONHAND_BINARY is the path of the server');
  const folder = mkdtempSync(join(tmpdir(), 'onhand-'));
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  let child;
  return {
    api: `http://${listen}/graphql`,
    socket: `ws://${listen}/graphql`,
    async start() {
      const flags = ['--listen', listen, '--database-url', `sqlite://${folder}/shop.db`, ...settings];
      child = spawn(process.env.ONHAND_BINARY, flags, { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
      for await (const line of createInterface(child.stdout)) {
        if (line.startsWith('listening')) break;
      }
      child.stdout.resume();
      assert.equal(child.exitCode, null, 'it listens');
    },
    async stop(signal) {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
    async remove() {
      if (child?.exitCode === null && child.signalCode === null) await this.stop('SIGKILL');
      rmSync(folder, { recursive: true });
    },
  };
}
