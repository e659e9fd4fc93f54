// The order that the staff have opened, followed live, and what they do to it. As everywhere in the back office, what cannot
// be taken back is held for some seconds first.
import { computed, signal } from '@preact/signals';
import { CANCEL_ORDER, PAY_ORDER, SHIP_ORDER, type ItemQuantities } from '../api/documents.js';
import { CAPTURE_PAYMENT, DESK_ORDER, LATEST_ORDERS, REFUND_PAYMENT, VOID_PAYMENT } from '../api/desk-documents.js';
import type { WholeOrder, WholePayment } from '../api/desk-types.js';
import { drop, heldUntil, hold, undo } from '../api/hold.js';
import { follow } from '../api/live.js';
import { isUnderWay, once } from '../api/once.js';
import { mutate, request } from '../api/request.js';
import type { Order, UserError } from '../api/types.js';
import { failure, money, refusal, units, type Notice } from '../words.js';
import { access } from './log.js';
import { deedOn, readOrdersSoon } from './orders.js';

/** Rows of the log that come one after the other are one reason to read. */
const READ_AFTER_MS = 300;

/** What is done to an order, in the words of the page. */
export interface Deed {
  /** With the seconds after it: “Captured” in 5 s. */
  readonly what: string;
  /** What it is called while it goes on: “capturing”. */
  readonly doing: string;
  /** What is told when it was done. */
  readonly done: string;
  /** What is told by the code of a refusal, where the page knows better than the server. */
  readonly refusals?: Readonly<Record<string, string>>;
  readonly send: () => Promise<readonly UserError[]>;
}

/** The newest orders, whatever became of them. Null until they have been read. */
export const latest = signal<readonly Order[] | null>(null);
/** The id of the order that is open. */
export const opened = signal<string | null>(null);
const followed = signal<WholeOrder | null>(null);
/** The order that is open, once it has been read. */
export const desk = computed(() => (followed.value?.id === opened.value ? followed.value : null));
/** The form that is open: `ship`, `cancel`, or what is done to a payment and its id. */
export const form = signal<string | null>(null);

/** What is held, and what was told last, by order. */
const deeds = signal<ReadonlyMap<string, Deed>>(new Map());
const notices = signal<ReadonlyMap<string, Notice>>(new Map());

export const planned = computed(() => deeds.value.get(opened.value ?? '') ?? null);
export const notice = computed(() => notices.value.get(opened.value ?? '') ?? null);

let stop: (() => void) | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

const ASKED_AGAIN = 'The payment provider has not answered yet. The server asks again by itself, and this page will show it.';

/** Opens an order; null closes it. */
export function open(id: string | null): void {
  if (opened.peek() === id) return;
  stop?.();
  opened.value = id;
  form.value = null;
  stop = id ? follow(DESK_ORDER, { id }, ({ orderChanged }) => (followed.value = orderChanged), () => open(null)) : undefined;
}

/** Opens an order and goes to where it is seen. */
export function goToDesk(id: string): void {
  open(id);
  const heading = document.getElementById('desk');
  heading?.focus({ preventScroll: true });
  heading?.closest('.panel')?.scrollIntoView({ block: 'nearest' });
}

export async function readLatest(): Promise<void> {
  if (access.peek() !== 'staff') return;
  const { orders } = await request(LATEST_ORDERS, {});
  if (access.peek() === 'staff') latest.value = orders?.nodes ?? [];
}

export function readLatestSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(() => readLatest().catch(() => {}), READ_AFTER_MS);
}

export function isBusy({ id }: Pick<Order, 'id'>): boolean {
  return heldUntil(deedOn({ id })) !== null || isUnderWay(deedOn({ id }));
}

/** Does something to an order, after a while in which that can be undone. */
export function plan({ id }: Order, deed: Deed): void {
  const name = deedOn({ id });
  if (isUnderWay(name) || heldUntil(name) !== null) return;
  form.value = null;
  tell(id, null);
  deeds.value = new Map([...deeds.peek(), [id, deed]]);
  hold(name, () => void act(id, deed));
}

export function undoPlan({ id }: Order): void {
  if (!undo(deedOn({ id }))) return;
  forget(id);
  tell(id, { tone: 'good', text: 'Undone: nothing was changed.' });
}

/** Drops what is held, and shows nothing of an order any more: whoever wanted it may not do it any more. */
export function leaveDesk(): void {
  for (const id of deeds.peek().keys()) drop(deedOn({ id }));
  deeds.value = new Map();
  latest.value = null;
  followed.value = null;
  open(null);
}

async function act(id: string, deed: Deed): Promise<void> {
  await once(deedOn({ id }), async () => {
    forget(id);
    try {
      const errors = await deed.send();
      const [first] = errors;
      const text = deed.refusals?.[first?.code ?? ''] ?? refusal(errors);
      const tone = first?.code === 'PAYMENT_IN_PROGRESS' ? 'wait' : 'bad';
      tell(id, text ? { tone, text } : { tone: 'good', text: deed.done });
    } catch (error) {
      tell(id, { tone: 'bad', text: failure(error) });
    }
  });
  readOrdersSoon();
  readLatestSoon();
}

function forget(id: string): void {
  deeds.value = new Map([...deeds.peek()].filter(([other]) => other !== id));
}

function tell(id: string, next: Notice | null): void {
  const others = [...notices.peek()].filter(([other]) => other !== id);
  notices.value = new Map(next ? [...others, [id, next]] : others);
}

/** Money that was taken elsewhere, for example in cash. */
export function recording({ id, total }: Order): Deed {
  return {
    what: 'Recorded',
    doing: 'recording the money for',
    done: `${money(total)} recorded as taken.`,
    send: async () => (await mutate(PAY_ORDER, { orderId: id, gateway: 'manual' })).payOrder.userErrors,
  };
}

export function capturing({ id, amount }: WholePayment): Deed {
  return {
    what: 'Captured',
    doing: 'capturing',
    done: `${money(amount)} captured.`,
    refusals: {
      GATEWAY_ERROR: 'The payment provider did not give the money. It stays authorized, and the units stay allocated: try again.',
      PAYMENT_IN_PROGRESS: ASKED_AGAIN,
    },
    send: async () => (await mutate(CAPTURE_PAYMENT, { paymentId: id })).capturePayment.userErrors,
  };
}

export function voiding({ id }: WholePayment, force = false): Deed {
  return {
    what: 'Voided',
    doing: 'voiding',
    done: 'Voided: no money is taken, and what was not shipped is free again.',
    refusals: {
      GATEWAY_ERROR: 'The money had been taken already, so there is nothing to void. Refund it.',
      PAYMENT_IN_PROGRESS: ASKED_AGAIN,
    },
    send: async () =>
      (await mutate(VOID_PAYMENT, { paymentId: id, ...(force ? { force } : {}) })).voidPayment.userErrors,
  };
}

export function refunding({ id, amount, gateway }: WholePayment, minor: number, restock: ItemQuantities): Deed {
  const back = restock.reduce((sum, { quantity }) => sum + quantity, 0);
  const by = gateway === 'manual' ? ' Hand the money back: “manual” only records it.' : '';
  return {
    what: 'Refunded',
    doing: 'refunding',
    done: `${money({ ...amount, amount: minor })} refunded${back > 0 ? `, ${units(back)} back in stock` : ''}.${by}`,
    refusals: {
      GATEWAY_ERROR: 'The payment provider refused the refund: the money is still due, and no stock came back.',
      PAYMENT_IN_PROGRESS: ASKED_AGAIN,
    },
    send: async () => {
      const input = { paymentId: id, amount: minor, ...(restock.length > 0 ? { restock } : {}) };
      return (await mutate(REFUND_PAYMENT, input)).refundPayment.userErrors;
    },
  };
}

export function shipping({ id }: Order, items: ItemQuantities, carrier: string, trackingNumber: string): Deed {
  const all = items.reduce((sum, { quantity }) => sum + quantity, 0);
  const input = { orderId: id, items, ...(carrier ? { carrier } : {}), ...(trackingNumber ? { trackingNumber } : {}) };
  return {
    what: 'Shipped',
    doing: 'shipping',
    done: `${units(all)} shipped.`,
    send: async () => (await mutate(SHIP_ORDER, input)).shipOrder.userErrors,
  };
}

export function cancelling({ id }: Order): Deed {
  return {
    what: 'Cancelled',
    doing: 'cancelling',
    done: 'Cancelled: what was not shipped is free again.',
    send: async () => (await mutate(CANCEL_ORDER, { orderId: id })).cancelOrder.userErrors,
  };
}
