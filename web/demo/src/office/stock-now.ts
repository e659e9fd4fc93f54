// What the log does not tell of the chosen product, and of all: units on hold, what shoppers want, which orders hold units. Asked for
// again whenever the product moved, and from time to time, because carts move nothing.
import { effect, signal, untracked } from '@preact/signals';
import { STOCK_AS_OF, STOCK_NOW, STOCK_TABLE } from '../api/desk-documents.js';
import type { Counted, StockNow } from '../api/desk-types.js';
import { connection } from '../api/live.js';
import { once } from '../api/once.js';
import { request } from '../api/request.js';
import type { Numbers } from '../api/types.js';
import { cart } from '../shop/cart.js';
import { mine } from '../shop/orders.js';
import { failure } from '../words.js';
import { access, chosen, counted, history } from './log.js';

const EVERY_MS = 4_000;
const AFTER_MS = 200;
/** Maximum number of ids in one request. */
const MAX_IDS = 100;

/** Of the chosen product; null until it has been read. */
export const stockNow = signal<StockNow | null>(null);

/** Every product that is counted, while somebody looks at the table of them. */
export const table = signal<readonly Counted[] | null>(null);
export const isTableOpen = signal(false);

/** The numbers at a moment: `none` when there was no stock record yet. */
export type AsOf = { readonly time: string; readonly numbers: Numbers | 'none' } | { readonly trouble: string };
export const asOf = signal<AsOf | null>(null);
export const LOOKING = 'as of';

let productId: string | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

async function read(): Promise<void> {
  const id = productId;
  if (!id || access.peek() !== 'staff') return;
  const { stock } = await request(STOCK_NOW, { productId: id });
  if (id === productId && access.peek() === 'staff') stockNow.value = stock;
  if (isTableOpen.peek()) await readTable();
}

async function readTable(): Promise<void> {
  const ids = counted.peek().map(({ id }) => id).slice(0, MAX_IDS);
  const { nodes } = await request(STOCK_TABLE, { ids });
  if (access.peek() === 'staff') table.value = nodes.flatMap((one) => (one?.stock ? one : []));
}

function readSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => read().catch(() => {}), AFTER_MS);
}

/** The numbers of the chosen product as they stood at a moment of this machine's clock. */
export function lookBack(local: string): Promise<void> {
  return once(LOOKING, async () => {
    const id = productId;
    const time = new Date(local).toISOString();
    if (!id) return;
    try {
      const { stock } = await request(STOCK_AS_OF, { productId: id, time });
      if (id === productId) asOf.value = { time, numbers: stock?.asOf ?? 'none' };
    } catch (error) {
      asOf.value = { trouble: failure(error) };
    }
  });
}

/** Shows nothing of it any more: whoever asks may not see it. */
export function leaveStockNow(): void {
  stockNow.value = null;
  asOf.value = null;
  table.value = null;
}

/** Begins to read. */
export function followStockNow(): void {
  effect(() => {
    const id = chosen.value?.id;
    if (access.value !== 'staff' || id === productId) return;
    productId = id;
    untracked(() => {
      stockNow.value = null;
      asOf.value = null;
    });
  });
  effect(() => {
    // Whatever may have changed it.
    void [chosen.value, history.value, cart.value, mine.value, access.value, isTableOpen.value];
    readSoon();
  });
  setInterval(() => {
    if (!document.hidden && connection.peek() === 'live') read().catch(() => {});
  }, EVERY_MS);
}
