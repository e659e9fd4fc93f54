// The back office as it is seen: a product's stock over time, goods that come and go, orders that wait, and the log.
import { useSignal } from '@preact/signals';
import { connection } from '../api/live.js';
import type { LogRow, Order } from '../api/types.js';
import { Panel, Told } from '../panel.jsx';
import { actionWord, clock, money, plain, units } from '../words.js';
import { Chart } from './chart.jsx';
import { access, adjust, busy, cancel, choose, chosen, counted, log, notice, orders, ship } from './state.js';

/** Rows of the log that are shown. */
const SHOWN = 14;

export function Office() {
  if (access.value === 'refused') {
    return (
      <p class="empty">
        The back office is for staff. Use “Sign in” at the top with a token of the staff:
        <code>onhand token --role staff --sub you</code>
      </p>
    );
  }
  if (access.value !== 'staff') {
    return <p class="empty">{access.value === 'asking' ? 'Opening…' : 'The server does not answer. Trying again…'}</p>;
  }
  return (
    <div class="office">
      {connection.value === 'lost' && <p class="notice wait">Not live: these numbers may be old.</p>}
      <Stock />
      <Orders />
      <Log />
    </div>
  );
}

function Stock() {
  return (
    <Panel id="stock" title="Stock over time">
      <label class="field">
        <span class="unseen">Product</span>
        <select value={chosen.value?.id} onChange={({ currentTarget }) => choose(currentTarget.value)}>
          {counted.value.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Chart />
      <Adjust />
    </Panel>
  );
}

const WAYS = [
  { action: 'INCREMENT', verb: 'Receive', reasons: ['RECEIVED', 'RETURN', 'CORRECTION', 'OTHER'] },
  { action: 'DECREMENT', verb: 'Remove', reasons: ['DAMAGED', 'LOST', 'CORRECTION', 'OTHER'] },
] as const;

function Adjust() {
  const way = useSignal<(typeof WAYS)[number]>(WAYS[0]);
  const reason = useSignal<string>(WAYS[0].reasons[0]);
  const quantity = useSignal(1);
  const turn = (next: (typeof WAYS)[number]) => {
    way.value = next;
    reason.value = next.reasons[0];
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void adjust(way.value.action, quantity.value, reason.value);
  };
  return (
    <form class="adjust" onSubmit={submit}>
      <fieldset class="choices">
        <legend class="unseen">Which way</legend>
        {WAYS.map((one) => (
          <label key={one.action}>
            <input type="radio" name="way" checked={way.value === one} onChange={() => turn(one)} />
            <span>{one.verb}</span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        <span>Units</span>
        <input
          type="number"
          min={1}
          max={1_000_000}
          required
          value={quantity.value}
          onInput={({ currentTarget }) => (quantity.value = currentTarget.valueAsNumber)}
        />
      </label>
      <label class="field">
        <span>Reason</span>
        <select value={reason.value} onChange={({ currentTarget }) => (reason.value = currentTarget.value)}>
          {way.value.reasons.map((one) => (
            <option key={one} value={one}>
              {plain(one)}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="main" aria-disabled={busy.value}>
        {way.value.verb} {Number.isInteger(quantity.value) ? units(quantity.value) : ''}
      </button>
      <Told notice={notice.value} />
    </form>
  );
}

function Orders() {
  return (
    <Panel id="orders" title="To ship">
      {orders.value.length === 0 ? (
        <p class="quiet">No paid order waits.</p>
      ) : (
        <ul class="waiting">
          {orders.value.map((order) => (
            <Waiting key={order.id} order={order} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Waiting({ order }: { order: Order }) {
  const { number, items, total, customer, payment } = order;
  return (
    <li data-order={number}>
      <p>
        <strong>{number}</strong> {customer?.name && <span>{customer.name}</span>} <span>{money(total)}</span>
        <br />
        <span class="quiet">{items.map(({ name, quantity }) => `${quantity} × ${name}`).join(', ')}</span>
      </p>
      {payment === 'PAID' ? (
        <div class="row">
          <button type="button" aria-disabled={busy.value} aria-label={`Ship ${number}`} onClick={() => void ship(order)}>
            Ship
          </button>
          <button
            type="button"
            class="bare"
            aria-disabled={busy.value}
            aria-label={`Cancel ${number}`}
            onClick={() => void cancel(order)}
          >
            Cancel
          </button>
        </div>
      ) : (
        <span class="pill">being paid</span>
      )}
    </li>
  );
}

function Log() {
  return (
    <Panel id="log" title="The log, as it grows">
      <ol class="log">
        {log.value.slice(0, SHOWN).map((row) => (
          <Row key={row.id} row={row} />
        ))}
      </ol>
    </Panel>
  );
}

function Row({ row }: { row: LogRow }) {
  const { product, order, after } = row;
  return (
    <li data-action={row.action} data-product={product.id} data-sequence={row.sequence}>
      <time datetime={row.createdAt}>{clock(row.createdAt)}</time>
      <span class={`action ${row.action.toLowerCase()}`}>
        {actionWord(row.action)} {row.quantity}
      </span>
      <button type="button" class="link" onClick={() => choose(product.id)}>
        {product.name}
      </button>
      <span class="quiet why">
        {order ? `order ${order.number}${order.customer?.name ? `, ${order.customer.name}` : ''}` : plain(row.reason)}
      </span>
      <span
        class="after"
        role="img"
        aria-label={`then total ${after.total}, available ${after.available}, allocated ${after.allocated}`}
      >
        {after.total} · {after.available} · {after.allocated}
      </span>
    </li>
  );
}
