// Goods that come and go. What was received or removed can be taken back for a while, by the opposite: the log
// says both. All that was done within that while is taken back together.
import { signal } from '@preact/signals';
import { ADJUST_STOCK } from '../api/documents.js';
import { UNDO_MS } from '../api/hold.js';
import { once, REPEAT_MS } from '../api/once.js';
import { codeOf, mutate, SAME_INTENTION_MS } from '../api/request.js';
import { failure, name, refusal, units, type Notice } from '../words.js';
import { chosen } from './log.js';

export type Way = 'INCREMENT' | 'DECREMENT';

/** What was done to the total of a product: more than 0 was received, less was removed. */
interface Delta {
  readonly productId: string;
  readonly productName: string;
  readonly units: number;
}

interface Undoable {
  readonly deltas: readonly Delta[];
  /** Since when and until when it can be taken back. */
  readonly from: number;
  readonly at: number;
  /** Whether it was tried already, and nobody knows what became of it. */
  readonly isUnsure: boolean;
}

/** A failure after which nobody knows whether it was done. */
const UNSURE: readonly string[] = ['NO_ANSWER', 'TIMEOUT', 'UNKNOWN'];

/** So long before the same intention would be another one, it is not offered any more. */
const MARGIN_MS = 5_000;

export const notice = signal<Notice | null>(null);

/** What can be taken back, and until when. */
export const undoable = signal<Undoable | null>(null);

export const ADJUSTING = 'adjust';

let timer: ReturnType<typeof setTimeout> | undefined;

export function adjust(action: Way, quantity: number, reason: string): Promise<void> {
  const product = chosen.peek();
  if (!product) return Promise.resolve();
  const delta = { productId: product.id, productName: product.name, units: action === 'INCREMENT' ? quantity : -quantity };
  return once(ADJUSTING, async () => {
    notice.value = null;
    try {
      const text = await send([delta], reason);
      if (text) {
        undoable.value = null;
        notice.value = { tone: 'bad', text };
        return;
      }
    } catch (error) {
      undoable.value = null;
      notice.value = { tone: 'bad', text: failure(error) };
      return;
    }
    const before = undoable.peek();
    const deltas = before && !before.isUnsure ? sum([...before.deltas, delta]) : [delta];
    const done = action === 'INCREMENT' ? 'received' : 'removed';
    const all = before && !before.isUnsure && deltas.length > 0 ? ` Undo takes back all of it: ${listed(deltas)}.` : '';
    notice.value = { tone: 'good', text: `${units(quantity)} ${done}: ${name(product.name)}.${all}` };
    offerUndo(deltas, Date.now() + UNDO_MS);
  });
}

export function undoAdjustment(): Promise<void> {
  const last = undoable.peek();
  // The second click of a double click is not for this.
  if (!last || Date.now() < last.from + REPEAT_MS) return Promise.resolve();
  return once(ADJUSTING, async () => {
    const begun = Date.now();
    notice.value = null;
    undoable.value = null;
    try {
      const text = await send(last.deltas.map((one) => ({ ...one, units: -one.units })), 'CORRECTION');
      notice.value = text ? { tone: 'bad', text } : { tone: 'good', text: `Taken back: ${listed(last.deltas)}.` };
    } catch (error) {
      const isUnsure = last.isUnsure || UNSURE.includes(codeOf(error));
      // The same once more, while it has the same key: it is not done twice.
      offerUndo(last.deltas, isUnsure ? begun + SAME_INTENTION_MS - MARGIN_MS : Date.now() + UNDO_MS, isUnsure);
      const unsure = 'It is not known whether it was taken back. “Undo” asks again: it is not taken back twice.';
      notice.value = { tone: 'bad', text: isUnsure ? unsure : failure(error) };
    }
  });
}

function offerUndo(deltas: readonly Delta[], at: number, isUnsure = false): void {
  clearTimeout(timer);
  undoable.value = deltas.length > 0 ? { deltas, from: Date.now(), at, isUnsure } : null;
  timer = setTimeout(() => (undoable.value = null), at - Date.now());
}

/** One delta of each product, without those that nothing is left of. */
function sum(deltas: readonly Delta[]): Delta[] {
  const sums = new Map<string, Delta>();
  for (const one of deltas) sums.set(one.productId, { ...one, units: one.units + (sums.get(one.productId)?.units ?? 0) });
  return [...sums.values()].filter(({ units }) => units !== 0);
}

function listed(deltas: readonly Delta[]): string {
  return deltas.map((one) => `${units(Math.abs(one.units))}, ${name(one.productName)}`).join('; ');
}

/** What the server refused, in words; null when it was done. */
async function send(deltas: readonly Delta[], reason: string): Promise<string | null> {
  const changes = deltas.map(({ productId, units: by }): { productId: string; action: Way; quantity: number } => ({
    productId,
    action: by > 0 ? 'INCREMENT' : 'DECREMENT',
    quantity: Math.abs(by),
  }));
  const { adjustStock } = await mutate(ADJUST_STOCK, { changes, reason });
  const isShort = adjustStock.userErrors[0]?.code === 'INSUFFICIENT_STOCK';
  return isShort ? 'There are not so many available.' : refusal(adjustStock.userErrors);
}
