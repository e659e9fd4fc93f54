// The shopper's side: the shelf, the cart of this window, and its order. Everything that can be done here is one mutation.
import { computed, signal } from '@preact/signals';
import type { StockEvent } from '/stock-badge.js';
import {
  ADD_TO_CART,
  CANCEL_ORDER,
  CART,
  CHECK_OUT,
  CREATE_CART,
  ORDER_CHANGED,
  PAY_ORDER,
  PRODUCTS,
  UPDATE_CART,
} from '../api/documents.js';
import { follow } from '../api/live.js';
import { newKey, request } from '../api/request.js';
import type { Cart, Order, Product, UserError } from '../api/types.js';
import { recall, remember, shopper } from '../session.js';
import { failure, refusal, type Notice } from '../words.js';

/** Null until the catalogue has been read. */
export const products = signal<readonly Product[] | null>(null);
export const cart = signal<Cart | null>(null);
export const order = signal<Order | null>(null);
/** What became of the last thing that the shopper did. */
export const notice = signal<Notice | null>(null);
/** What is being done at this moment; one thing at a time. */
export const busy = signal<'cart' | 'check out' | 'pay' | 'cancel' | null>(null);
/** Products that the badges say are sold out. */
export const soldOut = signal<ReadonlySet<string>>(new Set());

/** The id of what was put into the cart last. */
export const touched = signal<string | null>(null);

export const cartCount = computed(() => cart.value?.totalQuantity ?? 0);

const VOIDED = 'The payment was called off. Nothing was charged and nothing is kept for you: you may pay again.';

let stopFollowing: () => void = () => {};

/** Reads the shelf, and takes up what this window left when it was last loaded. Again after every loss. */
export async function open(): Promise<void> {
  try {
    const { products: found } = await request(PRODUCTS, {});
    // What was told of the failure before is over.
    if (!products.value) notice.value = null;
    products.value = found?.nodes ?? [];
    soldOut.value = new Set(products.value.filter(isSoldOut).map(({ id }) => id));
    const kept = recall('cart');
    if (kept) keepCart((await request(CART, { id: kept })).cart);
  } catch (error) {
    tell('bad', failure(error));
  }
}

/** Follows the order that this window left, and what the badges say. */
export function begin(): void {
  const kept = recall('order');
  if (kept) followOrder(kept);
  document.addEventListener('stock-change', (event) => {
    const { product, availability } = (event as StockEvent).detail;
    const next = new Set(soldOut.value);
    if (availability === 'OUT_OF_STOCK') next.add(product);
    else next.delete(product);
    soldOut.value = next;
  });
}

export function addToCart(product: Product): Promise<void> {
  if (soldOut.value.has(product.id)) {
    tell('bad', `Sorry, ${product.name} is sold out.`);
    return Promise.resolve();
  }
  touched.value = product.id;
  const items = [{ productId: product.id, quantity: 1 }];
  return act('cart', async () => {
    const cartId = cart.value?.id;
    const answer = cartId
      ? (await request(ADD_TO_CART, { input: { cartId, items, idempotencyKey: newKey() } })).addToCart
      : (await request(CREATE_CART, { input: { items } })).createCart;
    if (isRefused(answer.userErrors)) return;
    keepCart(answer.cart);
    tell('good', `${product.name} is in your cart. That keeps nothing for you yet.`);
  });
}

/** 0 takes it out. */
export function setQuantity(productId: string, quantity: number): Promise<void> {
  return act('cart', async () => {
    const cartId = cart.value?.id;
    if (!cartId) return;
    const { updateCart } = await request(UPDATE_CART, { input: { cartId, items: [{ productId, quantity }] } });
    if (!isRefused(updateCart.userErrors)) keepCart(updateCart.cart);
  });
}

export function checkOut(): Promise<void> {
  return act('check out', async () => {
    const cartId = cart.value?.id;
    if (!cartId) return;
    const customer = { name: shopper, email: `${shopper.toLowerCase()}@shop.example` };
    const { checkOut } = await request(CHECK_OUT, { input: { cartId, customer, idempotencyKey: newKey() } });
    if (isRefused(checkOut.userErrors) || !checkOut.order) return;
    keepCart(null);
    followOrder(checkOut.order.id);
  });
}

/** Pays with the sandbox; the token says what it shall do. Each attempt is a new one, so it has a key of its own. */
export function pay(token: string): Promise<void> {
  return act('pay', async () => {
    const orderId = order.value?.id;
    if (!orderId) return;
    const input = { orderId, gateway: 'sandbox', token, idempotencyKey: newKey() };
    const { payOrder } = await request(PAY_ORDER, { input });
    const [first] = payOrder.userErrors;
    if (first?.code === 'NOT_FOUND') tell('bad', 'This server does not take payments by the sandbox.');
    else if (first?.code === 'INSUFFICIENT_STOCK') {
      tell('bad', 'Sorry, not enough left: somebody else paid first. Nothing was charged.');
    } else isRefused(payOrder.userErrors);
  });
}

export function cancel(): Promise<void> {
  return act('cancel', async () => {
    const orderId = order.value?.id;
    if (!orderId) return;
    const { cancelOrder } = await request(CANCEL_ORDER, { input: { orderId, idempotencyKey: newKey() } });
    isRefused(cancelOrder.userErrors);
  });
}

/** Shows the order no more. It stays what it is. */
export function putAway(): void {
  stopFollowing();
  remember('order', null);
  order.value = null;
  notice.value = null;
}

function followOrder(id: string): void {
  stopFollowing();
  remember('order', id);
  stopFollowing = follow(ORDER_CHANGED, { id }, ({ orderChanged }) => keepOrder(orderChanged), putAway);
}

function keepOrder(next: Order): void {
  const before = order.value;
  order.value = next;
  // An outcome that came after `payOrder` had been answered.
  if (busy.value === 'pay' || before?.id !== next.id || before.payment !== 'IN_PROGRESS') return;
  if (next.payment !== 'UNPAID') return;
  const isVoided = next.payments.at(-1)?.status === 'VOIDED';
  tell('bad', isVoided ? VOIDED : (refusal([{ code: 'PAYMENT_DECLINED', message: '' }]) ?? ''));
}

function keepCart(next: Cart | null): void {
  const isOpen = next?.status === 'OPEN';
  cart.value = isOpen ? next : null;
  remember('cart', isOpen ? next.id : null);
}

/** Does one thing at a time, and tells what came of it. */
async function act(what: NonNullable<typeof busy.value>, deed: () => Promise<void>): Promise<void> {
  if (busy.value) return;
  busy.value = what;
  notice.value = null;
  try {
    await deed();
  } catch (error) {
    tell('bad', failure(error));
  } finally {
    busy.value = null;
  }
}

function isRefused(errors: readonly UserError[]): boolean {
  const text = refusal(errors);
  if (text) tell('bad', text);
  return text !== null;
}

function tell(tone: Notice['tone'], text: string): void {
  notice.value = { tone, text };
}

function isSoldOut({ availability }: Product): boolean {
  return availability === 'OUT_OF_STOCK';
}
