// The orders that wait to be shipped, the oldest first. A row keeps its place for good: what was done to it, here or
// elsewhere, is told in the row, and new ones come at the end. So no button ever moves under somebody's pointer.
import { computed, signal } from '@preact/signals';
import {
  CANCEL_ORDER,
  NEWEST_ORDERS,
  OPEN_ORDERS,
  OPEN_ORDERS_LEFT,
  ORDER_CHANGED,
  ORDERS_BY_ID,
  SHIP_ORDER,
} from '../api/documents.js';
import { drop, hold, undo } from '../api/hold.js';
import { follow } from '../api/live.js';
import { isUnderWay, once } from '../api/once.js';
import { mutate, request } from '../api/request.js';
import type { Order } from '../api/types.js';
import { failure, refusal, type Left, type Notice } from '../words.js';
import { canShip } from './allowed.js';
import { access } from './log.js';

/** Rows of one batch come one after the other; the orders are read once after them. */
const READ_AFTER_MS = 150;
/** Maximum number of payments under way that are followed each by a subscription. The others are read with the rest. */
const MAX_FOLLOWED = 20;
/** Maximum number of ids in one request. */
const MAX_IDS = 100;

export type Deed = 'ship' | 'cancel';

/** A row of the list. */
export interface Row {
  readonly order: Order;
  /** Whether it came while the page was open, and stands after those that are left out. */
  readonly isArrival: boolean;
  /** What somebody wants to do to it, while it is held. */
  readonly deed: Deed | null;
  /** What was done to it here. */
  readonly done: Deed | null;
  /** Whether it is asked if the order shall be cancelled. */
  readonly isAsking: boolean;
  readonly notice: Notice | null;
}

/** Null until the orders have been read. */
export const rows = signal<readonly Row[] | null>(null);
/** What there is between the oldest orders and those that came since. */
export const left = signal<Left | null>(null);
/** Where the list goes on; null when nothing is left out. */
const next = signal<string | null>(null);
export const trouble = signal<string | null>(null);

/** How many orders were about to be shipped or cancelled when the sign-in ended. */
export const droppedPlans = signal(0);

export const hasMore = computed(() => next.value !== null);
export const waiting = computed(() => (rows.value ?? []).filter(isWaiting));
export const finished = computed(() => (rows.value ?? []).filter((row) => !isWaiting(row)));

const following = new Map<string, () => void>();
/** When the newest order was placed that was there at first. */
let opened: string | null = null;
/** When the last order was placed before those that are left out. */
let boundary = '';
let timer: ReturnType<typeof setTimeout> | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Whether an order still has to be shipped, as far as is known. */
export function isWaiting({ order }: Pick<Row, 'order'>): boolean {
  return order.payment === 'IN_PROGRESS' ? order.status !== 'CANCELLED' : canShip(order);
}

/** Reads the orders soon: others may follow at once. */
export function readOrdersSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => readOrders().catch(() => {}), READ_AFTER_MS);
}

/** Reads what waits, and what became of the rows that wait no more. One reading after the other. */
export function readOrders(): Promise<void> {
  const turn = last.then(read);
  last = turn.catch(() => {});
  return turn;
}

export function showMore(): Promise<void> {
  return once('more orders', async () => {
    trouble.value = null;
    const before = next.peek();
    if (!before) return;
    try {
      const page = await readPage(before);
      take(page.nodes, false);
      goOnAt(page.next, page.nodes);
    } catch (error) {
      trouble.value = failure(error);
      return;
    }
    followPayments();
    void countLeft();
  });
}

/** The name of what is done to an order: it is shipped or cancelled, not both. */
export function deedOn({ id }: Pick<Order, 'id'>): string {
  return `order ${id}`;
}

/** Ships or cancels an order, after a while in which that can be undone. */
export function plan(order: Order, deed: Deed): void {
  const name = deedOn(order);
  if (isUnderWay(name) || find(order.id)?.deed) return;
  change(order.id, { deed, isAsking: false, notice: null });
  hold(name, () => void act(order, deed));
}

export function undoPlan(order: Order): void {
  if (!undo(deedOn(order))) return;
  const text = find(order.id)?.deed === 'cancel' ? 'It is not cancelled.' : 'It is not shipped.';
  change(order.id, { deed: null, notice: { tone: 'good', text } });
}

export function ask({ id }: Order, isAsking: boolean): void {
  change(id, { isAsking, notice: null });
}

/** Drops what is held: whoever wanted it may not do it any more. */
export function dropPlans(): void {
  const planned = (rows.peek() ?? []).filter(({ deed, order }) => deed && drop(deedOn(order)));
  planned.forEach(({ order }) => change(order.id, { deed: null }));
  droppedPlans.value = planned.length;
}

/** Takes the rows away that wait no more. */
export function clearFinished(): void {
  rows.value = waiting.peek();
}

async function act(order: Order, deed: Deed): Promise<void> {
  const { id } = order;
  await once(deedOn(order), async () => {
    try {
      const { userErrors } = await send(id, deed);
      const text = refusal(userErrors);
      // What another did meanwhile is told by the order itself.
      change(id, text ? { deed: null, notice: { tone: 'bad', text } } : { deed: null, done: deed });
      await readOrders().catch(() => {});
    } catch (error) {
      change(id, { deed: null, notice: { tone: 'bad', text: failure(error) } });
    }
  });
}

async function send(orderId: string, deed: Deed) {
  if (deed === 'cancel') return (await mutate(CANCEL_ORDER, { orderId })).cancelOrder;
  return (await mutate(SHIP_ORDER, { orderId, carrier: 'Bicycle' })).shipOrder;
}

async function read(): Promise<void> {
  if (access.peek() !== 'staff') return;
  const isFirst = rows.peek() === null;
  const hadMore = next.peek() !== null;
  const { found, goesOn } = await readOldest(waiting.peek().filter(({ isArrival }) => !isArrival).length);
  const came = goesOn ? await readArrivals() : [];
  const known = new Set([...found, ...came].map(({ id }) => id));
  const lost = waiting.peek().filter(({ order }) => !known.has(order.id));
  const others = await readById(lost.map(({ order }) => order.id));
  if (access.peek() !== 'staff') return;
  if (isFirst || !hadMore) {
    take(found, false);
    goOnAt(goesOn, found);
  } else {
    // What is left out stays so until somebody asks for it: rows would move. What was paid late is before it.
    take(found.filter(({ placedAt }) => placedAt <= boundary), true);
  }
  take(came, true);
  others.forEach(keep);
  followPayments();
  void countLeft();
}

/** The oldest orders that wait, at least so many where there are as many, and where the list goes on. */
async function readOldest(least: number): Promise<{ found: Order[]; goesOn: string | null }> {
  const found: Order[] = [];
  let goesOn: string | null = null;
  do {
    const page: { nodes: Order[]; next: string | null } = await readPage(goesOn);
    found.push(...page.nodes);
    goesOn = page.next;
  } while (goesOn && found.length < least);
  return { found, goesOn };
}

function goOnAt(cursor: string | null, orders: readonly Order[]): void {
  next.value = cursor;
  boundary = orders.at(-1)?.placedAt ?? boundary;
}

async function readPage(before: string | null): Promise<{ nodes: Order[]; next: string | null }> {
  const { orders } = await request(OPEN_ORDERS, { before });
  // The server lists the newest first, also of the end of the list.
  const nodes = [...(orders?.nodes ?? [])].reverse();
  return { nodes, next: orders?.pageInfo.hasPreviousPage ? orders.pageInfo.startCursor : null };
}

/** The orders that were placed since the page was opened, the oldest first. */
async function readArrivals(): Promise<Order[]> {
  const nodes = (await request(NEWEST_ORDERS, {})).orders?.nodes ?? [];
  opened ??= nodes[0]?.placedAt ?? '';
  const since = opened;
  return nodes.filter(({ placedAt }) => placedAt > since).reverse();
}

async function readById(ids: string[]): Promise<Order[]> {
  if (ids.length === 0) return [];
  const { nodes } = await request(ORDERS_BY_ID, { ids: ids.slice(0, MAX_IDS) });
  return nodes.filter((order) => order !== null);
}

/** Puts orders into the list: those that are there stay where they are. */
function take(orders: readonly Order[], isArrival: boolean): void {
  const before = rows.peek() ?? [];
  const known = new Set(before.map(({ order }) => order.id));
  const fresh = orders
    .filter((order) => !known.has(order.id) && isWaiting({ order }))
    .map((order): Row => ({ order, isArrival, deed: null, done: null, isAsking: false, notice: null }));
  const [older, arrivals] = [before.filter((row) => !row.isArrival), before.filter((row) => row.isArrival)];
  rows.value = isArrival ? [...older, ...arrivals, ...fresh] : [...older, ...fresh, ...arrivals];
  orders.filter(({ id }) => known.has(id)).forEach(keep);
}

/** Keeps what an order has become. What is held for it is dropped when it can be done no more. */
function keep(order: Order): void {
  change(order.id, { order });
  const row = find(order.id);
  if (row?.deed && !isWaiting(row) && drop(deedOn(order))) change(order.id, { deed: null });
}

/** That a payment succeeds moves no stock, so the log is silent about it. */
function followPayments(): void {
  const open = (rows.peek() ?? []).filter(({ order }) => order.payment === 'IN_PROGRESS').slice(0, MAX_FOLLOWED);
  const ids = new Set(open.map(({ order }) => order.id));
  for (const [id, stop] of following) {
    if (ids.has(id)) continue;
    stop();
    following.delete(id);
  }
  for (const id of ids) {
    if (!following.has(id)) following.set(id, follow(ORDER_CHANGED, { id }, ({ orderChanged }) => keep(orderChanged)));
  }
}

/** Counts what is left out, as far as one more page goes. Without it the list still says that it goes on. */
async function countLeft(): Promise<void> {
  const before = next.peek();
  if (!before) {
    left.value = null;
    return;
  }
  const answer = await request(OPEN_ORDERS_LEFT, { before }).catch(() => null);
  if (!answer?.orders || next.peek() !== before) return;
  const shown = new Set((rows.peek() ?? []).map(({ order }) => order.id));
  const count = answer.orders.nodes.filter(({ id }) => !shown.has(id)).length;
  const isLeast = answer.orders.pageInfo.hasPreviousPage;
  left.value = { count, isLeast };
  if (count === 0 && !isLeast) next.value = null;
}

function change(id: string, what: Partial<Row>): void {
  rows.value = (rows.peek() ?? []).map((row) => (row.order.id === id ? { ...row, ...what } : row));
}

function find(id: string): Row | undefined {
  return rows.peek()?.find(({ order }) => order.id === id);
}
