// The examples for people's own stacks, served as their READMEs say, and what a visitor sees on their pages.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const FOLDER = join(import.meta.dirname, '../../../web/examples');

const LONGEST_WAIT_MS = 60_000;

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' };

/** The built pages of an example, behind the proxy of its own configuration: its address, and how to stop. */
export async function preview(name, server) {
  const root = join(FOLDER, name);
  assert.ok(existsSync(join(root, 'dist/index.html')), `\`npm ci && npm run build\` in ${root} makes the pages`);
  const vite = await import(pathToFileURL(join(root, 'node_modules/vite/dist/node/index.js')).href);
  process.env.ONHAND_URL = server;
  const running = await vite.preview({ root, logLevel: 'silent', preview: { host: '127.0.0.1', port: 0 } });
  const sockets = new Set();
  running.httpServer.on('connection', (socket) => sockets.add(socket));
  return {
    url: `http://127.0.0.1:${running.httpServer.address().port}/`,
    close() {
      // It would wait for the ends of websockets whose server is gone.
      for (const socket of sockets) socket.destroy();
      return running.close();
    },
  };
}

/** The files of an example as they are; `server` takes the place of the server's address in its page. */
export async function serveFiles(name) {
  const address = 'http://127.0.0.1:8000';
  const pages = { server: address };
  const http = createServer((request, response) => {
    const path = join(FOLDER, name, request.url === '/' ? 'index.html' : request.url);
    if (!existsSync(path)) return response.writeHead(404).end();
    const text = readFileSync(path, 'utf8');
    response.writeHead(200, { 'content-type': TYPES[path.split('.').at(-1)] ?? 'text/plain' });
    response.end(path.endsWith('.html') ? text.replaceAll(address, pages.server) : text);
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const origin = `http://127.0.0.1:${http.address().port}`;
  return Object.assign(pages, {
    origin,
    url: `${origin}/`,
    close() {
      http.close();
      http.closeAllConnections();
    },
  });
}

/** Opens the page of an example. */
export async function visit(browser, url) {
  const context = await browser.newContext({ viewport: { width: 900, height: 800 } });
  context.setDefaultTimeout(LONGEST_WAIT_MS);
  const page = await context.newPage();
  const visit = new ExamplePage(page);
  await page.goto(url);
  return visit;
}

class ExamplePage {
  /** The operations that were sent over HTTP, by the first field of each. */
  sent = [];
  faults = [];

  constructor(page) {
    this.page = page;
    page.on('request', (request) => {
      if (!request.url().endsWith('/graphql') || request.method() !== 'POST') return;
      this.sent.push(fieldOf(request));
    });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.faults.push(message.text());
    });
    page.on('pageerror', (error) => this.faults.push(error.message));
  }

  /** Waits until a product is shown with so many units. */
  async shows(productId, available) {
    const cell = this.row(productId).getByText(/^\d+ available$/);
    const end = Date.now() + LONGEST_WAIT_MS;
    while ((await cell.textContent()) !== `${available} available`) {
      assert.ok(Date.now() < end, `not ${available} available: ${await cell.textContent()}`);
      await cell.page().waitForTimeout(20);
    }
  }

  row(productId) {
    return this.page.locator(`[data-product="${productId}"]`);
  }

  press(name) {
    return this.page.getByRole('button', { name, exact: true }).click();
  }

  /** Waits until the page says this of the order. */
  says(pattern) {
    return this.page.getByRole('status').filter({ hasText: pattern }).waitFor();
  }

  /** Keeps the next answer to `field` back: resolves once the server has given it, to what lets it through. */
  async holdAnswer(field, act) {
    let hold;
    const held = new Promise((resolve) => (hold = resolve));
    await this.page.route('**/graphql', async (route) => {
      if (route.request().method() !== 'POST' || fieldOf(route.request()) !== field) return route.continue();
      const response = await route.fetch();
      hold(() => route.fulfill({ response }));
    });
    await act();
    return held;
  }

  async close() {
    assert.deepEqual(this.faults, []);
    await this.page.context().close();
  }
}

function fieldOf(request) {
  return /\{\s*(\w+)/.exec(request.postDataJSON().query)[1];
}
