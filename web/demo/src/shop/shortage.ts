// Who has what an order lacks, as far as this page can know: the shopper's own other orders, somebody else's, or the
// back office. Whoever may not read the log is told no more than that it is gone. Never blames anybody on a guess.
import { SHORTAGE } from '../api/documents.js';
import { request } from '../api/request.js';
import type { Order, ShortageRow } from '../api/types.js';
import { address } from '../session.js';

const SORRY = 'Sorry, not enough left';
const NOTHING_CHARGED = 'Nothing was charged.';

/** What to tell of an order that could not be paid, because there is not enough left of something. */
export async function tellShortage(order: Order, mine: readonly Order[]): Promise<string> {
  const products = order.items.flatMap(({ product }) => (product ? [product.id] : []));
  const others = mine.filter(({ id }) => id !== order.id);
  const own = others.find((one) => holds(one) && one.items.some(({ product }) => product && products.includes(product.id)));
  if (own) return `${SORRY}: your own order ${own.number} has it. ${NOTHING_CHARGED}`;
  const rows = products.length > 0 ? await rowsSince(products, order.placedAt) : [];
  const ids = new Set(mine.map(({ id }) => id));
  const takers = rows.filter(({ action }) => action === 'ALLOCATE').map((row) => row.order);
  // A window that was duplicated has the same shopper.
  const isOthers = takers.some((taker) => taker && !ids.has(taker.id) && taker.customer?.email !== address);
  if (isOthers) return `${SORRY}: somebody else paid first. ${NOTHING_CHARGED}`;
  const isShops = rows.some(({ action }) => action === 'DECREMENT' || action === 'SET');
  if (isShops && takers.length === 0) return `${SORRY}: the shop took some away. ${NOTHING_CHARGED}`;
  return `${SORRY} by now. ${NOTHING_CHARGED}`;
}

/** Whether units are allocated to an order. */
function holds({ payment, shipping, status }: Order): boolean {
  return payment !== 'UNPAID' && shipping !== 'FULFILLED' && status !== 'CANCELLED';
}

async function rowsSince(productIds: string[], since: string): Promise<readonly ShortageRow[]> {
  try {
    const { stockTransactions } = await request(SHORTAGE, { productIds, since });
    return stockTransactions?.nodes ?? [];
  } catch {
    // A guest of a shop in production may not read the log.
    return [];
  }
}
