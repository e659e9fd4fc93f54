// The shelf: the products that are shown, which of them the badges say are sold out, and what is left out.
import { computed, signal } from '@preact/signals';
import type { StockEvent } from '/stock-badge.js';
import { PRODUCTS, PRODUCTS_LEFT } from '../api/documents.js';
import { once } from '../api/once.js';
import { request } from '../api/request.js';
import type { Product } from '../api/types.js';
import { failure, type Left } from '../words.js';

/** Null until the catalogue has been read. */
export const products = signal<readonly Product[] | null>(null);
/** Why the catalogue could not be read, in words. */
export const trouble = signal<string | null>(null);
/** What there is beyond the products that are shown. Null when nothing, or when that is not known yet. */
export const left = signal<Left | null>(null);
/** Where the list goes on; null at its end. */
const next = signal<string | null>(null);
export const hasMore = computed(() => next.value !== null);
/** Products that the badges say are sold out. */
export const soldOut = signal<ReadonlySet<string>>(new Set());

/** Reads as much as is shown, at least the first page. Throws when it cannot. */
export async function readProducts(): Promise<void> {
  try {
    const wanted = products.peek()?.length ?? 0;
    const found: Product[] = [];
    let after: string | null = null;
    do {
      const page: { nodes: readonly Product[]; next: string | null } = await readPage(after);
      found.push(...page.nodes);
      after = page.next;
    } while (after && found.length < wanted);
    products.value = found;
    next.value = after;
    soldOut.value = new Set(found.filter(isSoldOut).map(({ id }) => id));
    trouble.value = null;
  } catch (error) {
    trouble.value = failure(error);
    throw error;
  }
  void countLeft();
}

export function showMore(): Promise<void> {
  return once('more products', async () => {
    const after = next.peek();
    if (!after) return;
    try {
      const page = await readPage(after);
      const shown = products.peek() ?? [];
      const known = new Set(shown.map(({ id }) => id));
      const fresh = page.nodes.filter(({ id }) => !known.has(id));
      products.value = [...shown, ...fresh];
      next.value = page.next;
      soldOut.value = new Set([...soldOut.peek(), ...fresh.filter(isSoldOut).map(({ id }) => id)]);
      trouble.value = null;
    } catch (error) {
      trouble.value = failure(error);
      return;
    }
    void countLeft();
  });
}

/** Takes from the badges what is sold out. */
export function listenToBadges(): void {
  document.addEventListener('stock-change', (event) => {
    const { product, availability } = (event as StockEvent).detail;
    const changed = new Set(soldOut.peek());
    if (availability === 'OUT_OF_STOCK') changed.add(product);
    else changed.delete(product);
    soldOut.value = changed;
  });
}

async function readPage(after: string | null): Promise<{ nodes: readonly Product[]; next: string | null }> {
  const { products: page } = await request(PRODUCTS, { after });
  return { nodes: page?.nodes ?? [], next: page?.pageInfo.hasNextPage ? page.pageInfo.endCursor : null };
}

/** Counts what is not shown, as far as one more page goes. Without it the list still says that it goes on. */
async function countLeft(): Promise<void> {
  left.value = null;
  const after = next.peek();
  if (!after) return;
  const answer = await request(PRODUCTS_LEFT, { after }).catch(() => null);
  const page = answer?.products;
  if (page && next.peek() === after) left.value = { count: page.nodes.length, isLeast: page.pageInfo.hasNextPage };
}

function isSoldOut({ availability }: Product): boolean {
  return availability === 'OUT_OF_STOCK';
}
