// The order of this window, live: how far it is, how it is paid, what the shopper may still do.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Order } from '../api/types.js';
import { Panel, Told } from '../panel.jsx';
import { money, type Notice } from '../words.js';
import { OUTCOMES, SUCCEED } from './outcomes.js';
import { busy, cancel, notice, order, pay, putAway } from './state.js';

export function OrderPanel() {
  const shown = order.value;
  useEffect(() => {
    // Whoever has just checked out goes on here; a reload takes nobody anywhere.
    if (!document.activeElement?.closest('.till')) return;
    const heading = document.getElementById('order');
    heading?.focus();
    heading?.parentElement?.scrollIntoView({ block: 'nearest' });
  }, [shown?.id]);
  if (!shown) return null;
  const isPayable = shown.status !== 'CANCELLED' && shown.payment === 'UNPAID';
  return (
    <Panel id="order" className="order" title={`Order ${shown.number}`}>
      <Steps order={shown} />
      <ul class="lines plain">
        {shown.items.map((item) => (
          <li key={item.sku}>
            <div class="line-words">
              <span>
                {item.quantity} × {item.name}
              </span>
              {isPayable && item.product && <stock-badge product={item.product.id} label={item.name} always />}
            </div>
          </li>
        ))}
      </ul>
      <Told notice={notice.value ?? state(shown)} />
      {isPayable ? <Pay order={shown} /> : shown.payment !== 'IN_PROGRESS' && <Done />}
    </Panel>
  );
}

const STEPS = ['Ordered', 'Paid', 'Shipped'];

function Steps({ order: { payment, shipping, status } }: { order: Order }) {
  if (status === 'CANCELLED') return <p class="cancelled">Cancelled</p>;
  const reached = shipping === 'FULFILLED' ? 3 : payment === 'PAID' ? 2 : 1;
  return (
    <ol class="steps" data-reached={reached}>
      {STEPS.map((step, index) => {
        const isNext = index === reached && payment === 'IN_PROGRESS';
        const is = index < reached ? 'done' : isNext ? 'going' : 'open';
        return (
          <li key={step} class={is} aria-current={index === reached - 1 ? 'step' : undefined}>
            {isNext ? 'Being paid' : step}
            <span class="unseen">{is === 'done' ? ', done' : is === 'going' ? ', under way' : ', not yet'}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Pay({ order: { total } }: { order: Order }) {
  const chosen = useSignal(SUCCEED);
  const submit = (event: Event) => {
    event.preventDefault();
    void pay(chosen.value.token);
  };
  return (
    <form onSubmit={submit}>
      <fieldset class="choices" aria-describedby="effect">
        <legend>How the payment ends</legend>
        {OUTCOMES.map((outcome) => (
          <label key={outcome.token}>
            <input
              type="radio"
              name="outcome"
              value={outcome.token}
              checked={chosen.value === outcome}
              onChange={() => (chosen.value = outcome)}
            />
            <span>{outcome.label}</span>
          </label>
        ))}
      </fieldset>
      <p id="effect" class="quiet effect">
        {chosen.value.effect}
      </p>
      <div class="row">
        <button type="submit" class="main" aria-disabled={busy.value !== null}>
          {busy.value === 'pay' ? 'Asking the bank…' : `Pay ${money(total)}`}
        </button>
        <button type="button" class="bare" aria-disabled={busy.value !== null} onClick={() => void cancel()}>
          Cancel the order
        </button>
      </div>
    </form>
  );
}

function Done() {
  return (
    <button type="button" onClick={putAway}>
      Shop on
    </button>
  );
}

/** What an order is waiting for, in words. */
function state({ status, payment, shipping, payments }: Order): Notice {
  if (status === 'CANCELLED') return { tone: 'bad', text: 'This order is cancelled. Its units are free again.' };
  if (shipping === 'FULFILLED') return { tone: 'good', text: 'It has left the warehouse.' };
  if (payment === 'PAID') return { tone: 'good', text: 'Paid: it is yours. The back office ships it.' };
  if (payment === 'UNPAID') return { tone: 'wait', text: 'Nothing is kept for you yet: who pays first gets it.' };
  const isAsked = payments.at(-1)?.status === 'REQUIRES_ACTION';
  return isAsked
    ? { tone: 'wait', text: 'Your bank wants you to confirm. Your units are held until then.' }
    : { tone: 'wait', text: 'The bank has not said yet. Your units are held until it does.' };
}
