//! The second half of paying: what an outcome does to the payment, to the order and to its units. Compare and set: a
//! payment whose outcome is known must never be settled again, nor its units be released twice.

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::id::{OrderId, PaymentId};
use crate::order::{CancelReason, Order, OrderRecord, PaymentStatus, Status as OrderStatus};
use crate::payment::{Outcome, Payment, Recovery, Status};
use crate::payment_operation::Kind;
use crate::rejection::{Code, Rejection, Rejections};
use crate::transaction::Reason;
use crate::world::World;

use super::ledger::{Cause, hold_items_again, release_items};
use super::settle_operation::{refund_late_money, void_late_authorization};
use super::{Command, Context, Footprint};

/// Settles an open payment.
#[derive(Debug, Clone)]
pub struct SettlePayment {
    /// The payment.
    pub payment: PaymentId,
    /// What the gateway said.
    pub outcome: Outcome,
}

/// What is kept of the answer to `payOrder` with its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayAnswer {
    /// The payment; `None` when none was begun.
    pub payment: Option<PaymentId>,
    /// The order.
    pub order: OrderId,
    /// Why the payment took nothing, or why none was begun. Empty otherwise.
    pub errors: Rejections,
}

/// The answer to `payOrder`: order, payment and errors, as one transaction committed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The order with all its payments.
    pub record: OrderRecord,
    /// The payment; `None` when none was begun.
    pub payment: Option<PaymentId>,
    /// Why the payment took nothing, or why none was begun. Empty otherwise.
    pub errors: Rejections,
}

impl Paid {
    /// Returns the answer for a payment. Its errors are what the state of the payment says.
    #[must_use]
    pub fn by(record: OrderRecord, payment: PaymentId) -> Self {
        let errors = record.payment(payment).and_then(Payment::refusal).into_iter().collect();
        Self { record, payment: Some(payment), errors }
    }

    /// Returns the payment, if one was begun.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.record.payment(self.payment?)
    }

    /// Returns what is kept of this answer.
    #[must_use]
    pub fn kept(&self) -> PayAnswer {
        PayAnswer { payment: self.payment, order: self.record.order.id, errors: self.errors.clone() }
    }
}

/// The result of settling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// This outcome counts: the payment is settled, or waits for the shopper.
    Now(Paid),
    /// The payment was settled before; nothing changed.
    Before(Paid),
}

impl Command for SettlePayment {
    type Answer = Settled;

    /// Only an outcome that took no money releases units; the others lock no stock.
    fn footprint(&self) -> Footprint {
        match self.outcome {
            Outcome::Declined { .. } | Outcome::Refused { .. } | Outcome::Voided => {
                Footprint { payments: vec![self.payment], ..Footprint::default() }
            }
            Outcome::Authorized { .. } | Outcome::Charged { .. } | Outcome::ActionRequired(_) => {
                Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
            }
        }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Settled, Rejections> {
        let payment = world.payment(self.payment)?;
        let (status, order) = (payment.status, payment.order);
        let is_new = match (status, &self.outcome) {
            (Status::RequiresAction, Outcome::ActionRequired(_))
            | (Status::Succeeded | Status::Declined | Status::Voided, _) => false,
            // A void is on its way, and ends what is authorized.
            (Status::InProgress | Status::RequiresAction, Outcome::Authorized { .. }) => {
                world.running_operation(self.payment).is_none_or(|running| running.kind != Kind::Void)
            }
            (Status::InProgress | Status::RequiresAction, _) => true,
            // Captured or given up without us, for example by hand at the provider.
            (Status::Authorized, outcome) => matches!(outcome, Outcome::Charged { .. } | Outcome::Voided),
        };
        if !is_new {
            match (status, &self.outcome) {
                (Status::Declined | Status::Voided, Outcome::Charged { .. }) => {
                    refund_late_money(world, context, self.payment)?;
                }
                (Status::Declined | Status::Voided, Outcome::Authorized { .. }) => {
                    void_late_authorization(world, context, self.payment)?;
                }
                _ => {}
            }
            return Ok(Settled::Before(Paid::by(world.order_record(order)?, self.payment)));
        }
        let paid = settle(world, context, self.payment, self.outcome.clone())?;
        keep_answer(world, &paid);
        Ok(Settled::Now(paid))
    }
}

/// Keeps the answer of `payOrder` under the idempotency key that the payment was begun with, once its outcome is known.
pub(super) fn keep_answer(world: &mut World<'_>, paid: &Paid) {
    let Some(payment) = paid.payment().filter(|payment| !payment.status.is_open()) else { return };
    if let Some(record) = payment.key.as_ref().and_then(|key| world.edit_key(key)) {
        record.answer = Some(paid.kept().into());
    }
}

/// Applies an outcome to a payment and its order. The caller has checked that the payment is open, or that it is authorized and
/// the outcome ends that.
pub fn settle(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    id: PaymentId,
    outcome: Outcome,
) -> Result<Paid, Rejection> {
    let mut payment = world.payment(id)?.clone();
    let mut order = world.order(payment.order, &Actor::System)?.clone();
    payment.updated_at = payment.updated_at.max(context.now);
    match outcome {
        Outcome::ActionRequired(action) => {
            payment.status = Status::RequiresAction;
            payment.action = Some(action);
            // No call is running any more, and the shopper may act at any moment: recovery may poll at once.
            payment.recovery = Recovery { leased_until: context.now, next_poll_at: context.now, ..payment.recovery };
        }
        Outcome::Authorized { reference } => {
            payment.status = Status::Authorized;
            payment.reference = reference.or(payment.reference.take());
            payment.action = None;
            order.payment = PaymentStatus::Authorized;
            order.status = OrderStatus::Processing;
        }
        Outcome::Charged { reference } => {
            payment.status = Status::Succeeded;
            payment.reference = reference.or(payment.reference.take());
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
        payment.action = None;
        // A rule of the inventory: a declined payment goes back to the hold, a voided one releases what it held.
        if payment.status == Status::Declined && order.held_until.is_some_and(|until| until > context.now) {
            hold_items_again(world, context, &order)?;
            order.payment = PaymentStatus::Unpaid;
        } else {
            release(world, context, &mut order, reason)?;
        }
    } else if !payment.status.is_open() {
        order.held_until = None;
    }
    order.touch(context.now);
    let order_id = order.id;
    world.put_order(order);
    world.put_payment(payment);
    Ok(Paid::by(world.order_record(order_id)?, id))
}

/// Releases what an order holds, and makes it payable again. What was shipped without being paid for is not sold a second time:
/// the order is cancelled.
fn release(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    order: &mut Order,
    reason: Reason,
) -> Result<(), Rejection> {
    let cause = Cause::order(reason, order.id);
    release_items(world, context, order, &cause)?;
    order.payment = PaymentStatus::Unpaid;
    order.status = OrderStatus::Incomplete;
    if order.items.iter().any(|item| item.shipped > 0) {
        let note = "The payment was voided after a part was shipped.";
        order.cancel(CancelReason::Other, Some(note.to_owned()));
    }
    Ok(())
}

fn decline(payment: &mut Payment, code: Code, reason: String) {
    payment.status = Status::Declined;
    (payment.decline_code, payment.decline_reason) = (Some(code), Some(reason));
}
