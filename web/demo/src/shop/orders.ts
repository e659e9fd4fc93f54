// The orders of this window, all followed live: one is shown at full length, the others beside it, so that none that is
// being paid is ever out of sight.
import { computed, signal } from '@preact/signals';
import { ended } from '../api/access.js';
import { CANCEL_ORDER, ORDER_CHANGED, PAY_ORDER } from '../api/documents.js';
import { drop, hold, undo } from '../api/hold.js';
import { follow } from '../api/live.js';
import { isUnderWay, once } from '../api/once.js';
import { mutate } from '../api/request.js';
import type { Order, UserError } from '../api/types.js';
import type { Outcome } from './outcomes.js';
import { recall, remember } from '../session.js';
import { failure, refusal, type Notice } from '../words.js';
import { tellShortage } from './shortage.js';

/** Maximum number of orders that a window remembers: each is one subscription. Finished ones are forgotten first. */
const MAX_MINE = 20;

/** An order of this window. */
export interface Mine {
  readonly id: string;
  /** Null until it was read. */
  readonly order: Order | null;
  /** What became of the last thing that the shopper did to it. */
  readonly notice: Notice | null;
  /** Whether the server does not show it to whoever asks now. */
  readonly isHidden: boolean;
}

/** Newest first. */
export const mine = signal<readonly Mine[]>([]);
/** The id of the order that is shown at full length. */
const chosen = signal<string | null>(null);

export const current = computed(() => mine.value.find(({ id }) => id === chosen.value) ?? null);
export const others = computed(() => mine.value.filter(({ id }) => id !== chosen.value));

const VOIDED = 'The payment was called off.';

const DECLINED = 'The payment was declined.';

const NOT_KEPT = 'Nothing was charged and nothing is kept for you: you may pay again.';

const STILL_HELD = 'Nothing was charged, and it is still held for you: you may pay again.';

const HOLD_ENDED = 'The hold has ended: nothing is kept for you any more. You can still pay while there is enough left.';

const UNKNOWN = {
  sandbox: 'This server does not take payments by the sandbox.',
  stripe: 'This server does not take cards.',
};

const following = new Map<string, () => void>();
/** The orders whose payment is being asked for: the answer tells the outcome. */
const asking = new Set<string>();

/** Takes up the orders that this window left when it was last loaded. */
export function takeUpOrders(): void {
  mine.value = rememberedIds().map((id) => ({ id, order: null, notice: null, isHidden: false }));
  chosen.value = mine.value[0]?.id ?? null;
  mine.value.forEach(({ id }) => followOrder(id));
}

/** Asks again for what was refused: whoever asks may be another by now. */
export function followAgain(): void {
  for (const { id, isHidden } of mine.peek()) if (isHidden) followOrder(id);
}

export function addOrder(id: string, notice: Notice | null = null): void {
  const before = mine.peek().filter((one) => one.id !== id);
  const tooMany = before.length + 1 - MAX_MINE;
  const forgotten = tooMany > 0 ? [...before].reverse().sort(finishedFirst).slice(0, tooMany) : [];
  forgotten.forEach((one) => putAway(one.id));
  mine.value = [{ id, order: null, notice, isHidden: false }, ...before.filter((one) => !forgotten.includes(one))];
  store();
  chosen.value = id;
  followOrder(id);
}

export function show(id: string): void {
  chosen.value = id;
}

/** Shows an order no more. It stays what it is. */
export function putAway(id: string): void {
  following.get(id)?.();
  following.delete(id);
  mine.value = mine.peek().filter((one) => one.id !== id);
  store();
}

/** The name of what is done to an order: it is paid or cancelled, not both. */
export function deedOn(id: string): string {
  return `my order ${id}`;
}

/** Pays with the sandbox, whose token says what it shall do, or begins to pay with a card. */
export function pay({ id }: Order, { gateway = 'sandbox', method, token }: Outcome): Promise<void> {
  return act(id, async () => {
    asking.add(id);
    const input = { orderId: id, gateway, ...(method ? { method } : {}), ...(token ? { token } : {}) };
    const { payOrder } = await mutate(PAY_ORDER, input).finally(() => asking.delete(id));
    const [first] = payOrder.userErrors;
    const order = find(id)?.order;
    if (first?.code === 'NOT_FOUND') tell(id, 'bad', UNKNOWN[gateway]);
    else if (first?.code === 'INSUFFICIENT_STOCK' && order) tell(id, 'bad', await tellShortage(order, known()));
    else if (first?.code === 'PAYMENT_IN_PROGRESS' && order && isSettled(order)) return;
    else if (first?.code === 'PAYMENT_DECLINED') tell(id, 'bad', tellUnpaid(DECLINED, order));
    else isRefused(id, payOrder.userErrors);
  });
}

/** Cancels an order, after a while in which that can be undone. */
export function cancel({ id }: Order): void {
  if (isUnderWay(deedOn(id))) return;
  tell(id, 'wait', null);
  hold(deedOn(id), () => {
    void act(id, async () => {
      const { cancelOrder } = await mutate(CANCEL_ORDER, { orderId: id });
      isRefused(id, cancelOrder.userErrors);
    });
  });
}

export function undoCancel({ id }: Order): void {
  if (undo(deedOn(id))) tell(id, 'good', 'It is not cancelled.');
}

/** Drops what is held, and says so: whoever wanted it may not do it any more. */
export function dropCancels(): void {
  for (const { id } of mine.peek()) if (drop(deedOn(id))) tell(id, 'bad', 'It was not cancelled.');
}

function followOrder(id: string): void {
  following.get(id)?.();
  const onRefused = (code: string) => {
    // It may belong to who was signed in before.
    if (code === 'NOT_FOUND' && !ended.peek() && !find(id)?.order) putAway(id);
    else change(id, { isHidden: true });
  };
  following.set(id, follow(ORDER_CHANGED, { id }, ({ orderChanged }) => keep(orderChanged), onRefused));
}

function keep(next: Order): void {
  const before = find(next.id);
  if (!before) return;
  change(next.id, { order: next, isHidden: false });
  // What was told of an attempt to pay is over.
  if (isSettled(next) && !(before.order && isSettled(before.order))) tell(next.id, 'good', null);
  if (before.order?.heldUntil && !next.heldUntil && isUnpaid(next) && isUnpaid(before.order)) tell(next.id, 'wait', HOLD_ENDED);
  // Another window was faster.
  if (next.status === 'CANCELLED' || next.payment !== 'UNPAID') drop(deedOn(next.id));
  // An outcome that came after `payOrder` had been answered.
  if (asking.has(next.id) || before.order?.payment !== 'IN_PROGRESS' || next.payment !== 'UNPAID') return;
  const isVoided = next.payments.at(-1)?.status === 'VOIDED';
  tell(next.id, 'bad', tellUnpaid(isVoided ? VOIDED : DECLINED, next));
}

/** What a payment that took nothing leaves behind. */
function tellUnpaid(what: string, order: Order | null | undefined): string {
  return `${what} ${order?.heldUntil ? STILL_HELD : NOT_KEPT}`;
}

/** Whether the outcome of its payment is known, and is a good one. */
function isSettled({ payment }: Order): boolean {
  return payment !== 'UNPAID' && payment !== 'IN_PROGRESS';
}

function isUnpaid({ status, payment }: Order): boolean {
  return status !== 'CANCELLED' && payment === 'UNPAID';
}

function act(id: string, deed: () => Promise<void>): Promise<void> {
  return once(deedOn(id), async () => {
    tell(id, 'wait', null);
    try {
      await deed();
    } catch (error) {
      tell(id, 'bad', failure(error));
    }
  });
}

function isRefused(id: string, errors: readonly UserError[]): boolean {
  const text = refusal(errors);
  if (text) tell(id, 'bad', text);
  return text !== null;
}

function tell(id: string, tone: Notice['tone'], text: string | null): void {
  change(id, { notice: text ? { tone, text } : null });
}

function change(id: string, what: Partial<Mine>): void {
  mine.value = mine.peek().map((one) => (one.id === id ? { ...one, ...what } : one));
}

function find(id: string): Mine | undefined {
  return mine.peek().find((one) => one.id === id);
}

function known(): Order[] {
  return mine.peek().flatMap(({ order }) => order ?? []);
}

function finishedFirst(one: Mine, other: Mine): number {
  return Number(isFinished(other)) - Number(isFinished(one));
}

function isFinished({ order }: Mine): boolean {
  return order !== null && (order.status === 'CANCELLED' || order.shipping === 'FULFILLED');
}

function store(): void {
  remember('orders', JSON.stringify(mine.peek().map(({ id }) => id)));
}

function rememberedIds(): string[] {
  try {
    const ids: unknown = JSON.parse(recall('orders') ?? '[]');
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string').slice(0, MAX_MINE) : [];
  } catch {
    return [];
  }
}
