// The API as plain requests: what somebody else does in the shop while a client looks on.
import assert from 'node:assert/strict';

assert.ok(process.env.ONHAND_URL, 'ONHAND_URL says where the server is, for example http://127.0.0.1:8000');

/** Where the server under test is. */
export const API = new URL('/graphql', process.env.ONHAND_URL).href;

/** The same for websockets. */
export const SOCKET = API.replace(/^http/, 'ws');

/** The data that the server answers; an error fails the test. */
export async function request(query, variables, api = API) {
  const response = await fetch(api, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** A product that no other test knows, with so many units: its id. */
export async function product(units) {
  const sku = `CLIENT-${crypto.randomUUID()}`;
  const { createProduct } = await request(
    `mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } userErrors { message } } }`,
    { input: { sku, name: sku, initialStock: units, price: { amount: 100, currency: 'EUR' } } },
  );
  assert.deepEqual(createProduct.userErrors, []);
  return { id: createProduct.product.id, sku };
}

/** Changes stock. */
export const ADJUST = `mutation Adjust($input: AdjustStockInput!) {
  adjustStock(input: $input) { stocks { available } userErrors { code field message } }
}`;

/** The variables of ADJUST that add units to the stock of a product. */
export const receipt = (productId, quantity) => ({
  input: { changes: [{ productId, action: 'INCREMENT', quantity }], reason: 'RECEIVED' },
});

/** The same, of a quantity that is refused as INVALID_QUANTITY. */
export const refusedReceipt = (productId) => receipt(productId, 0);

/** The same variables with an idempotency key, which mutations over a websocket need. */
export const keyed = ({ input }) => ({ input: { ...input, idempotencyKey: crypto.randomUUID() } });

/** Adds units to the stock of a product. */
export async function receive(productId, quantity, api = API) {
  const { adjustStock } = await request(ADJUST, receipt(productId, quantity), api);
  assert.deepEqual(adjustStock.userErrors, []);
}

/** Every product by this sku, with its stock as a list shows it. */
export const LIST = `query List($search: String) {
  products(search: $search) { nodes { id sku stock { id available version } } }
}`;

/** The stock of some products as it changes. */
export const STOCK = `subscription Stock($ids: [ID!]!) {
  stockChanged(productIds: $ids) { id available version }
}`;

/** Something that comes later: `came` is told of it, and `wait` waits until one of them is right. */
export function arrivals() {
  const all = [];
  const waiting = new Set();
  return {
    all,
    came(value) {
      all.push(value);
      for (const look of waiting) look();
    },
    wait(isRight, what, patience = 15_000) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = all.find(isRight);
          if (found === undefined) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`it never came: ${what}; came: ${JSON.stringify(all)}`));
        }, patience);
        waiting.add(look);
        look();
      });
    },
  };
}

/** Whatever carries it: a subscription is sent the present state, and then each newer one. */
export async function followsStock(client) {
  const { id } = await product(5);
  const states = client.iterate({ query: STOCK, variables: { ids: [id] } });
  assert.equal((await states.next()).value.data.stockChanged.available, 5);
  await receive(id, 2);
  assert.equal((await states.next()).value.data.stockChanged.available, 7);
  await states.return();
}
