// The back office: the log as it grows, the history of one product, the orders that wait. Everything is read from the
// log; what the page missed while it was not connected it reads again.
import { computed, signal } from '@preact/signals';
import {
  ADJUST_STOCK,
  CANCEL_ORDER,
  HISTORY,
  LOG,
  OPEN_ORDERS,
  ORDER_CHANGED,
  SHIP_ORDER,
  STOCK_TRANSACTION_ADDED,
} from '../api/documents.js';
import { follow } from '../api/live.js';
import { codeOf, newKey, request } from '../api/request.js';
import type { LogRow, Order, UserError } from '../api/types.js';
import { products } from '../shop/state.js';
import { failure, refusal, units, type Notice } from '../words.js';

/** Rows of the log that are kept. */
const MAX_LOG = 30;
/** Rows of one product that are kept. */
const MAX_HISTORY = 500;
/** Rows of one batch come one after the other; the orders are read once after them. */
const ORDERS_AFTER_MS = 150;

export const access = signal<'asking' | 'staff' | 'refused' | 'unknown'>('asking');
/** Newest first. */
export const log = signal<readonly LogRow[]>([]);
/** Of the chosen product, oldest first. */
export const history = signal<readonly LogRow[]>([]);
export const orders = signal<readonly Order[]>([]);
export const notice = signal<Notice | null>(null);
export const busy = signal(false);

const chosenByHand = signal<string | null>(null);

/** Products that somebody counts. */
export const counted = computed(() => (products.value ?? []).filter(({ stock }) => stock));

/** The product that is looked at: chosen, or else the first. */
export const chosen = computed(() => {
  const all = counted.value;
  return all.find(({ id }) => id === chosenByHand.value) ?? all[0] ?? null;
});

let stops: (() => void)[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** Reads everything, and follows it from then on. Again after every loss. */
export async function open(): Promise<void> {
  try {
    const { stockTransactions } = await request(LOG, {});
    const found = stockTransactions?.nodes ?? [];
    // Rows that came while this was read are newer than what it tells.
    const newest = found[0]?.createdAt ?? '';
    log.value = [...log.value.filter(({ createdAt }) => createdAt > newest), ...found].slice(0, MAX_LOG);
    access.value = 'staff';
    if (stops.length === 0) stops = [follow(STOCK_TRANSACTION_ADDED, {}, (data) => add(data.stockTransactionAdded.node))];
    await Promise.all([readHistory(), readOrders()]);
  } catch (error) {
    const isRefused = ['FORBIDDEN', 'UNAUTHENTICATED'].includes(codeOf(error));
    if (access.value !== 'staff') access.value = isRefused ? 'refused' : 'unknown';
  }
}

/** Looks at another product. */
export function choose(productId: string): void {
  if (!counted.peek().some(({ id }) => id === productId) || chosen.peek()?.id === productId) return;
  chosenByHand.value = productId;
  history.value = [];
  if (access.peek() === 'staff') void readHistory().catch(() => {});
}

export function adjust(action: 'INCREMENT' | 'DECREMENT', quantity: number, reason: string): Promise<void> {
  const product = chosen.value;
  if (!product) return Promise.resolve();
  const done = action === 'INCREMENT' ? 'received' : 'removed';
  return act(`${units(quantity)} ${done}: ${product.name}.`, async () => {
    const changes = [{ productId: product.id, action, quantity }];
    return (await request(ADJUST_STOCK, { input: { changes, reason, idempotencyKey: newKey() } })).adjustStock;
  });
}

export function ship({ id, number }: Order): Promise<void> {
  return act(`Order ${number} is shipped.`, async () => {
    const input = { orderId: id, carrier: 'Bicycle', idempotencyKey: newKey() };
    return (await request(SHIP_ORDER, { input })).shipOrder;
  });
}

export function cancel({ id, number }: Order): Promise<void> {
  return act(`Order ${number} is cancelled, and its units are free again.`, async () => {
    return (await request(CANCEL_ORDER, { input: { orderId: id, idempotencyKey: newKey() } })).cancelOrder;
  });
}

/** Reads what waits, and follows the orders whose payment is not settled: that moves no stock, so the log is silent. */
export async function readOrders(): Promise<void> {
  if (access.value !== 'staff') return;
  const { orders: found } = await request(OPEN_ORDERS, {});
  orders.value = found?.nodes ?? [];
  const [ofLog, ...ofOrders] = stops;
  ofOrders.forEach((stop) => stop());
  const open = orders.value.filter(({ payment }) => payment === 'IN_PROGRESS');
  stops = [...(ofLog ? [ofLog] : []), ...open.map(({ id }) => follow(ORDER_CHANGED, { id }, replace))];
}

function replace({ orderChanged }: { orderChanged: Order }): void {
  orders.value = orders.value.map((order) => (order.id === orderChanged.id ? orderChanged : order));
}

async function readHistory(): Promise<void> {
  const product = chosen.value;
  if (!product) return;
  const { stock } = await request(HISTORY, { productId: product.id });
  // Somebody may have chosen another one meanwhile, and rows may have come.
  if (chosen.value?.id !== product.id) return;
  const read = [...(stock?.transactions?.nodes ?? [])].reverse();
  const last = read.at(-1);
  const isNewer = ({ sequence, createdAt }: LogRow) => !last || (sequence > last.sequence && createdAt >= last.createdAt);
  history.value = [...read, ...history.value.filter(isNewer)];
}

function add(row: LogRow): void {
  if (log.value.some(({ id }) => id === row.id)) return;
  log.value = [row, ...log.value].slice(0, MAX_LOG);
  if (row.product.id === chosen.value?.id) addToHistory(row);
  if (!row.order) return;
  clearTimeout(timer);
  timer = setTimeout(() => readOrders().catch(() => {}), ORDERS_AFTER_MS);
}

function addToHistory(row: LogRow): void {
  const last = history.value.at(-1)?.sequence ?? 0;
  if (row.sequence <= last) return;
  // The rows of a product have no gaps: one that skips a number means that something was missed.
  if (row.sequence > last + 1) void readHistory().catch(() => {});
  else history.value = [...history.value, row].slice(-MAX_HISTORY);
}

async function act(done: string, deed: () => Promise<{ userErrors: UserError[] }>): Promise<void> {
  if (busy.value) return;
  busy.value = true;
  notice.value = null;
  try {
    const { userErrors } = await deed();
    const isOurs = userErrors[0]?.code === 'INSUFFICIENT_STOCK';
    const text = isOurs ? 'There are not so many available.' : refusal(userErrors);
    notice.value = text ? { tone: 'bad', text } : { tone: 'good', text: done };
    await readOrders();
  } catch (error) {
    notice.value = { tone: 'bad', text: failure(error) };
  } finally {
    busy.value = false;
  }
}
