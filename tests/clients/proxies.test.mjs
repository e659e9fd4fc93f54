// Proxies as people have them before the server: nginx as it comes, and the one that we ship.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClient } from 'graphql-sse';
import { STOCK, arrivals, product, receive, request } from './support/api.mjs';
import { freePort, ownServer } from './support/server.mjs';

/** How long the tests wait for what must come. */
const PATIENCE = 20_000;

/** Asks again and again until there is something. */
async function until(what, look) {
  for (const end = Date.now() + PATIENCE; ; ) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `it never came: ${what}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

const upstream = new URL(process.env.ONHAND_URL).host;

/** Starts a proxy with this configuration, and waits until it answers. */
async function proxy(t, [command, ...flags], text, port) {
  const folder = mkdtempSync(join(tmpdir(), 'onhand-proxy-'));
  const file = join(folder, 'proxy.conf');
  writeFileSync(file, text(folder));
  const child = spawn(command, [...flags, file], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true });
  });
  await until('an answer of the proxy', () => {
    assert.equal(child.exitCode, null, 'the proxy runs');
    return fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined);
  });
  return `http://127.0.0.1:${port}`;
}

/** nginx with its defaults: it gathers answers, speaks HTTP/1.0 to the server, and does not pass an upgrade on. */
const nginx = (port) => (folder) => `
worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://${upstream}; proxy_set_header Host $http_host; }
  }
}`;

test('events arrive through nginx as it comes, and each at once', async (t) => {
  const port = await freePort();
  const url = await proxy(t, [process.env.NGINX ?? 'nginx', '-e', 'stderr', '-c'], nginx(port), port);
  const { id } = await product(5);
  const client = createClient({ url: `${url}/graphql`, retryAttempts: 0 });
  t.after(() => client.dispose());
  const states = arrivals();
  client.subscribe(
    { query: STOCK, variables: { ids: [id] } },
    { next: ({ data }) => states.came(data.stockChanged.available), error: states.came, complete: () => {} },
  );
  // What is gathered comes with the end of the stream, which never comes.
  await states.wait((available) => available === 5, 'the present state');
  await receive(id, 2);
  await states.wait((available) => available === 7, 'the next state');
});

/** The shipped configuration with these servers in the place of those of the composition. */
const shipped = (port, server) => () =>
  readFileSync(new URL('../../deploy/haproxy.cfg', import.meta.url), 'utf8')
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace('maxconn 30000', 'maxconn 100')
    .replace('onhand-1:8000', server)
    // In development a server answers to the names of this machine only.
    .replace('httpchk GET /health/ready', 'httpchk\n    http-check send meth GET uri /health/ready hdr Host localhost')
    .replace(/ *server onhand-2 .*/, '');

test('the shipped proxy says in words that pages can read that no server is there', async (t) => {
  const server = await ownServer();
  await server.start();
  t.after(() => server.remove());
  const port = await freePort();
  const url = await proxy(t, [process.env.HAPROXY ?? 'haproxy', '-db', '-f'], shipped(port, new URL(server.api).host), port);
  const api = `${url}/graphql`;
  const ask = () =>
    fetch(api, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://shop.example' },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
  const answered = (status) =>
    until(status, async () => {
      const answer = await ask();
      return answer.status === status ? answer : undefined;
    });
  assert.deepEqual(await (await answered(200)).json(), { data: { __typename: 'Query' } });
  await request('{ __typename }', {}, api);
  const handshake = get(api, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    },
  });
  const [upgraded, socket] = await once(handshake, 'upgrade');
  socket.destroy();
  assert.ok(upgraded.rawHeaders.includes('Sec-WebSocket-Protocol'), upgraded.rawHeaders.join(' '));
  await server.stop('SIGTERM');
  const away = await answered(503);
  assert.match(away.headers.get('content-type'), /^application\/json/);
  assert.equal(away.headers.get('retry-after'), '1');
  assert.equal(away.headers.get('access-control-allow-origin'), '*');
  assert.equal(away.headers.get('access-control-expose-headers'), 'Retry-After');
  const [error] = (await away.json()).errors;
  assert.equal(error.extensions.code, 'UNAVAILABLE');
  assert.ok(error.message.includes('Nothing was executed'));
  const asked = await fetch(api, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://shop.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,traceparent',
    },
  });
  assert.equal(asked.status, 200);
  assert.equal(asked.headers.get('access-control-allow-headers'), 'content-type,traceparent');
  await server.start();
  assert.deepEqual(await (await answered(200)).json(), { data: { __typename: 'Query' } });
});
