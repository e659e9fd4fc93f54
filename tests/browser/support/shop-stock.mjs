// What is in a shop before somebody visits it: products and orders, by the API.
import assert from 'node:assert/strict';

/** Makes a product; its id. */
export async function makeProduct(shop, { name, stock = 10, price = 1_000, currency = 'EUR', ...more }) {
  const input = { sku: `T-${crypto.randomUUID()}`, name, price: { amount: price, currency }, initialStock: stock, ...more };
  const { createProduct } = await shop.request(
    `mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } userErrors { message } } }`,
    { input },
  );
  assert.deepEqual(createProduct.userErrors, []);
  return createProduct.product.id;
}

/** Makes so many products one after the other, so that they are listed in the order of their ids. */
export async function makeProducts(shop, count, nameOf) {
  const ids = [];
  for (let index = 0; index < count; index += 1) ids.push(await makeProduct(shop, { name: nameOf(index) }));
  return ids;
}

/** Places an order of somebody else and pays it: its id and number. */
export async function placeOrder(shop, productId, { quantity = 1, name = 'Olga' } = {}) {
  const { createCart } = await shop.request(
    `mutation ($input: CreateCartInput) { createCart(input: $input) { cart { id } userErrors { message } } }`,
    { input: { items: [{ productId, quantity }] } },
  );
  assert.deepEqual(createCart.userErrors, []);
  const { checkOut } = await shop.request(
    `mutation ($input: CheckOutInput!) { checkOut(input: $input) { order { id number } userErrors { message } } }`,
    { input: { cartId: createCart.cart.id, customer: { name, email: 'somebody@shop.example' } } },
  );
  const { payOrder } = await shop.request(
    `mutation ($input: PayOrderInput!) { payOrder(input: $input) { order { payment } userErrors { message } } }`,
    { input: { orderId: checkOut.order.id, gateway: 'manual' } },
  );
  assert.equal(payOrder.order?.payment, 'PAID', JSON.stringify(payOrder.userErrors));
  return checkOut.order;
}

export async function shipOrder(shop, { id }) {
  const { shipOrder } = await shop.request(
    `mutation ($input: ShipOrderInput!) { shipOrder(input: $input) { order { shipping } userErrors { message } } }`,
    { input: { orderId: id } },
  );
  assert.equal(shipOrder.order?.shipping, 'FULFILLED');
}

/** How far an order is. */
export async function orderState(shop, { id }) {
  const { order } = await shop.request(`query ($id: ID!) { order(id: $id) { status shipping } }`, { id });
  return order;
}

/** Units in the warehouse. */
export async function totalOf(shop, productId) {
  const { stock } = await shop.request(`query ($id: ID!) { stock(productId: $id) { total } }`, { id: productId });
  return stock.total;
}

export async function countOrders(shop) {
  const { orders } = await shop.request(`{ orders(first: 100) { nodes { id } } }`);
  return orders.nodes.length;
}
