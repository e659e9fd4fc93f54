// The payments of an order: what is authorized, captured and refunded, and what may be done with each.
import { useSignal } from '@preact/signals';
import type { Refund, WholeOrder, WholePayment } from '../api/desk-types.js';
import type { Money } from '../api/types.js';
import { clock, digitsOf, inMinor, money, name, paymentWord } from '../words.js';
import { canCapture, canComeBack, canForce, canRecord, canVoid, leftToRefund } from './allowed.js';
import { capturing, form, isBusy, plan, recording, refunding, voiding } from './desk.js';
import { DeskForm, Quantities, quantitiesOf, useQuantities } from './desk-form.jsx';
import { Sure } from './sure.jsx';

export function Payments({ order }: { order: WholeOrder }) {
  return (
    <section class="part" aria-labelledby="desk-payments">
      <h4 id="desk-payments">Payments</h4>
      {order.payments.length === 0 && <p class="quiet">Nobody has tried to pay it yet.</p>}
      <ul class="facts">
        {order.payments.map((payment) => (
          <li key={payment.id} data-payment={payment.status}>
            <One order={order} payment={payment} />
          </li>
        ))}
      </ul>
      {canRecord(order) && (
        <div class="row">
          <button type="button" aria-disabled={isBusy(order)} onClick={() => plan(order, recording(order))}>
            Record {money(order.total)} in cash
          </button>
        </div>
      )}
    </section>
  );
}

function One({ order, payment }: { order: WholeOrder; payment: WholePayment }) {
  // What somebody else did meanwhile closes a form that is for nothing any more.
  const isRefunding = form.value === `refund ${payment.id}` && leftToRefund(payment) > 0;
  const isAsking = form.value === `void ${payment.id}` && (canVoid(payment) || canForce(payment));
  return (
    <>
      <p class="fact">
        <strong>{money(payment.amount)}</strong> by {payment.gateway}, {clock(payment.createdAt)}{' '}
        <span class={`pill ${paymentTone(payment)}`}>{paymentWord(payment.status)}</span>
      </p>
      <p class="quiet">{accountOf(payment)}</p>
      {payment.refunds.map((refund) => (
        <RefundOf key={refund.id} refund={refund} />
      ))}
      {!isRefunding && !isAsking && <Actions order={order} payment={payment} />}
      {isAsking && <Void order={order} payment={payment} />}
      {isRefunding && <RefundForm order={order} payment={payment} />}
    </>
  );
}

function paymentTone({ status }: WholePayment): string {
  if (status === 'SUCCEEDED') return 'good';
  return status === 'DECLINED' || status === 'VOIDED' ? 'plain' : '';
}

/** What became of the money: `Authorized €8.90, captured €0.00`. */
function accountOf({ status, amount, refunded, declineReason }: WholePayment): string {
  const none = { ...amount, amount: 0 };
  if (status === 'AUTHORIZED') return `Authorized ${money(amount)}, captured ${money(none)}.`;
  if (status === 'SUCCEEDED') return `Captured ${money(amount)}, refunded ${money(refunded)}.`;
  if (status === 'DECLINED') return declineReason ? `Nothing was taken: ${name(declineReason)}` : 'Nothing was taken.';
  if (status === 'VOIDED') return 'Nothing was taken.';
  return status === 'REQUIRES_ACTION' ? 'The shopper has to act first.' : 'The provider has not answered for certain.';
}

const REFUND_WORDS: Readonly<Record<Refund['status'], string>> = {
  IN_PROGRESS: 'is under way',
  SUCCEEDED: 'was sent back',
  FAILED: 'failed and is still due',
};

function RefundOf({ refund: { amount, status, failureReason, createdAt } }: { refund: Refund }) {
  return (
    <p class={`refund ${status === 'FAILED' ? 'bad' : ''}`} data-refund={status}>
      {clock(createdAt)}: {money(amount)} {REFUND_WORDS[status]}
      {failureReason ? `: ${name(failureReason)}` : '.'}
    </p>
  );
}

function Actions({ order, payment }: { order: WholeOrder; payment: WholePayment }) {
  const busy = isBusy(order);
  const show = (what: string) => !busy && (form.value = `${what} ${payment.id}`);
  return (
    <div class="row">
      {canCapture(order, payment) && (
        <button type="button" class="main" aria-disabled={busy} onClick={() => plan(order, capturing(payment))}>
          Capture {money(payment.amount)}
        </button>
      )}
      {(canVoid(payment) || canForce(payment)) && (
        <button type="button" aria-disabled={busy} onClick={() => show('void')}>
          {canForce(payment) ? 'Give it up…' : 'Void…'}
        </button>
      )}
      {leftToRefund(payment) > 0 && (
        <button type="button" aria-disabled={busy} onClick={() => show('refund')}>
          Refund…
        </button>
      )}
    </div>
  );
}

function Void({ order, payment }: { order: WholeOrder; payment: WholePayment }) {
  const isForced = canForce(payment);
  const question = isForced
    ? 'Only when the provider will not answer any more: the units are freed at once. Money that it takes all the same is refunded.'
    : order.shipping === 'UNFULFILLED'
      ? 'No money is taken, the units are freed, and the order can be paid again.'
      : 'No money is taken. A part was shipped, so the order is cancelled and the rest is freed.';
  return (
    <Sure
      question={question}
      yes={isForced ? 'Yes, give it up' : 'Yes, void it'}
      onYes={() => plan(order, voiding(payment, isForced))}
    />
  );
}

function RefundForm({ order, payment }: { order: WholeOrder; payment: WholePayment }) {
  const left: Money = { ...payment.amount, amount: leftToRefund(payment) };
  const digits = digitsOf(left);
  const amount = useSignal(left.amount / 10 ** digits);
  const back = useQuantities(() => 0);
  const submit = () => {
    if (!isBusy(order)) plan(order, refunding(payment, inMinor(amount.value, left), quantitiesOf(back.value)));
  };
  const items = payment.status === 'SUCCEEDED' ? order.items.filter((item) => canComeBack(item) > 0) : [];
  return (
    <DeskForm onSubmit={submit}>
      <label class="field">
        <span>
          Amount in {left.currency}, at most {money(left)}
        </span>
        <input
          type="number"
          required
          min={10 ** -digits}
          max={left.amount / 10 ** digits}
          step={10 ** -digits}
          value={amount.value}
          onInput={({ currentTarget }) => (amount.value = currentTarget.valueAsNumber)}
        />
      </label>
      {items.length > 0 && (
        <Quantities title="Back into stock" verb="Back" items={items} mostOf={canComeBack} quantities={back} />
      )}
      {payment.gateway === 'manual' && <p class="quiet">This only notes it: hand the money back yourself.</p>}
      <div class="row">
        <button type="submit" class="main">
          Refund {Number.isFinite(amount.value) ? money({ ...left, amount: inMinor(amount.value, left) }) : ''}
        </button>
        <button type="button" class="bare" onClick={() => (form.value = null)}>
          Back
        </button>
      </div>
    </DeskForm>
  );
}
