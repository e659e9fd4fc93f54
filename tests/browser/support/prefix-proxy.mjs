// A proxy that serves a shop under a path of its own, as a shop's own site does, and that can be told to misbehave.
import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** Passes what comes under `prefix` on to `target`, the prefix taken away, websockets only if `upgrades`. */
export async function openProxy(target, { prefix = '/stock/', upgrades = true } = {}) {
  const { hostname, port } = new URL(target);
  const onward = ({ url, method, headers }) =>
    request({ hostname, port, method, headers, path: `/${url.slice(prefix.length)}` });
  const sockets = new Set();

  const server = createServer((asked, answer) => {
    if (!asked.url.startsWith(prefix)) {
      answer.writeHead(404).end();
      return;
    }
    const passed = onward(asked);
    passed.on('response', (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    // What a proxy says whose server is away.
    passed.on('error', () => answer.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502 Bad Gateway</h1>'));
    asked.pipe(passed);
  });
  server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))));
  server.on('upgrade', (asked, socket) => {
    socket.on('error', () => socket.destroy());
    if (!upgrades) {
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const passed = onward(asked);
    passed.on('error', () => socket.destroy());
    passed.on('upgrade', (response, behind) => {
      const lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`);
      socket.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'));
      behind.on('error', () => socket.destroy());
      behind.on('close', () => socket.destroy());
      socket.on('close', () => behind.destroy());
      behind.pipe(socket).pipe(behind);
    });
    passed.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
