// The back office as it is seen: a product's stock over time, goods that come and go, orders that wait, one order with its
// payments and parcels, availability, webhooks, and the log.
import { ended } from '../api/access.js';
import { connection } from '../api/live.js';
import type { LogRow } from '../api/types.js';
import { More } from '../more.jsx';
import { NotLive, Panel } from '../panel.jsx';
import { hasMore } from '../shop/products.js';
import { actionWord, clock, count, name, plain, ENDED } from '../words.js';
import { Adjust } from './adjust.jsx';
import { Chart } from './chart.jsx';
import { Crossings } from './crossings-panel.jsx';
import { Desk } from './desk-panel.jsx';
import { Holders } from './holders.jsx';
import { access, choose, chosen, counted, hasOlderLog, isLogPart, log, logTrouble, showMoreLog, shownLog } from './log.js';
import { droppedPlans } from './orders.js';
import { Orders } from './to-ship.jsx';
import { Webhooks } from './webhooks-panel.jsx';

export function Office() {
  if (access.value === 'refused') {
    return (
      <p class="empty" role="status">
        {ended.value && <strong>{ENDED[ended.value]} </strong>}
        {droppedPlans.value > 0 && `What you did in the last seconds was not done any more (${droppedPlans.value}). `}
        The back office is for staff. Use “Sign in” at the top with a token of the staff:
        <code>onhand token --role staff --sub you</code>
      </p>
    );
  }
  if (access.value !== 'staff') {
    return (
      <p class="empty" role="status">
        {access.value === 'asking' ? 'Opening…' : 'The server does not answer. Trying again…'}
      </p>
    );
  }
  return (
    <>
      {connection.value === 'lost' && <NotLive text="Not live: these numbers may be old." />}
      <div class="office">
        <Stock />
        <Orders />
        <Desk />
        <Holders />
        <Crossings />
        <Log />
        <Webhooks />
      </div>
    </>
  );
}

function Stock() {
  const all = counted.value;
  return (
    <Panel id="stock" title="Stock over time">
      {all.length === 0 ? (
        <p class="quiet">Nobody counts any of the products that are shown.</p>
      ) : (
        <label class="field">
          <span class="unseen">Product</span>
          <select
            value={chosen.value?.id}
            onChange={({ currentTarget: { value } }) => {
              const product = all.find(({ id }) => id === value);
              if (product) choose(product);
            }}
          >
            {all.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
        </label>
      )}
      {all.length > 0 && hasMore.value && <p class="quiet">Listed are the products that the shop shows. It can show more.</p>}
      {all.length > 0 && <Chart />}
      {all.length > 0 && <Adjust />}
    </Panel>
  );
}

function Log() {
  const shown = shownLog.value;
  return (
    <Panel id="log" title="The log, as it grows">
      {log.value.length === 0 && <p class="quiet">Nothing has moved yet.</p>}
      <ol class="log">
        {shown.map((row) => (
          <Row key={row.id} row={row} />
        ))}
      </ol>
      {isLogPart.value && (
        <More
          said={`The newest ${count(shown.length)} rows are shown; there are older ones.`}
          things="rows of the log"
          trouble={logTrouble.value}
          {...(hasOlderLog.value && { name: 'more log', onMore: () => void showMoreLog() })}
        />
      )}
    </Panel>
  );
}

/** Numbers from here on have a line of their own. */
const LONG = 100_000;

function Row({ row }: { row: LogRow }) {
  const { product, order, after } = row;
  return (
    <li class={after.total >= LONG ? 'long' : ''} data-action={row.action} data-product={product.id} data-sequence={row.sequence}>
      <time datetime={row.createdAt}>{clock(row.createdAt)}</time>
      <span class={`action ${row.action.toLowerCase()}`}>
        {actionWord(row.action)} {count(row.quantity)}
      </span>
      <button type="button" class="link" onClick={() => choose(product)}>
        <bdi>{product.name}</bdi>
      </button>
      <span class="quiet why">
        {order ? `order ${order.number}${order.customer?.name ? `, ${name(order.customer.name)}` : ''}` : plain(row.reason)}
      </span>
      <span
        class="after"
        role="img"
        aria-label={`then total ${after.total}, available ${after.available}, allocated ${after.allocated}`}
      >
        {count(after.total)} · {count(after.available)} · {count(after.allocated)}
      </span>
    </li>
  );
}
