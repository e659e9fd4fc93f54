// What the sandbox can be told to do, in words for people. The README has all of its tokens. Where the server has Stripe, a
// card can be used as well.
import { publishableKey } from './stripe.js';

export interface Outcome {
  /** The sandbox unless it says so. */
  readonly gateway?: 'sandbox' | 'stripe';
  /** Empty for none. */
  readonly token: string;
  /** The money is taken at once unless it says so. */
  readonly method?: 'AUTHORIZE';
  readonly label: string;
  readonly effect: string;
}

export const SUCCEED: Outcome = { token: 'succeed', label: 'Succeeds', effect: 'The card is charged at once.' };

const CARD: Outcome = {
  gateway: 'stripe',
  token: '',
  label: 'With a card',
  effect: 'Through Stripe: your units are held while you type its number, for 15 minutes at the most.',
};

export const OUTCOMES: readonly Outcome[] = [
  ...(publishableKey ? [CARD] : []),
  SUCCEED,
  { token: 'decline', label: 'Is declined', effect: 'Nothing is charged, and the units are free again.' },
  { token: 'delay:3000', label: 'Takes 3 s', effect: 'Charged after 3 seconds. Your units are held meanwhile.' },
  {
    token: 'delay:8000',
    label: 'Takes 8 s',
    effect: 'The shop stops waiting after 4 seconds, holds your units, and hears of the money when it comes.',
  },
  {
    token: 'delay:6000:decline',
    label: 'Declined late',
    effect: 'Held for 6 seconds, then declined: the units are free again.',
  },
  { token: 'action:4000', label: 'Asks you first', effect: 'Your bank wants you to confirm, which you do after 4 seconds.' },
  {
    token: 'never:charged',
    label: 'Answer is lost',
    effect: 'Charged, but nobody says so. The server asks again after 30 seconds, and finds the money.',
  },
  {
    token: 'never',
    label: 'Never answers',
    effect: 'Your units are held until the payment is called off for certain, after 15 minutes.',
  },
  { token: 'error', label: 'Breaks', effect: 'The payment provider refuses the request itself; nothing is charged.' },
  {
    token: 'succeed',
    method: 'AUTHORIZE',
    label: 'Reserves it',
    effect: 'The money is reserved and your units are yours. The back office takes the money later, or lets it go.',
  },
  {
    token: 'succeed,capture:fail:1',
    method: 'AUTHORIZE',
    label: 'Capture fails once',
    effect: 'Reserved; the first time that the back office takes the money the provider refuses.',
  },
  {
    token: 'succeed,refund:fail',
    label: 'Refund fails',
    effect: 'Charged at once. The provider refuses every refund, which then stays due.',
  },
];
