// Webhooks as they are seen: each address with its state and its last deliveries, and the form for another one.
import { useSignal } from '@preact/signals';
import { heldUntil } from '../api/hold.js';
import { isUnderWay } from '../api/once.js';
import type { Delivery, Webhook, WebhookEvent } from '../api/desk-types.js';
import { Panel, Told } from '../panel.jsx';
import { Undoing } from '../undoing.jsx';
import { clock, plain } from '../words.js';
import { deedOn, notice, register, REGISTERING, remove, repeat, secret, switchTo, undoRemove, webhooks } from './webhooks.js';

const EVENTS: readonly WebhookEvent[] = [
  'ORDER_PAID',
  'ORDER_SHIPPED',
  'ORDER_CANCELLED',
  'STOCK_CHANGED',
  'AVAILABILITY_CHANGED',
];

const STATES: Readonly<Record<Webhook['status'], readonly [string, string]>> = {
  ENABLED: ['works', 'good'],
  FAILING: ['fails', 'bad'],
  DISABLED: ['switched off', 'plain'],
};

const DELIVERIES: Readonly<Record<Delivery['status'], readonly [string, string]>> = {
  PENDING: ['waits', ''],
  DELIVERED: ['delivered', 'good'],
  FAILED: ['given up', 'bad'],
};

export function Webhooks() {
  const all = webhooks.value;
  return (
    <Panel id="webhooks" className="desk" title="Webhooks">
      {!all && <p class="quiet">Reading the webhooks…</p>}
      {all?.length === 0 && <p class="quiet">No address is registered: nobody outside is told anything.</p>}
      <ul class="facts">
        {(all ?? []).map((one) => (
          <One key={one.id} webhook={one} />
        ))}
      </ul>
      <Told notice={notice.value} />
      {secret.value && <Secret text={secret.value} />}
      <details class="register">
        <summary>Register an address</summary>
        <Register />
      </details>
    </Panel>
  );
}

function Secret({ text }: { text: string }) {
  return (
    <div class="secret">
      <p>
        Its deliveries are signed with this secret, which is shown only now: <code>{text}</code>
      </p>
      <button type="button" class="bare small" onClick={() => (secret.value = null)}>
        I have it
      </button>
    </div>
  );
}

function One({ webhook }: { webhook: Webhook }) {
  const { url, events, status, disabledReason, failingSince, deliveries } = webhook;
  const [word, tone] = STATES[status];
  const isOff = status === 'DISABLED';
  const at = heldUntil(deedOn(webhook));
  const busy = isUnderWay(deedOn(webhook)) || at !== null;
  return (
    <li data-webhook={url}>
      <p class="fact">
        <strong>{url}</strong> <span class={`pill ${tone}`}>{word}</span>
      </p>
      <p class="quiet">
        {events.map(plain).join(', ')}
        {failingSince && `. Nothing was accepted since ${clock(failingSince)}`}
        {disabledReason && `. ${disabledReason}`}
      </p>
      {deliveries.nodes.length === 0 && <p class="quiet">Nothing was sent yet.</p>}
      <ul class="facts deliveries">
        {deliveries.nodes.map((one) => (
          <DeliveryOf key={one.id} delivery={one} isOff={isOff} />
        ))}
      </ul>
      <div class="row">
        <button
          type="button"
          class="bare small"
          aria-disabled={busy}
          aria-label={`${isOff ? 'Switch on' : 'Switch off'} ${url}`}
          onClick={() => !busy && void switchTo(isOff, webhook)}
        >
          {isOff ? 'Switch on' : 'Switch off'}
        </button>
        <button
          type="button"
          class="bare small"
          aria-disabled={busy}
          aria-label={`Delete ${url}`}
          onClick={() => !busy && remove(webhook)}
        >
          Delete
        </button>
        {at !== null && (
          <Undoing what="Deleted" subject={`deleting ${url}`} at={at} onUndo={() => undoRemove(webhook)} />
        )}
      </div>
    </li>
  );
}

function DeliveryOf({ delivery, isOff }: { delivery: Delivery; isOff: boolean }) {
  const { event, status, attempts, responseStatus, error, createdAt } = delivery;
  const [word, tone] = DELIVERIES[status];
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const answer = error ?? (responseStatus === null ? '' : `answered ${responseStatus}`);
  return (
    <li data-delivery={delivery.id}>
      <span>
        {clock(createdAt)} {plain(event)} <span class={`pill ${tone}`}>{word}</span>
      </span>
      <span class="quiet">
        {tries}
        {answer && `, ${answer}`}
      </span>
      <button
        type="button"
        class="small"
        aria-disabled={isOff || isUnderWay(`delivery ${delivery.id}`)}
        aria-label={`Send again: ${plain(event)}, ${clock(createdAt)}`}
        onClick={() => !isOff && void repeat(delivery)}
      >
        Send again
      </button>
    </li>
  );
}

function Register() {
  const url = useSignal('');
  const chosen = useSignal<readonly WebhookEvent[]>(['ORDER_PAID', 'ORDER_SHIPPED', 'ORDER_CANCELLED']);
  const toggle = (event: WebhookEvent, isChosen: boolean) => {
    const wanted = new Set(chosen.peek());
    if (isChosen) wanted.add(event);
    else wanted.delete(event);
    chosen.value = EVENTS.filter((one) => wanted.has(one));
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await register(url.peek().trim(), [...chosen.peek()])) url.value = '';
  };
  return (
    <form class="desk-form" onSubmit={(event) => void submit(event)}>
      <label class="field">
        <span>Address, such as https://shop.example/hooks</span>
        <input
          type="text"
          inputMode="url"
          autocomplete="off"
          required
          value={url.value}
          onInput={({ currentTarget }) => (url.value = currentTarget.value)}
        />
      </label>
      <fieldset class="checks">
        <legend>What is sent there</legend>
        {EVENTS.map((event) => (
          <label key={event} class="check">
            <input
              type="checkbox"
              checked={chosen.value.includes(event)}
              onChange={({ currentTarget }) => toggle(event, currentTarget.checked)}
            />
            <span>{plain(event)}</span>
          </label>
        ))}
      </fieldset>
      <div class="row">
        <button type="submit" class="main" aria-disabled={isUnderWay(REGISTERING)}>
          Register
        </button>
      </div>
    </form>
  );
}
