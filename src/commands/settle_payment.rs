//! The second half of paying: what the gateway said becomes the state of the payment and the order. Compare and set:
//! a payment whose outcome is known is never settled again, and its units are released at most once.

use crate::domain::id::PaymentId;
use crate::domain::order::{PaymentStatus, Status as OrderStatus};
use crate::domain::payment::{Outcome, Payment, Status, Watch};
use crate::domain::rejection::{Code, Refusal, Rejection};
use crate::domain::transaction::Reason;
use crate::writer::idempotency::write_answer;
use crate::writer::world::World;

use super::begin_payment::PayAnswer;
use super::ledger::{Cause, release_items};
use super::{Command, Context, Footprint};

/// Settles a payment.
#[derive(Debug)]
pub struct SettlePayment {
    /// Which.
    pub payment: PaymentId,
    /// What the gateway said.
    pub outcome: Outcome,
}

/// What became of settling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is settled now, or the shopper has something to do.
    Now(PayAnswer),
    /// It was settled before, with this status; nothing changed.
    Before(Status),
}

impl Command for SettlePayment {
    type Answer = Settled;

    fn footprint(&self) -> Footprint {
        Footprint { payments: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<Settled, Refusal> {
        let payment = world.payments.get(&self.payment).ok_or_else(|| Rejection::not_found("payment"))?;
        let asks_again = matches!(self.outcome, Outcome::ActionRequired(_)) && payment.status == Status::RequiresAction;
        if !payment.status.is_open() || asks_again {
            return Ok(Settled::Before(payment.status));
        }
        let key = payment.key.clone();
        let answer = settle(world, context, self.payment, self.outcome.clone())?;
        let is_final = world.payments.get(&self.payment).is_some_and(|payment| !payment.status.is_open());
        if let Some(record) = key.filter(|_| is_final).and_then(|key| world.keys.edit(&key)) {
            record.answer = Some(write_answer(&answer)?);
        }
        Ok(Settled::Now(answer))
    }
}

/// Makes an open payment what its outcome says, and its order with it. The caller has checked that it is open.
pub fn settle(
    world: &mut World,
    context: &mut Context<'_>,
    id: PaymentId,
    outcome: Outcome,
) -> Result<PayAnswer, Rejection> {
    let not_found = || Rejection::not_found("payment");
    let mut payment = world.payments.get(&id).ok_or_else(not_found)?.clone();
    let order = world.orders.get(&payment.order).ok_or_else(|| Rejection::not_found("order"))?;
    let mut order = order.clone();
    payment.updated_at = payment.updated_at.max(context.now);
    match outcome {
        Outcome::ActionRequired(action) => {
            payment.status = Status::RequiresAction;
            payment.action = Some(action);
            // Nobody is at the gateway any more, and the shopper may act at any moment.
            payment.watch = Watch { leased_until: context.now, look_at: context.now, ..payment.watch };
        }
        Outcome::Charged { reference } => {
            payment.status = Status::Succeeded;
            payment.reference = reference;
            payment.action = None;
            order.payment = PaymentStatus::Paid;
            order.status = OrderStatus::Complete;
        }
        Outcome::Declined { reason } => decline(&mut payment, Code::PaymentDeclined, reason),
        Outcome::Refused { reason } => decline(&mut payment, Code::GatewayError, reason),
        Outcome::Voided => {
            payment.status = Status::Voided;
            payment.action = None;
        }
    }
    if matches!(payment.status, Status::Declined | Status::Voided) {
        let reason = if payment.status == Status::Voided { Reason::PaymentVoided } else { Reason::PaymentFailed };
        let cause = Cause::order(reason, order.id);
        release_items(world, context, &mut order, &cause)?;
        payment.action = None;
        order.payment = PaymentStatus::Unpaid;
    }
    order.touch(context.now);
    let answer = PayAnswer { payment: Some(id), order: order.id, errors: payment.refusal().into_iter().collect() };
    world.orders.insert(order.id, order);
    world.payments.insert(id, payment);
    Ok(answer)
}

fn decline(payment: &mut Payment, code: Code, reason: String) {
    payment.status = Status::Declined;
    (payment.decline_code, payment.decline_reason) = (Some(code), Some(reason));
}
