// What is said to people: amounts, times, names, and what a refusal or a failure means for them.
import type { Ended } from './api/access.js';
import { codeOf } from './api/request.js';
import type { Action, Money, Order, Payment, Product, UserError } from './api/types.js';

/** Something to tell. `good` is for what went well. */
export interface Notice {
  readonly tone: 'good' | 'bad' | 'wait';
  readonly text: string;
}

/** By the code of a user error; the others are said in the server's words. */
const REFUSALS: Readonly<Record<string, string>> = {
  // Who has it is not known here: it may be the shopper's own other order.
  INSUFFICIENT_STOCK: 'Sorry, not enough left.',
  PRODUCT_UNAVAILABLE: 'Sorry, this is no longer for sale.',
  PAYMENT_IN_PROGRESS: 'A payment is under way already. Please wait for its outcome.',
  GATEWAY_ERROR: 'The payment provider had a problem. Nothing was charged: you may pay again.',
  INVALID_QUANTITY: 'Please choose another quantity.',
  LIMIT_EXCEEDED: 'That is more than a cart can hold.',
  CURRENCY_MISMATCH: 'A cart can hold one currency only: check out or remove what is in it first.',
  AMOUNT_TOO_LARGE: 'That is more money than can be counted here.',
};

const DAY_MS = 24 * 60 * 60 * 1_000;

/** By the code of a failure. */
const FAILURES: Readonly<Record<string, string>> = {
  NO_ANSWER: 'The server does not answer. Please try again: nothing is done twice.',
  OVERLOADED: 'The server is busy. Nothing was done; please try again.',
  UNAVAILABLE: 'The server is busy. Nothing was done; please try again.',
  TIMEOUT: 'The server took too long. Please try again: nothing is done twice.',
  RATE_LIMITED: 'That was too much at once. Please try again in a moment.',
  UNAUTHENTICATED: 'That is for those who have signed in. Use “Sign in” at the top.',
  SIGN_IN_ENDED: 'Your sign-in has ended, so this was not done. You can go on as a guest, or sign in again at the top.',
  FORBIDDEN: 'That is for staff only.',
};

const ACTIONS: Readonly<Record<Action, string>> = {
  CREATE: 'first stock',
  INCREMENT: 'received',
  DECREMENT: 'removed',
  ALLOCATE: 'allocated',
  DEALLOCATE: 'freed',
  SET: 'counted',
  SHIP: 'shipped',
};

/** Letters that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const ISOLATE = '\u2068';
const END_OF_ISOLATE = '\u2069';

export function refusal(errors: readonly UserError[]): string | null {
  const [first] = errors;
  return first ? (REFUSALS[first.code] ?? `${first.message}.`.replace(/[.!?]\.$/, '.')) : null;
}

export function failure(error: unknown): string {
  return FAILURES[codeOf(error)] ?? 'Something went wrong. Please try again.';
}

export function actionWord(action: Action): string {
  return ACTIONS[action] ?? action;
}

/** `ORDER_PAYMENT` as `order payment`. */
export function plain(word: string): string {
  return word.toLowerCase().replaceAll('_', ' ');
}

const MONEY: Readonly<Record<Order['payment'], string>> = {
  UNPAID: 'unpaid',
  IN_PROGRESS: 'being paid',
  AUTHORIZED: 'authorized',
  PAID: 'paid',
  PARTIALLY_REFUNDED: 'partly refunded',
  REFUNDED: 'refunded',
};

/** How far an order is: `paid, partly shipped`. */
export function stateWords({ status, payment, shipping, heldUntil }: Order): string {
  const goods = shipping === 'FULFILLED' ? ', shipped' : shipping === 'PARTIALLY_FULFILLED' ? ', partly shipped' : '';
  if (status === 'CANCELLED') return `cancelled${payment === 'UNPAID' ? '' : `, ${MONEY[payment]}`}${goods}`;
  return payment === 'UNPAID' && heldUntil ? 'held, unpaid' : MONEY[payment] + goods;
}

const PAYMENTS: Readonly<Record<Payment['status'], string>> = {
  IN_PROGRESS: 'under way',
  REQUIRES_ACTION: 'waits for the shopper',
  AUTHORIZED: 'authorized',
  SUCCEEDED: 'captured',
  DECLINED: 'declined',
  VOIDED: 'voided',
};

export function paymentWord(status: Payment['status']): string {
  return PAYMENTS[status] ?? status;
}

export function availabilityWord(availability: Product['availability']): string {
  return availability === 'UNTRACKED' ? 'not counted' : plain(availability);
}

/** Why somebody who had signed in is a guest again. */
export const ENDED: Readonly<Record<Ended, string>> = {
  expired: 'Your sign-in has expired.',
  refused: 'The server does not accept your sign-in any more.',
  unknown: 'The server does not accept this token.',
};

/** Maximum number of characters of a name within a sentence. */
const MAX_NAME = 60;

/** A name within a sentence, which keeps its length and its order whatever the name is. */
export function name(whole: string): string {
  const letters = [...whole];
  const text = letters.length > MAX_NAME ? `${letters.slice(0, MAX_NAME - 1).join('')}…` : whole;
  return RIGHT_TO_LEFT.test(text) ? ISOLATE + text + END_OF_ISOLATE : text;
}

export function money(whole: Money): string {
  const { amount, currency } = whole;
  // Some currencies have no cents, some have a thousand parts.
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount / 10 ** digitsOf(whole));
}

/** How many digits a currency has after the point. */
export function digitsOf({ currency }: Money): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** An amount in units of its currency as the API wants it. */
export function inMinor(amount: number, of: Money): number {
  return Math.round(amount * 10 ** digitsOf(of));
}

const counts = new Intl.NumberFormat('en');
const shortCounts = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export function count(number: number): string {
  return counts.format(number);
}

/** Such as `20M`. */
export function shortCount(number: number): string {
  return number < 10_000 ? String(number) : shortCounts.format(number);
}

export function clock(time: string | number): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

/** A day where there is more than one of them between two moments, and otherwise the time. */
export function since(from: number, to: number): string {
  return to - from > DAY_MS ? new Date(from).toLocaleDateString('en-GB') : clock(from);
}

export function units(number: number): string {
  return number === 1 ? '1 unit' : `${count(number)} units`;
}

/** How many there are that are not shown. */
export interface Left {
  readonly count: number;
  /** Whether there are more than that. */
  readonly isLeast: boolean;
}

/** What a list leaves out: `50 of 62 products are shown.` */
export function leftOut(shown: number, left: Left, things: string): string {
  const all = count(shown + left.count);
  return `${count(shown)} of ${left.isLeast ? `more than ${all}` : all} ${things} are shown.`;
}
