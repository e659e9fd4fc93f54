// The orders of this window, live: how far each is, how it is paid, what the shopper may still do. One at full length.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ended } from '../api/access.js';
import { heldUntil } from '../api/hold.js';
import { isUnderWay } from '../api/once.js';
import type { Order } from '../api/types.js';
import { Countdown } from '../countdown.jsx';
import { Panel, Told } from '../panel.jsx';
import { Undoing } from '../undoing.jsx';
import { count, money, type Notice } from '../words.js';
import { cancel, current, deedOn, others, pay, putAway, show, undoCancel, type Mine } from './orders.js';
import { Card } from './card.jsx';
import { OUTCOMES, SUCCEED } from './outcomes.js';
import { publishableKey } from './stripe.js';

export function OrderPanels() {
  const shown = current.value;
  return (
    <>
      {shown && <Whole mine={shown} />}
      {others.value.map((one) => (
        <Short key={one.id} mine={one} />
      ))}
    </>
  );
}

function Whole({ mine: { id, order, notice, isHidden } }: { mine: Mine }) {
  useEffect(() => {
    // Whoever has just checked out goes on here; a reload takes nobody anywhere.
    if (!order || !document.activeElement?.closest('.till')) return;
    const heading = document.getElementById('order');
    heading?.focus();
    heading?.parentElement?.scrollIntoView({ block: 'nearest' });
  }, [order?.id]);
  if (!order) {
    return (
      <Panel id="order" className="order" title="Your order">
        <p class="quiet" role="status">
          {isHidden ? hidden() : 'Reading your order…'}
        </p>
        {isHidden && <PutAway id={id} label="Shop on" />}
      </Panel>
    );
  }
  const until = heldUntil(deedOn(id));
  const isPayable = isOpen(order) && !isHidden;
  const secret = cardSecret(order);
  return (
    <Panel id="order" className="order" title={`Order ${order.number}`}>
      <Steps order={order} />
      <ul class="lines plain">
        {order.items.map((item) => (
          <li key={item.sku}>
            <div class="line-words">
              <span>
                {count(item.quantity)} × <bdi>{item.name}</bdi>
              </span>
              {isPayable && item.product && !order.heldUntil && <stock-badge product={item.product.id} label={item.name} always />}
            </div>
          </li>
        ))}
      </ul>
      <Told notice={isHidden ? hiddenAfter(notice) : (notice ?? state(order))} />
      {isPayable && order.heldUntil && <Countdown what="Yours for" until={order.heldUntil} />}
      {isPayable && <Pay key={id} order={order} until={until} />}
      {publishableKey && secret && !isHidden && <Card key={secret} publishableKey={publishableKey} clientSecret={secret} />}
      {!isPayable && (order.payment !== 'IN_PROGRESS' || isHidden) && <PutAway id={id} label="Shop on" />}
    </Panel>
  );
}

/** Another order, which goes on all the same. */
function Short({ mine: { id, order, notice, isHidden } }: { mine: Mine }) {
  const until = heldUntil(deedOn(id));
  const number = order?.number ?? '';
  const label = order && isOpen(order) && !isHidden ? 'Show it, to pay' : 'Show it';
  return (
    <Panel id={`order-${id}`} className="order short" title={order ? `Order ${number}` : 'Your order'}>
      <Told notice={isHidden ? hiddenAfter(notice) : order ? (notice ?? state(order)) : null} />
      {order && until !== null && (
        <Undoing what="Cancelled" subject={`cancelling ${number}`} at={until} onUndo={() => undoCancel(order)} />
      )}
      <div class="row">
        <button type="button" aria-label={`${label}: order ${number}`} onClick={() => show(id)}>
          {label}
        </button>
        {order && (!isOpen(order) || isHidden) && order.payment !== 'IN_PROGRESS' && <PutAway id={id} label="Put away" number={number} />}
      </div>
    </Panel>
  );
}

const STEPS = ['Ordered', 'Paid', 'Shipped'];

/** What the next step says while it is under way. */
function going({ payment, shipping }: Order): string | null {
  if (payment === 'IN_PROGRESS') return 'Being paid';
  if (payment === 'AUTHORIZED') return shipping === 'UNFULFILLED' ? 'Reserved' : 'Reserved, on its way';
  return shipping === 'PARTIALLY_FULFILLED' ? 'Partly shipped' : null;
}

function Steps({ order }: { order: Order }) {
  const { payment, shipping, status } = order;
  if (status === 'CANCELLED') return <p class="cancelled">Cancelled</p>;
  const next = going(order);
  const isPaid = payment !== 'UNPAID' && payment !== 'IN_PROGRESS' && payment !== 'AUTHORIZED';
  const reached = isPaid ? (shipping === 'FULFILLED' ? 3 : 2) : 1;
  return (
    <ol class="steps" data-reached={reached}>
      {STEPS.map((step, index) => {
        const isNext = index === reached && next !== null;
        const is = index < reached ? 'done' : isNext ? 'going' : 'open';
        return (
          <li key={step} class={is} aria-current={index === reached - 1 ? 'step' : undefined}>
            {isNext ? next : step}
            <span class="unseen">{is === 'done' ? ', done' : is === 'going' ? ', under way' : ', not yet'}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Pay({ order, until }: { order: Order; until: number | null }) {
  const chosen = useSignal(SUCCEED);
  const isBusy = isUnderWay(deedOn(order.id));
  const submit = (event: Event) => {
    event.preventDefault();
    if (until === null) void pay(order, chosen.value);
  };
  return (
    <form onSubmit={submit}>
      <fieldset class="choices" aria-describedby="effect">
        <legend>How the payment ends</legend>
        {OUTCOMES.map((outcome) => (
          <label key={outcome.label}>
            <input
              type="radio"
              name="outcome"
              value={outcome.gateway ?? outcome.method?.toLowerCase() ?? outcome.token}
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
      <button type="submit" class="main" aria-disabled={isBusy || until !== null}>
        {isBusy ? 'Asking the server…' : `${chosen.value.method ? 'Reserve' : 'Pay'} ${money(order.total)}`}
      </button>
      <div class="apart">
        {until === null ? (
          <button type="button" class="bare" aria-disabled={isBusy} onClick={() => cancel(order)}>
            Cancel the order
          </button>
        ) : (
          <Undoing what="Cancelled" subject={`cancelling ${order.number}`} at={until} onUndo={() => undoCancel(order)} />
        )}
      </div>
    </form>
  );
}

function PutAway({ id, label, number }: { id: string; label: string; number?: string }) {
  return (
    <button type="button" aria-label={number ? `${label} order ${number}` : label} onClick={() => putAway(id)}>
      {label}
    </button>
  );
}

/** What Stripe's fields need while the shopper has to enter a card. */
function cardSecret({ payment, payments }: Order): string | null {
  const action = payment === 'IN_PROGRESS' ? payments.at(-1)?.action : null;
  return action?.kind === 'STRIPE_CONFIRM' ? action.clientSecret : null;
}

function isOpen({ status, payment }: Order): boolean {
  return status !== 'CANCELLED' && payment === 'UNPAID';
}

/** Why an order is not shown. */
function hidden(): string {
  return ended.value
    ? 'Your sign-in has ended, and this order belongs to it. Sign in again at the top to see how far it is.'
    : 'The server does not show this order to you. Sign in at the top if it is yours.';
}

/** The same after what became of the last thing that was done to the order. */
function hiddenAfter(notice: Notice | null): Notice {
  return { tone: 'bad', text: notice?.tone === 'bad' ? `${notice.text} ${hidden()}` : hidden() };
}

/** What an order is waiting for, in words. */
function state(order: Order): Notice {
  const { status, payment, shipping, payments, heldUntil } = order;
  if (status === 'CANCELLED') return { tone: 'bad', text: `This order is cancelled. ${afterCancelling(order)}` };
  if (payment === 'REFUNDED') return { tone: 'wait', text: 'All of your money was sent back.' };
  if (payment === 'PARTIALLY_REFUNDED') return { tone: 'wait', text: 'A part of your money was sent back.' };
  if (shipping === 'FULFILLED') return { tone: 'good', text: 'It has left the warehouse.' };
  if (shipping === 'PARTIALLY_FULFILLED') return { tone: 'good', text: 'A part of it has left the warehouse. The rest is yours.' };
  if (payment === 'PAID') return { tone: 'good', text: 'Paid: it is yours. The back office ships it.' };
  if (payment === 'AUTHORIZED') return { tone: 'good', text: 'It is yours. Your money is reserved, and not taken yet.' };
  if (payment === 'UNPAID' && heldUntil) return { tone: 'good', text: 'Held for you: nobody else can buy it meanwhile.' };
  if (payment === 'UNPAID') return { tone: 'wait', text: 'Nothing is kept for you yet: who pays first gets it.' };
  const isAsked = payments.at(-1)?.status === 'REQUIRES_ACTION';
  return isAsked
    ? { tone: 'wait', text: 'Your bank wants you to confirm. Your units are held until then.' }
    : { tone: 'wait', text: 'The bank has not said yet. Your units are held until it does.' };
}

function afterCancelling({ payment, items }: Order): string {
  const freed = items.some(({ shippedQuantity }) => shippedQuantity > 0)
    ? 'What was not shipped is free again.'
    : 'Its units are free again.';
  if (payment === 'REFUNDED') return `${freed} All of your money was sent back.`;
  return payment === 'PARTIALLY_REFUNDED' ? `${freed} A part of your money was sent back.` : freed;
}
