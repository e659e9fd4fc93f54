// Goods that come and go. What was received or removed can be taken back for a while, by the opposite: the log says both.
import { signal } from '@preact/signals';
import { ADJUST_STOCK } from '../api/documents.js';
import { UNDO_MS } from '../api/hold.js';
import { once, REPEAT_MS } from '../api/once.js';
import { mutate } from '../api/request.js';
import { failure, name, refusal, units, type Notice } from '../words.js';
import { chosen } from './log.js';

export type Way = 'INCREMENT' | 'DECREMENT';

interface Adjustment {
  readonly productId: string;
  readonly productName: string;
  readonly action: Way;
  readonly quantity: number;
  readonly reason: string;
}

export const notice = signal<Notice | null>(null);

/** What can be taken back, and until when. */
export const undoable = signal<{ of: Adjustment; at: number } | null>(null);

export const ADJUSTING = 'adjust';

let timer: ReturnType<typeof setTimeout> | undefined;

export function adjust(action: Way, quantity: number, reason: string): Promise<void> {
  const product = chosen.peek();
  if (!product) return Promise.resolve();
  const of = { productId: product.id, productName: product.name, action, quantity, reason };
  return once(ADJUSTING, async () => {
    if (!(await send(of))) return;
    const done = action === 'INCREMENT' ? 'received' : 'removed';
    notice.value = { tone: 'good', text: `${units(quantity)} ${done}: ${name(product.name)}.` };
    offerUndo(of);
  });
}

export function undoAdjustment(): Promise<void> {
  const last = undoable.peek();
  // The second click of a double click is not for this.
  if (!last || Date.now() < last.at - UNDO_MS + REPEAT_MS) return Promise.resolve();
  return once(ADJUSTING, async () => {
    const action = last.of.action === 'INCREMENT' ? 'DECREMENT' : 'INCREMENT';
    if (!(await send({ ...last.of, action, reason: 'CORRECTION' }))) return;
    notice.value = { tone: 'good', text: `Taken back: ${units(last.of.quantity)}, ${name(last.of.productName)}.` };
  });
}

function offerUndo(of: Adjustment): void {
  undoable.value = { of, at: Date.now() + UNDO_MS };
  clearTimeout(timer);
  timer = setTimeout(() => (undoable.value = null), UNDO_MS);
}

/** Whether it was done. */
async function send({ productId, action, quantity, reason }: Adjustment): Promise<boolean> {
  notice.value = null;
  undoable.value = null;
  try {
    const { adjustStock } = await mutate(ADJUST_STOCK, { changes: [{ productId, action, quantity }], reason });
    const isShort = adjustStock.userErrors[0]?.code === 'INSUFFICIENT_STOCK';
    const text = isShort ? 'There are not so many available.' : refusal(adjustStock.userErrors);
    if (text) notice.value = { tone: 'bad', text };
    return text === null;
  } catch (error) {
    notice.value = { tone: 'bad', text: failure(error) };
    return false;
  }
}
