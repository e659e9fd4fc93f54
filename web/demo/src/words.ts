// What is said to people: amounts, times, and what a refusal or a failure means for them.
import { codeOf } from './api/request.js';
import type { Action, Money, UserError } from './api/types.js';

/** Something to tell. `good` is for what went well. */
export interface Notice {
  readonly tone: 'good' | 'bad' | 'wait';
  readonly text: string;
}

/** By the code of a user error; the others are said in the server's words. */
const REFUSALS: Readonly<Record<string, string>> = {
  INSUFFICIENT_STOCK: 'Sorry, not enough left. Somebody else was faster.',
  PRODUCT_UNAVAILABLE: 'Sorry, this is no longer for sale.',
  PAYMENT_DECLINED: 'The payment was declined. Nothing was charged and nothing is kept for you: you may pay again.',
  PAYMENT_IN_PROGRESS: 'A payment is under way already. Please wait for its outcome.',
  GATEWAY_ERROR: 'The payment provider had a problem. Nothing was charged: you may pay again.',
  INVALID_QUANTITY: 'Please choose another quantity.',
  LIMIT_EXCEEDED: 'That is more than a cart can hold.',
  CURRENCY_MISMATCH: 'A cart can hold one currency only.',
};

const DAY_MS = 24 * 60 * 60 * 1_000;

/** By the code of a failure. */
const FAILURES: Readonly<Record<string, string>> = {
  NO_ANSWER: 'The server does not answer. Please try again: nothing is done twice.',
  OVERLOADED: 'The server is busy. Nothing was done; please try again.',
  UNAVAILABLE: 'The server is busy. Nothing was done; please try again.',
  TIMEOUT: 'The server took too long. Please try again: nothing is done twice.',
  RATE_LIMITED: 'That was too much at once. Please try again in a moment.',
  UNAUTHENTICATED: 'The server does not know you: sign in at the top, with a token that is still good.',
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

export function money({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  // Some currencies have no cents, some have a thousand parts.
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

export function clock(time: string | number): string {
  return new Date(time).toLocaleTimeString('en-GB');
}

/** A day where there is more than one of them between two moments, and otherwise the time. */
export function since(from: number, to: number): string {
  return to - from > DAY_MS ? new Date(from).toLocaleDateString('en-GB') : clock(from);
}

export function units(count: number): string {
  return count === 1 ? '1 unit' : `${count} units`;
}
