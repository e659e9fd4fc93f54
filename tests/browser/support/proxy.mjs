// A proxy between a page and the server, as the badge meets them in the field: under a path, and with its own opinion of
// websockets.
import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';

/** Headers that a proxy does not pass on. */
const OF_THE_CONNECTION = new Set(['connection', 'upgrade', 'keep-alive', 'transfer-encoding']);

/**
 * Opens a proxy for `server`. `prefix` is the path that the server is under. `upgrade` is what becomes of websockets:
 * `pass`, `drop` (the request goes on without its upgrade, as nginx does unless told otherwise), `hang`, or a status that
 * they are answered with. `keeps` keeps answers back until they are complete. `answer` may answer a request in place of the server: it returns whether it did.
 */
export async function openProxy(server, { prefix = '', upgrade = 'pass', keeps = false, answer } = {}) {
  const target = new URL(server);
  const sockets = new Set();
  const proxy = { upgrade, keeps, answer, requests: [], upgrades: 0 };

  const forward = (request, response) => {
    proxy.requests.push(`${request.method} ${request.url}`);
    if (proxy.answer?.(request, response)) return;
    if (!request.url.startsWith(prefix)) return response.writeHead(404).end();
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !OF_THE_CONNECTION.has(name)),
    );
    const { hostname, port } = target;
    const path = request.url.slice(prefix.length);
    const passed = http.request({ hostname, port, method: request.method, path, headers }, (answered) => {
      response.writeHead(answered.statusCode, answered.headers);
      if (proxy.keeps) {
        const parts = [];
        answered.on('data', (part) => parts.push(part));
        answered.on('end', () => response.end(Buffer.concat(parts)));
        return;
      }
      response.flushHeaders();
      answered.pipe(response);
    });
    passed.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  };

  const listener = http.createServer(forward);
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  listener.on('upgrade', (request, socket, head) => {
    proxy.upgrades += 1;
    socket.on('error', () => {});
    if (proxy.upgrade === 'hang') return;
    if (proxy.upgrade === 'drop') {
      const response = new http.ServerResponse(request);
      response.assignSocket(socket);
      response.on('finish', () => socket.end());
      return forward(request, response);
    }
    if (proxy.upgrade !== 'pass') {
      return socket.end(`HTTP/1.1 ${proxy.upgrade} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    }
    const passed = connect(Number(target.port), target.hostname, () => {
      const lines = [];
      for (let at = 0; at < request.rawHeaders.length; at += 2)
        lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
      passed.write(`GET ${request.url.slice(prefix.length)} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      passed.write(head);
      socket.pipe(passed).pipe(socket);
    });
    passed.on('error', () => socket.destroy());
    passed.on('close', () => socket.destroy());
    socket.on('close', () => passed.destroy());
  });
  listener.listen(0, '127.0.0.1');
  // A test that fails before it closes its proxy does not keep the others from ending.
  listener.unref();
  await once(listener, 'listening');
  proxy.url = `http://127.0.0.1:${listener.address().port}${prefix}`;
  /** Cuts every connection that is open. */
  proxy.cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  proxy.close = () => {
    listener.close();
    proxy.cut();
  };
  return proxy;
}
