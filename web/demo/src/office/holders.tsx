// What shoppers want of the product of the chart, which orders hold units of it, and how it stood at a moment.
import { useSignal } from '@preact/signals';
import { isUnderWay } from '../api/once.js';
import type { Allocation, Counted, StockNow } from '../api/desk-types.js';
import { Countdown } from '../countdown.jsx';
import { Panel } from '../panel.jsx';
import { clock, count, name, units } from '../words.js';
import { goToDesk } from './desk.js';
import { chosen } from './log.js';
import { asOf, isTableOpen, lookBack, LOOKING, stockNow, table } from './stock-now.js';

export function Holders() {
  const now = stockNow.value;
  const product = chosen.value;
  if (!product) return null;
  const title = (
    <>
      Wanted and held: <bdi>{name(product.name)}</bdi>
    </>
  );
  return (
    <Panel id="holders" className="desk" title={title}>
      {now ? <Now now={now} /> : <p class="quiet">Reading…</p>}
      <AsOf key={product.id} />
      <EveryProduct />
    </Panel>
  );
}

function Now({ now }: { now: StockNow }) {
  const { held, demand, allocations } = now;
  const wants: [string, string, number][] = [
    ['held', 'on hold', held],
    ['carts', 'in carts', demand.inCarts],
    ['unpaid', 'in unpaid orders', demand.inUnpaidOrders],
  ];
  return (
    <>
      <dl class="wants">
        {wants.map(([key, word, number]) => (
          <div key={key}>
            <dt>{word}</dt>
            <dd data-demand={key}>{count(number)}</dd>
          </div>
        ))}
      </dl>
            {allocations.nodes.length === 0 && <p class="quiet">No order holds any of it.</p>}
      <ul class="facts">
        {allocations.nodes.map((one) => (
          <Holder key={one.order.id} one={one} />
        ))}
      </ul>
      {allocations.pageInfo.hasNextPage && <p class="quiet">The oldest {allocations.nodes.length} are shown; there are more.</p>}
    </>
  );
}

function Holder({ one: { order, quantity, since, expiresAt } }: { one: Allocation }) {
  const who = order.customer?.name;
  return (
    <li class="holder" data-holder={order.number}>
      <button type="button" class="link" onClick={() => goToDesk(order.id)}>
        {order.number}
      </button>{' '}
      <span class="quiet">
        {who && <bdi>{name(who)}, </bdi>}
        {units(quantity)} since {clock(since)}
      </span>{' '}
      {expiresAt && <Countdown what="on hold for" until={expiresAt} />}
    </li>
  );
}

/** The stock at a moment that somebody chooses. */
function AsOf() {
  const time = useSignal('');
  const found = asOf.value;
  const submit = (event: Event) => {
    event.preventDefault();
    if (time.value) void lookBack(time.value);
  };
  return (
    <details class="as-of">
      <summary>How it stood at a moment</summary>
      <form class="as-of-form" onSubmit={submit}>
        <label class="field">
          <span>Date and time</span>
          <input
            type="datetime-local"
            step={1}
            required
            value={time.value}
            onInput={({ currentTarget }) => (time.value = currentTarget.value)}
          />
        </label>
        <button type="submit" aria-disabled={isUnderWay(LOOKING)}>
          Look it up
        </button>
      </form>
      <p role="status" class="quiet">
        {found && told(found)}
      </p>
    </details>
  );
}

function told(found: NonNullable<typeof asOf.value>): string {
  if ('trouble' in found) return found.trouble;
  const { time, numbers } = found;
  const when = new Date(time).toLocaleString('en-GB');
  if (numbers === 'none') return `${when}: nobody counted it yet.`;
  const { total, available, allocated } = numbers;
  return `${when}: total ${count(total)}, available ${count(available)}, allocated ${count(allocated)}.`;
}

/** All numbers of all products that are shown. */
function EveryProduct() {
  const rows = table.value;
  return (
    <details class="every" onToggle={({ currentTarget }) => (isTableOpen.value = currentTarget.open)}>
      <summary>Every product</summary>
      {isTableOpen.value && !rows && <p class="quiet">Reading…</p>}
      <ul class="facts">
        {(isTableOpen.value ? (rows ?? []) : []).map((one) => (
          <li key={one.id} data-row={one.id}>
            <bdi>{name(one.name)}</bdi>
            <span class="quiet">{numbersOf(one)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** `total 9, available 8, allocated 1, in carts 2`: of what shoppers want only what there is. */
function numbersOf({ stock }: Counted): string {
  if (!stock) return '';
  const { total, available, allocated, held, demand } = stock;
  const wants: [string, number][] = [
    ['on hold', held],
    ['in carts', demand.inCarts],
    ['in unpaid orders', demand.inUnpaidOrders],
  ];
  const wanted = wants.flatMap(([word, number]) => (number > 0 ? `, ${word} ${count(number)}` : []));
  return `total ${count(total)}, available ${count(available)}, allocated ${count(allocated)}${wanted.join('')}`;
}
