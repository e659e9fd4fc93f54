// One order of the staff's: its state, its payments, its parcels, and what its state allows to do.
import { heldUntil } from '../api/hold.js';
import type { WholeItem, WholeOrder } from '../api/desk-types.js';
import type { Order } from '../api/types.js';
import { Countdown } from '../countdown.jsx';
import { Panel, Told } from '../panel.jsx';
import { Undoing } from '../undoing.jsx';
import { count, money, name, stateWords } from '../words.js';
import { canCancel } from './allowed.js';
import { cancelling, desk, form, isBusy, latest, notice, open, opened, plan, planned, readLatestSoon, undoPlan } from './desk.js';
import { deedOn } from './orders.js';
import { Parcels } from './parcels.jsx';
import { Payments } from './payments.jsx';
import { Sure } from './sure.jsx';

export function Desk() {
  const order = desk.value;
  return (
    <Panel id="desk" className="desk" title="One order: payments and parcels">
      <Choose />
      {!opened.value && <p class="quiet">Choose an order to capture, refund, ship in parts or cancel.</p>}
      {opened.value && !order && <p class="quiet">Reading the order…</p>}
      {order && <Whole key={order.id} order={order} />}
    </Panel>
  );
}

function Choose() {
  const order = desk.value;
  // What is open is followed, and newer than the list.
  const all = (latest.value ?? []).map((one) => (one.id === order?.id ? order : one));
  const shown = order && !all.includes(order) ? [order, ...all] : all;
  return (
    <label class="field">
      <span class="unseen">Order</span>
      <select
        value={opened.value ?? ''}
        onFocus={readLatestSoon}
        onChange={({ currentTarget: { value } }) => open(value || null)}
      >
        <option value="">{shown.length > 0 ? 'The newest orders' : 'No order yet'}</option>
        {shown.map((one) => (
          <option key={one.id} value={one.id}>
            {titleOf(one)}
          </option>
        ))}
      </select>
    </label>
  );
}

function titleOf(order: Order): string {
  const who = order.customer?.name ? ` · ${name(order.customer.name)}` : '';
  return `${order.number}${who} · ${money(order.total)} · ${stateWords(order)}`;
}

function Whole({ order }: { order: WholeOrder }) {
  const at = heldUntil(deedOn(order));
  const deed = planned.value;
  return (
    <>
      <p class="states">
        <strong>{order.number}</strong> {order.customer?.name && <bdi>{name(order.customer.name)}</bdi>}{' '}
        <span>{money(order.total)}</span> <span class="pill plain">{stateWords(order)}</span>
        {order.heldUntil && order.payment === 'UNPAID' && <Countdown what="Held for" until={order.heldUntil} />}
      </p>
      <ul class="facts">
        {order.items.map((item) => (
          <li key={item.id} data-item={item.sku}>
            <bdi>{name(item.name)}</bdi>
            <span class="quiet">{whereabouts(item)}</span>
          </li>
        ))}
      </ul>
      <Payments order={order} />
      <Parcels order={order} />
      {canCancel(order) && <Cancel order={order} />}
      <div class="desk-state">
        <Told notice={deed ? { tone: 'wait', text: 'About to be done.' } : notice.value} />
        {deed && at !== null && (
          <Undoing what={deed.what} subject={`${deed.doing} ${order.number}`} at={at} onUndo={() => undoPlan(order)} />
        )}
      </div>
    </>
  );
}

/** `3 ordered · 2 allocated · 1 shipped`: what there is none of is left out. */
function whereabouts(item: WholeItem): string {
  const parts: [number, string][] = [
    [item.quantity, 'ordered'],
    [item.allocatedQuantity, 'allocated'],
    [item.shippedQuantity, 'shipped'],
    [item.returnedQuantity, 'came back'],
    [item.cancelledQuantity, 'cancelled'],
  ];
  return parts.flatMap(([number, word]) => (number > 0 ? `${count(number)} ${word}` : [])).join(' · ');
}

function Cancel({ order }: { order: WholeOrder }) {
  const isPart = order.shipping === 'PARTIALLY_FULFILLED';
  const label = isPart ? 'Cancel the rest' : 'Cancel this order';
  if (form.value !== 'cancel') {
    return (
      <button type="button" class="bare small" aria-disabled={isBusy(order)} onClick={() => (form.value = 'cancel')}>
        {label}…
      </button>
    );
  }
  const money = order.payment === 'UNPAID' ? '' : ' It moves no money: refund the payment as well, before or after.';
  return (
    <Sure
      question={`${isPart ? 'What was shipped stays shipped, and the rest is freed.' : 'Its units are freed.'}${money}`}
      yes={`Yes, ${label.toLowerCase()}`}
      onYes={() => plan(order, cancelling(order))}
    />
  );
}
