// The orders that wait. Shipping is one press, held for some seconds; cancelling stands apart and is asked for first.
import { useLayoutEffect, useRef } from 'preact/hooks';
import { heldUntil } from '../api/hold.js';
import { isUnderWay } from '../api/once.js';
import { More } from '../more.jsx';
import { Panel, Told } from '../panel.jsx';
import { Undoing } from '../undoing.jsx';
import { canCancel, canShip } from './allowed.js';
import { goToDesk, opened } from './desk.js';
import { count, leftOut, money, name, units, type Notice } from '../words.js';
import {
  ask,
  clearFinished,
  deedOn,
  finished,
  hasMore,
  isWaiting,
  left,
  plan,
  rows,
  showMore,
  trouble,
  undoPlan,
  waiting,
  type Row,
} from './orders.js';

export function Orders() {
  const all = rows.value;
  const [oldest, arrivals] = [all?.filter((row) => !row.isArrival), all?.filter((row) => row.isArrival)];
  return (
    <Panel id="orders" title="To ship">
      {!all && <p class="quiet">{trouble.value ?? 'Reading the orders…'}</p>}
      {all && waiting.value.length === 0 && !hasMore.value && <p class="quiet">No paid order waits.</p>}
      {oldest && oldest.length > 0 && <List rows={oldest} />}
      {all && hasMore.value && (
        <More said={leftOutHere()} things="orders" name="more orders" trouble={trouble.value} onMore={() => void showMore()} />
      )}
      {arrivals && arrivals.length > 0 && <List rows={arrivals} />}
      {finished.value.length > 0 && (
        <button type="button" class="bare" onClick={clearFinished}>
          Clear {finished.value.length === 1 ? 'the finished one' : `the ${count(finished.value.length)} finished ones`}
        </button>
      )}
    </Panel>
  );
}

function leftOutHere(): string {
  const shown = waiting.value.length;
  return left.value
    ? `The oldest first: ${leftOut(shown, left.value, 'orders')}`
    : `The oldest ${count(shown)} orders are shown; there are more.`;
}

function List({ rows: shown }: { rows: readonly Row[] }) {
  return (
    <ul class="waiting">
      {shown.map((row) => (
        <RowOf key={row.order.id} row={row} />
      ))}
    </ul>
  );
}

function RowOf({ row }: { row: Row }) {
  const { order, deed, isAsking } = row;
  const { number, items, total, customer, payment } = order;
  const until = heldUntil(deedOn(order));
  const isBusy = until !== null || isUnderWay(deedOn(order));
  const canAct = isWaiting(row) && payment !== 'IN_PROGRESS';
  const doing = deed === 'ship' ? 'shipping' : 'cancelling';
  return (
    <li data-order={number} tabIndex={-1} class={isWaiting(row) ? '' : 'finished'}>
      <div class="waiting-words">
        <p>
          <strong>{number}</strong> {customer?.name && <bdi>{name(customer.name)}</bdi>} <span>{money(total)}</span>
        </p>
        <p class="quiet">{items.map((item) => `${count(item.quantity)} × ${name(item.name)}`).join(', ')}</p>
      </div>
      {canAct && (
        <button
          type="button"
          aria-disabled={isBusy || isAsking}
          aria-label={`Ship ${number}`}
          onClick={() => !isAsking && plan(order, 'ship')}
        >
          Ship
        </button>
      )}
      {isWaiting(row) && payment === 'IN_PROGRESS' && <span class="pill">being paid</span>}
      {/* As high whatever is told in it, so that the rows below stay where they are. */}
      <div class="waiting-state">
        <Told notice={told(row)} />
        {until !== null && deed && (
          <Undoing
            what={deed === 'ship' ? 'Ships' : 'Cancelled'}
            subject={`${doing} ${number}`}
            at={until}
            onUndo={() => undoPlan(order)}
          />
        )}
        {canAct && canCancel(order) && !isAsking && !isBusy && (
          <button type="button" class="bare small" aria-label={`Cancel ${number}…`} onClick={() => ask(order, true)}>
            Cancel…
          </button>
        )}
        {!isAsking && <Details row={row} />}
      </div>
      {canAct && isAsking && <Sure row={row} />}
    </li>
  );
}

/** Opens the order at the desk, where it has its payments and parcels. */
function Details({ row: { order } }: { row: Row }) {
  return (
    <button
      type="button"
      class="bare small details"
      aria-label={`Details of ${order.number}`}
      aria-current={opened.value === order.id}
      onClick={() => goToDesk(order.id)}
    >
      Details
    </button>
  );
}

/** The question before a paid order is cancelled. */
function Sure({ row: { order } }: { row: Row }) {
  const { number, total } = order;
  const keep = useRef<HTMLButtonElement>(null);
  // The button that asked is gone.
  useLayoutEffect(() => keep.current?.focus(), []);
  return (
    <div class="sure" role="group" aria-label={`Cancel ${number}?`}>
      <p>
        It is paid: {money(total)}. Cancelling frees its units. Paying the money back is a matter of its own.
      </p>
      <div class="row">
        <button ref={keep} type="button" aria-label={`Keep it: ${number}`} onClick={() => ask(order, false)}>
          Keep it
        </button>
        <button type="button" class="danger" aria-label={`Yes, cancel it: ${number}`} onClick={() => plan(order, 'cancel')}>
          Yes, cancel it
        </button>
      </div>
    </div>
  );
}

/** What has become of an order, in few words. */
function told({ order, deed, done, notice }: Row): Notice | null {
  // The countdown is not read out.
  if (deed) return { tone: 'wait', text: deed === 'ship' ? 'About to ship.' : 'About to be cancelled.' };
  if (order.status === 'CANCELLED') {
    const where = done === 'cancel' ? 'Cancelled' : 'Cancelled elsewhere';
    return { tone: 'bad', text: `${where}: its units are free again.` };
  }
  if (order.shipping === 'FULFILLED') return { tone: 'good', text: done === 'ship' ? 'Shipped.' : 'Shipped elsewhere.' };
  if (order.payment === 'UNPAID') return { tone: 'wait', text: 'Its payment did not succeed: nothing to ship.' };
  if (order.payment === 'REFUNDED') return { tone: 'wait', text: 'Refunded: nothing is shipped any more.' };
  if (order.payment !== 'IN_PROGRESS' && !canShip(order)) return { tone: 'wait', text: 'Nothing is left to ship.' };
  return notice ?? partly(order);
}

/** What is particular about an order that still has something to ship. */
function partly({ payment, shipping, items }: Row['order']): Notice | null {
  const [shipped, all] = [sum(items.map((item) => item.shippedQuantity)), sum(items.map((item) => item.quantity))];
  const words = [
    ...(payment === 'AUTHORIZED' ? ['Its money is authorized, not captured.'] : []),
    ...(shipping === 'PARTIALLY_FULFILLED' ? [`${count(shipped)} of ${units(all)} shipped.`] : []),
    ...(payment === 'PARTIALLY_REFUNDED' ? ['A part of the money was refunded.'] : []),
  ];
  return words.length > 0 ? { tone: 'wait', text: words.join(' ') } : null;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
