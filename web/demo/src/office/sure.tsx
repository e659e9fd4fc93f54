// A question at the desk, before something that ends an order or a payment.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { form } from './desk.js';

export function Sure({ question, yes, onYes }: { question: string; yes: string; onYes: () => void }) {
  const keep = useRef<HTMLButtonElement>(null);
  // The button that asked is gone.
  useLayoutEffect(() => keep.current?.focus(), []);
  return (
    <div class="sure" role="group" aria-label={yes.replace('Yes, ', '')}>
      <p>{question}</p>
      <div class="row">
        <button ref={keep} type="button" onClick={() => (form.value = null)}>
          Keep it
        </button>
        <button type="button" class="danger" onClick={onYes}>
          {yes}
        </button>
      </div>
    </div>
  );
}
