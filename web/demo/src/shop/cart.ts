// The cart of this window. What is done to it is done one after the other. It outlives a sign-in that ends and a cart
// that the server has no more: then another one gets the same items.
import { computed, signal } from '@preact/signals';
import { ADD_TO_CART, CART, CHECK_OUT, CREATE_CART, UPDATE_CART } from '../api/documents.js';
import { once } from '../api/once.js';
import { mutate, request } from '../api/request.js';
import type { Cart, CartItem, Product, UserError } from '../api/types.js';
import { address, recall, remember, shopper } from '../session.js';
import { failure, name, refusal, type Notice } from '../words.js';
import { addOrder } from './orders.js';
import { soldOut } from './products.js';

type Items = { productId: string; quantity: number }[];

export const cart = signal<Cart | null>(null);
/** What became of the last thing that the shopper did to the cart. */
export const notice = signal<Notice | null>(null);
/** What was put into the cart last. */
export const touched = signal<{ productId: string } | null>(null);
/** Items that were taken out and can be put back, with the quantities that they had. */
const removed = signal<readonly CartItem[]>([]);
/** The products of all lines, in the order in which they came: none changes its place. */
const places = signal<readonly string[]>([]);

/** A line of the cart. */
export interface Line {
  readonly item: CartItem;
  readonly isRemoved: boolean;
}

export const lines = computed<readonly Line[]>(() => {
  const items = new Map(cart.value?.items.map((item) => [item.product.id, { item, isRemoved: false }]));
  const gone = new Map(removed.value.map((item) => [item.product.id, { item, isRemoved: true }]));
  return places.value.flatMap((id) => items.get(id) ?? gone.get(id) ?? []);
});
/** Quantities that were chosen and are not stored yet. */
const chosen = signal<ReadonlyMap<string, number>>(new Map());

/** Whether the shopper asks the shop to hold the units until the order is paid. */
export const wantsHold = signal(false);

export const cartCount = computed(() => cart.value?.totalQuantity ?? 0);

const ELSEWHERE = 'This cart has been checked out already, perhaps in another window. Its order is below.';
const ANEW = 'The server does not have your cart any more. Here is a new one with the same items.';
const PARTLY = 'The server does not have your cart any more. Here is a new one with what could be had of it.';

const NO_HOLDS = 'This shop holds nothing before it is paid: who pays first gets it.';

let last: Promise<unknown> = Promise.resolve();

/** Reads the cart that this window remembers. Throws when it cannot. */
export async function readCart(): Promise<void> {
  await inTurn(async () => {
    const id = recall('cart');
    if (!id) return;
    const { cart: found } = await request(CART, { id });
    await take(found);
  });
}

export function addToCart(product: Pick<Product, 'id' | 'name'>): Promise<void> {
  return act(adding(product.id), async () => {
    touched.value = null;
    if (soldOut.peek().has(product.id)) return tell('bad', `Sorry, ${name(product.name)} is sold out.`);
    const items = [{ productId: product.id, quantity: 1 }];
    let answer = await add(items);
    if (isGone(answer.userErrors)) {
      if (await refresh()) return;
      answer = await add(items);
    }
    if (isRefused(answer.userErrors)) return;
    keep(answer.cart);
    removed.value = removed.peek().filter(({ product: { id } }) => id !== product.id);
    touched.value = { productId: product.id };
    tell('good', `${name(product.name)} is in your cart. That keeps nothing for you yet.`);
  });
}

/** The name of what adds a product. */
export function adding(productId: string): string {
  return `add ${productId}`;
}

/** How many of an item are wanted: what was chosen, or else what is stored. */
export function quantityOf({ product, quantity }: CartItem): number {
  return chosen.value.get(product.id) ?? quantity;
}

/** Sets how many of an item are wanted. Who presses faster than the server answers gets what was chosen last. */
export function setQuantity(productId: string, quantity: number): void {
  const isSending = chosen.peek().has(productId);
  chosen.value = new Map([...chosen.peek(), [productId, quantity]]);
  if (!isSending) void sendQuantity(productId);
}

/** Takes an item out. Its line stays in place, and offers to put it back, until the cart is checked out. */
export function remove(item: CartItem): Promise<void> {
  return act(`remove ${item.product.id}`, async () => {
    const before = removed.peek();
    removed.value = [...before.filter((one) => !isSame(one, item)), item];
    if (!(await store(item.product.id, 0))) removed.value = before;
  });
}

export function putBack(item: CartItem): Promise<void> {
  return act(`put back ${item.product.id}`, async () => {
    if (await store(item.product.id, item.quantity)) removed.value = removed.peek().filter((one) => !isSame(one, item));
  });
}

export function checkOut(): Promise<void> {
  return act('check out', async () => {
    const cartId = cart.peek()?.id;
    if (!cartId) return;
    const customer = { name: shopper, email: address };
    const hold = wantsHold.peek();
    const { checkOut } = await mutate(CHECK_OUT, { cartId, customer, ...(hold ? { hold } : {}) });
    if (isGone(checkOut.userErrors)) return void (await refresh());
    if (isRefused(checkOut.userErrors) || !checkOut.order) return;
    keep(null);
    addOrder(checkOut.order.id, hold && !checkOut.order.heldUntil ? { tone: 'wait', text: NO_HOLDS } : null);
    wantsHold.value = false;
  });
}

async function sendQuantity(productId: string): Promise<void> {
  let sent: number | undefined;
  try {
    await inTurn(async () => {
      notice.value = null;
      // What is chosen while one is sent is sent after it.
      while (sent !== chosen.peek().get(productId)) {
        sent = chosen.peek().get(productId);
        if (sent === undefined || !(await store(productId, sent))) break;
      }
    });
  } catch (error) {
    tell('bad', failure(error));
  } finally {
    chosen.value = new Map([...chosen.peek()].filter(([id]) => id !== productId));
  }
}

/** Whether it is stored. */
async function store(productId: string, quantity: number): Promise<boolean> {
  const cartId = cart.peek()?.id;
  if (!cartId) return false;
  const { updateCart } = await request(UPDATE_CART, { input: { cartId, items: [{ productId, quantity }] } });
  if (isGone(updateCart.userErrors)) return (await refresh(), false);
  if (isRefused(updateCart.userErrors)) return false;
  keep(updateCart.cart);
  return true;
}

async function add(items: Items): Promise<{ cart: Cart | null; userErrors: UserError[] }> {
  const cartId = cart.peek()?.id;
  if (!cartId) return (await request(CREATE_CART, { input: { items } })).createCart;
  return (await mutate(ADD_TO_CART, { cartId, items })).addToCart;
}

/** Reads a cart that cannot be changed any more. Whether its order was found, and there is nothing more to do. */
async function refresh(): Promise<boolean> {
  const id = cart.peek()?.id;
  if (!id) return false;
  return take((await request(CART, { id })).cart);
}

/** Takes what the server has in the place of the cart. Whether that has become an order. */
async function take(found: Cart | null): Promise<boolean> {
  if (found?.status === 'OPEN') {
    keep(found);
    return false;
  }
  if (found?.order) {
    keep(null);
    addOrder(found.order.id);
    tell('wait', ELSEWHERE);
    return true;
  }
  const items = rememberedItems();
  keep(null);
  if (items.length > 0) await fill(items);
  return false;
}

/** Fills a new cart: with everything, or else with what can be had. */
async function fill(items: Items): Promise<void> {
  const whole = (await request(CREATE_CART, { input: { items } })).createCart;
  if (whole.cart) {
    keep(whole.cart);
    return tell('wait', ANEW);
  }
  keep((await request(CREATE_CART, { input: { items: [] } })).createCart.cart);
  for (const item of items) {
    const { cart: filled } = await add([item]);
    if (filled) keep(filled);
  }
  tell('wait', PARTLY);
}

function keep(next: Cart | null): void {
  cart.value = next;
  if (!next) removed.value = [];
  const known = new Set(places.peek());
  const came = next?.items.map(({ product: { id } }) => id).filter((id) => !known.has(id)) ?? [];
  places.value = next ? [...places.peek(), ...came] : [];
  remember('cart', next?.id ?? null);
  const items = next?.items.map(({ product, quantity }) => ({ productId: product.id, quantity }));
  remember('items', items ? JSON.stringify(items) : null);
}

function rememberedItems(): Items {
  try {
    return JSON.parse(recall('items') ?? '[]') as Items;
  } catch {
    return [];
  }
}

/** Does something once, after what was begun before, and tells what came of it. */
function act(what: string, deed: () => Promise<void>): Promise<void> {
  return once(what, async () => {
    try {
      await inTurn(async () => {
        notice.value = null;
        await deed();
      });
    } catch (error) {
      tell('bad', failure(error));
    }
  });
}

function inTurn<Result>(deed: () => Promise<Result>): Promise<Result> {
  const turn = last.then(deed);
  last = turn.catch(() => {});
  return turn;
}

/** Whether a cart is no longer one that can be filled, or never was this shopper's. */
function isGone([first]: readonly UserError[]): boolean {
  return first?.code === 'INVALID_STATE' || first?.code === 'NOT_FOUND';
}

function isRefused(errors: readonly UserError[]): boolean {
  const text = refusal(errors);
  if (text) tell('bad', text);
  return text !== null;
}

function isSame(one: CartItem, other: CartItem): boolean {
  return one.product.id === other.product.id;
}

function tell(tone: Notice['tone'], text: string): void {
  notice.value = { tone, text };
}
