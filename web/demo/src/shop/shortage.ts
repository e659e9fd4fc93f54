// Who has what an order lacks, as far as this page can know: the shopper's own other orders, somebody else's, or the
// back office. Whoever may not read the log is told no more than that it is gone. Never blames anybody on a guess.
import { AVAILABLE, SHORTAGE } from '../api/documents.js';
import { request } from '../api/request.js';
import type { Order, ShortageRow } from '../api/types.js';
import { address } from '../session.js';

const SORRY = 'Sorry, not enough left';
const NOTHING_CHARGED = 'Nothing was charged.';

/** A product of which there is not enough left for an order. */
interface Short {
  readonly id: string;
  /** How many more units the order needs than there are available. */
  readonly missing: number;
}

/** What to tell of an order that could not be paid, because there is not enough left of something. */
export async function tellShortage(order: Order, mine: readonly Order[]): Promise<string> {
  const shorts = await findShort(order);
  const rows = shorts.length > 0 ? await rowsSince(shorts, order.placedAt) : [];
  for (const short of shorts) {
    const why = whoHas(short, order, mine, rows);
    if (why) return `${SORRY}: ${why}. ${NOTHING_CHARGED}`;
  }
  return `${SORRY} by now. ${NOTHING_CHARGED}`;
}

/** The products that are short at this moment; none when nobody knows, or when there is enough again. */
async function findShort(order: Order): Promise<Short[]> {
  const ids = [...new Set(order.items.flatMap(({ product }) => product?.id ?? []))];
  try {
    const { nodes } = await request(AVAILABLE, { ids });
    return nodes.flatMap((product) => {
      if (!product?.stock) return [];
      const missing = unitsOf(order, product.id) - product.stock.available;
      return missing > 0 ? [{ id: product.id, missing }] : [];
    });
  } catch {
    return [];
  }
}

/** Whoever has so many units of a product that the order could be paid without them. */
function whoHas({ id, missing }: Short, order: Order, mine: readonly Order[], all: readonly ShortageRow[]): string | null {
  const own = mine.find((one) => one.id !== order.id && holds(one) && unitsOf(one, id) >= missing);
  if (own) return `your own order ${own.number} has it`;
  const rows = all.filter(({ product }) => product.id === id);
  const ids = new Set(mine.map((one) => one.id));
  // A window that was duplicated has the same shopper.
  const isOthers = ({ action, order: taker }: ShortageRow) =>
    action === 'ALLOCATE' && taker !== null && !ids.has(taker.id) && taker.customer?.email !== address;
  const others = rows.filter(isOthers);
  const taken = others.reduce((sum, { quantity }) => sum + Math.abs(quantity), 0);
  const isHeld = others.some(({ reason }) => reason === 'HOLD');
  if (taken >= missing) return isHeld ? 'somebody else was first' : 'somebody else paid first';
  const isShops = rows.some(({ action }) => action === 'DECREMENT' || action === 'SET');
  return isShops && !rows.some(({ action }) => action === 'ALLOCATE') ? 'the shop took some away' : null;
}

function unitsOf({ items }: Order, productId: string): number {
  return items.reduce((sum, { product, quantity }) => sum + (product?.id === productId ? quantity : 0), 0);
}

/** Whether units are allocated to an order. */
function holds({ payment, shipping, status, heldUntil }: Order): boolean {
  return (payment !== 'UNPAID' || heldUntil !== null) && shipping !== 'FULFILLED' && status !== 'CANCELLED';
}

async function rowsSince(shorts: readonly Short[], since: string): Promise<readonly ShortageRow[]> {
  try {
    const { stockTransactions } = await request(SHORTAGE, { productIds: shorts.map(({ id }) => id), since });
    return stockTransactions?.nodes ?? [];
  } catch {
    // A guest of a shop in production may not read the log.
    return [];
  }
}
