// A shop of the badge's tests: a server process of its own, and another origin with the shop's pages that bear badges.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Opens a shop on a database that outlives its server's process. */
export async function openShop(settings = {}) {
  assert.ok(process.env.ONHAND_BINARY, 'ONHAND_BINARY is the path of the server');
  const database = newDatabase();
  const pages = await servePages();
  const env = { ONHAND_ALLOWED_ORIGINS: pages.origin, DATABASE_URL: database.url, ...settings };
  let child;
  let listen = '127.0.0.1:0';

  async function start(changed = {}) {
    child = spawn(process.env.ONHAND_BINARY, ['--listen', listen], { env: { ...env, ...changed }, stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(child.stdout)) {
      if (!line.startsWith('listening')) continue;
      // The same port again after a restart.
      listen = new URL(line.split(/\s+/)[1]).host;
      break;
    }
    child.stdout.resume();
    assert.equal(child.exitCode, null, 'it listens');
  }

  async function stop(signal = 'SIGTERM') {
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  await start();
  return {
    start,
    stop,
    pages,
    url: `http://${listen}`,
    request: (query, variables, headers) => request(`http://${listen}/graphql`, query, variables, headers),
    async close() {
      if (child.exitCode === null && child.signalCode === null) await stop();
      pages.close();
      database.remove();
    },
  };
}

/** A database of its own: a new one of the PostgreSQL that ONHAND_SHOPS_ON names, or else a file. */
function newDatabase() {
  const server = process.env.ONHAND_SHOPS_ON;
  if (!server) {
    const folder = mkdtempSync(join(tmpdir(), 'onhand-'));
    return { url: `sqlite://${folder}/shop.db`, remove: () => rmSync(folder, { recursive: true }) };
  }
  const name = `onhand_browser_${crypto.randomUUID().replaceAll('-', '')}`;
  const run = (sql) => execFileSync('psql', ['-q', server, '-c', sql], { stdio: ['ignore', 'ignore', 'inherit'] });
  run(`CREATE DATABASE ${name}`);
  const url = server.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, `$1${name}`);
  return { url, remove: () => run(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** Another origin, with the pages that are put there. */
async function servePages() {
  const contents = new Map();
  const server = createServer((request, response) => {
    const { body, headers } = contents.get(request.url) ?? {};
    response.writeHead(body ? 200 : 204, { 'content-type': 'text/html; charset=utf-8', ...headers });
    response.end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    /** Puts a page there; its address. */
    put(body, headers) {
      const path = `/${contents.size}`;
      contents.set(path, { body, headers });
      return origin + path;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function request(api, query, variables, headers) {
  const response = await fetch(api, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** A product that no other test knows: its id. `stock` null: nobody counts it. */
export async function product(shop, stock, lowStockThreshold = 5) {
  const sku = `BADGE-${crypto.randomUUID()}`;
  const counted = stock === null ? { manageStock: false } : { initialStock: stock, lowStockThreshold };
  const { createProduct } = await shop.request(
    `mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } userErrors { message } } }`,
    { input: { sku, name: sku, price: { amount: 100, currency: 'EUR' }, ...counted } },
  );
  assert.deepEqual(createProduct.userErrors, []);
  return createProduct.product.id;
}

/** So many products. */
export async function products(shop, count, stock) {
  const all = [];
  for (let index = 0; index < count; index += 1) all.push(await product(shop, stock));
  return all;
}

/** Sets how many units there are. */
export async function setStock(shop, productId, quantity) {
  const { adjustStock } = await shop.request(
    `mutation ($input: AdjustStockInput!) { adjustStock(input: $input) { userErrors { message } } }`,
    { input: { changes: [{ productId, action: 'SET', quantity }], reason: 'COUNT' } },
  );
  assert.deepEqual(adjustStock.userErrors, []);
}

/** Buys so many units, from the cart to the payment. */
export async function buy(shop, productId, quantity) {
  const { createCart } = await shop.request(
    `mutation ($input: CreateCartInput) { createCart(input: $input) { cart { id } userErrors { message } } }`,
    { input: { items: [{ productId, quantity }] } },
  );
  const { checkOut } = await shop.request(
    `mutation ($input: CheckOutInput!) { checkOut(input: $input) { order { id } userErrors { message } } }`,
    { input: { cartId: createCart.cart.id } },
  );
  const { payOrder } = await shop.request(
    `mutation ($input: PayOrderInput!) { payOrder(input: $input) { order { payment } userErrors { message } } }`,
    { input: { orderId: checkOut.order.id, gateway: 'manual' } },
  );
  assert.equal(payOrder.order.payment, 'PAID');
}

/** Takes a product out of sale, or with `restoreProduct` puts it back. */
export async function archive(shop, productId, mutation = 'archiveProduct') {
  const input = mutation.replace(/^./, (first) => first.toUpperCase());
  const done = await shop.request(
    `mutation ($input: ${input}Input!) { ${mutation}(input: $input) { userErrors { message } } }`,
    { input: { id: productId } },
  );
  assert.deepEqual(done[mutation].userErrors, []);
}
