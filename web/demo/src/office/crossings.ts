// The availability of the products that are shown, as it crosses a line: out of stock, low, back in stock. Never one message
// for each sale, so it is what a shop would mail about.
import { computed, effect, signal } from '@preact/signals';
import { AVAILABILITY_CHANGED } from '../api/desk-documents.js';
import type { Crossing } from '../api/desk-types.js';
import { follow } from '../api/live.js';
import { products } from '../shop/products.js';
import { access } from './log.js';

/** Maximum number of products of one subscription. */
const MAX_FOLLOWED = 100;
const MAX_SHOWN = 6;

/** Newest first. */
export const crossings = signal<readonly Crossing[]>([]);

/** What is followed, as one text, so that it is followed anew only when it is another. */
const followed = computed(() => {
  const ids = access.value === 'staff' ? (products.value ?? []).map(({ id }) => id) : [];
  return ids.slice(0, MAX_FOLLOWED).join(' ');
});

/** What is known of each product: after a loss the server tells how it is now. */
const known = new Map<string, Crossing['to']>();

export function followCrossings(): void {
  effect(() => {
    const ids = followed.value.split(' ').filter(Boolean);
    if (ids.length > 0) return follow(AVAILABILITY_CHANGED, { ids }, ({ availabilityChanged }) => take(availabilityChanged));
    return undefined;
  });
}

function take(crossing: Crossing): void {
  const { id } = crossing.product;
  const from = crossing.from ?? known.get(id) ?? null;
  known.set(id, crossing.to);
  if (from && from !== crossing.to) crossings.value = [{ ...crossing, from }, ...crossings.peek()].slice(0, MAX_SHOWN);
}
