// What of an order was shipped, parcel by parcel, and the form for the next one.
import { useSignal } from '@preact/signals';
import type { Shipment, WholeOrder } from '../api/desk-types.js';
import { clock, count, name, units } from '../words.js';
import { canShip, leftOf } from './allowed.js';
import { form, isBusy, plan, shipping } from './desk.js';
import { DeskForm, Quantities, quantitiesOf, useQuantities } from './desk-form.jsx';

/** Maximum length of a carrier and of a tracking number, as the server has it. */
const MAX_TEXT = 200;

export function Parcels({ order }: { order: WholeOrder }) {
  const isOpen = form.value === 'ship';
  return (
    <section class="part" aria-labelledby="desk-parcels">
      <h4 id="desk-parcels">Parcels</h4>
      {order.shipments.length === 0 && <p class="quiet">Nothing was shipped yet.</p>}
      <ul class="facts">
        {order.shipments.map((one) => (
          <Parcel key={one.id} shipment={one} />
        ))}
      </ul>
      {canShip(order) && !isOpen && (
        <div class="row">
          <button type="button" aria-disabled={isBusy(order)} onClick={() => !isBusy(order) && (form.value = 'ship')}>
            Next parcel…
          </button>
        </div>
      )}
      {canShip(order) && isOpen && <ShipForm order={order} />}
    </section>
  );
}

function Parcel({ shipment: { items, carrier, trackingNumber, shippedAt } }: { shipment: Shipment }) {
  const by = [carrier, trackingNumber].flatMap((text) => (text ? name(text) : [])).join(', ');
  return (
    <li data-parcel>
      <p class="fact">{items.map(({ orderItem, quantity }) => `${count(quantity)} × ${name(orderItem.name)}`).join(', ')}</p>
      <p class="quiet">
        {clock(shippedAt)}
        {by && `, ${by}`}
      </p>
    </li>
  );
}

function ShipForm({ order }: { order: WholeOrder }) {
  const items = order.items.filter((item) => leftOf(item) > 0);
  const quantities = useQuantities(leftOf, items);
  const carrier = useSignal('');
  const tracking = useSignal('');
  const chosen = quantitiesOf(quantities.value);
  const all = chosen.reduce((sum, { quantity }) => sum + quantity, 0);
  const submit = () => {
    if (all > 0 && !isBusy(order)) plan(order, shipping(order, chosen, carrier.value.trim(), tracking.value.trim()));
  };
  return (
    <DeskForm onSubmit={submit}>
      <Quantities title="What goes into it" verb="Ship" items={items} mostOf={leftOf} quantities={quantities} />
      <div class="pair">
        <label class="field">
          <span>Carrier</span>
          <input
            type="text"
            maxLength={MAX_TEXT}
            value={carrier.value}
            onInput={({ currentTarget }) => (carrier.value = currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Tracking number</span>
          <input
            type="text"
            maxLength={MAX_TEXT}
            value={tracking.value}
            onInput={({ currentTarget }) => (tracking.value = currentTarget.value)}
          />
        </label>
      </div>
      <div class="row">
        <button type="submit" class="main" aria-disabled={all === 0}>
          Ship {units(all)}
        </button>
        <button type="button" class="bare" onClick={() => (form.value = null)}>
          Back
        </button>
      </div>
    </DeskForm>
  );
}
