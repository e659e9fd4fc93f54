// Stripe's own script, which takes card numbers so that this page never sees one. It is loaded from Stripe, as it must be,
// and only when the server has told its publishable key and somebody pays with a card.

interface Mounted {
  mount(place: HTMLElement): void;
}

export interface StripeElements {
  create(kind: 'payment'): Mounted;
}

interface Confirmation {
  readonly elements: StripeElements;
  readonly redirect: 'if_required';
  readonly confirmParams: { readonly return_url: string };
}

export interface StripeJs {
  elements(options: { clientSecret: string }): StripeElements;
  confirmPayment(what: Confirmation): Promise<{ error?: { message?: string } }>;
}

declare global {
  interface Window {
    Stripe?: (key: string) => StripeJs;
  }
}

const SCRIPT = 'https://js.stripe.com/v3/';

/** Null where orders are not paid through Stripe. */
export const publishableKey: string | null =
  document.querySelector<HTMLMetaElement>('meta[name="onhand-stripe-key"]')?.content ?? null;

let loading: Promise<StripeJs> | null = null;

export function loadStripe(key: string): Promise<StripeJs> {
  loading ??= new Promise<StripeJs>((resolve, reject) => {
    const script = document.createElement('script');
    script.src = SCRIPT;
    script.onload = () => (window.Stripe ? resolve(window.Stripe(key)) : reject(new Error('Stripe did not start.')));
    script.onerror = () => reject(new Error('Stripe could not be loaded.'));
    document.head.append(script);
  }).catch((error: unknown) => {
    loading = null;
    throw error;
  });
  return loading;
}
