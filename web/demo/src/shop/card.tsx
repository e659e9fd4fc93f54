// The card of a shopper who pays through Stripe: Stripe's own fields, in a frame of Stripe's. What becomes of the payment the
// order tells.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Told } from '../panel.jsx';
import type { Notice } from '../words.js';
import { loadStripe, type StripeElements, type StripeJs } from './stripe.js';

export function Card({ publishableKey, clientSecret }: { publishableKey: string; clientSecret: string }) {
  const place = useRef<HTMLDivElement>(null);
  const loaded = useRef<{ stripe: StripeJs; elements: StripeElements } | null>(null);
  const notice = useSignal<Notice | null>({ tone: 'wait', text: 'Loading the fields for your card…' });
  const isBusy = useSignal(true);

  useEffect(() => {
    let isGone = false;
    loadStripe(publishableKey)
      .then((stripe) => {
        if (isGone || !place.current) return;
        const elements = stripe.elements({ clientSecret });
        elements.create('payment').mount(place.current);
        loaded.current = { stripe, elements };
        notice.value = null;
        isBusy.value = false;
      })
      .catch(() => (notice.value = { tone: 'bad', text: 'Stripe could not be loaded. Reload the page to try again.' }));
    return () => (isGone = true);
  }, [publishableKey, clientSecret]);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (!loaded.current || isBusy.peek()) return;
    const { stripe, elements } = loaded.current;
    isBusy.value = true;
    notice.value = null;
    const { error } = await stripe.confirmPayment({
      elements,
      redirect: 'if_required',
      confirmParams: { return_url: location.href },
    });
    isBusy.value = false;
    notice.value = error
      ? { tone: 'bad', text: error.message ?? 'The card was declined. Try another one.' }
      : { tone: 'wait', text: 'Stripe has it. The shop hears of it in a moment.' };
  };

  return (
    <form class="card" onSubmit={(event) => void submit(event)}>
      <div ref={place} />
      <Told notice={notice.value} />
      <button type="submit" class="main" aria-disabled={isBusy.value}>
        Pay with this card
      </button>
    </form>
  );
}
