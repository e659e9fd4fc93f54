// The form for goods that come and go.
import { useSignal } from '@preact/signals';
import { isUnderWay } from '../api/once.js';
import { Told } from '../panel.jsx';
import { Undoing } from '../undoing.jsx';
import { plain, units } from '../words.js';
import { adjust, ADJUSTING, notice, undoable, undoAdjustment } from './adjusting.js';

const WAYS = [
  { action: 'INCREMENT', verb: 'Receive', reasons: ['RECEIVED', 'RETURN', 'CORRECTION', 'OTHER'] },
  { action: 'DECREMENT', verb: 'Remove', reasons: ['DAMAGED', 'LOST', 'CORRECTION', 'OTHER'] },
] as const;

type WayOf = (typeof WAYS)[number];

/** Maximum number of units at once, as the server has it. */
const MAX_UNITS = 1_000_000_000;

export function Adjust() {
  const way = useSignal<WayOf>(WAYS[0]);
  const reason = useSignal<string>(WAYS[0].reasons[0]);
  const quantity = useSignal(1);
  const isBusy = isUnderWay(ADJUSTING);
  const turn = (next: WayOf) => {
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
          max={MAX_UNITS}
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
      <button type="submit" class="main" aria-disabled={isBusy}>
        {way.value.verb} {Number.isInteger(quantity.value) ? units(quantity.value) : ''}
      </button>
      {/* As high whatever is told in it, so that the orders below stay where they are. */}
      <div class="adjusted">
        <Told notice={notice.value} />
        {undoable.value && <Back />}
      </div>
    </form>
  );
}

function Back() {
  const last = undoable.value;
  if (!last) return null;
  const isReceived = last.deltas.every((one) => one.units > 0);
  const subject = isReceived ? 'receiving' : last.deltas.every((one) => one.units < 0) ? 'removing' : 'receiving and removing';
  return <Undoing what="Can be taken back for" isLimit subject={subject} at={last.at} onUndo={() => void undoAdjustment()} />;
}
