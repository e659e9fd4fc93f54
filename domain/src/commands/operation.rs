//! What capturing, voiding and refunding share: an operation is recorded before the gateway is called, one at a time per
//! payment, and what its outcome does to the payment is [`settle_operation`](super::settle_operation)'s.

use std::time::Duration;

use crate::id::{PaymentId, PaymentOperationId};
use crate::money::Money;
use crate::order::Order;
use crate::payment::{KeyId, Payment, Recovery};
use crate::payment_operation::{Kind, PaymentOperation, Restock, Status};
use crate::rejection::{Code, Rejection, Rejections};
use crate::world::World;
use crate::world::idempotency::{Key, KeyRecord};

use super::settle_operation::{OperationOutcome, operated, settle_operation};
use super::settle_payment::{Paid, PayAnswer};
use super::{Context, Footprint};

/// A request to do something to a payment.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// The payment.
    pub payment: PaymentId,
    /// The gateway has nothing to do: the operation succeeds at once, and the gateway is not called.
    pub settles_without_call: bool,
    /// How long the operation is not recovered: the caller has it.
    pub lease: Duration,
    /// The idempotency key, if one was sent.
    pub key: Option<Key>,
}

/// The result of beginning an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunOperation {
    /// The gateway has to be called now.
    Call {
        /// The order with its payments.
        paid: Paid,
        /// The payment, as it was when the operation began.
        payment: Box<Payment>,
        /// The operation.
        operation: Box<PaymentOperation>,
    },
    /// It is done, or another operation is in progress.
    Answered(Paid),
    /// The idempotency key is known: what was kept of its answer.
    Kept(PayAnswer),
}

/// What an operation is to do, once the state of the payment allows it.
pub(super) struct Plan {
    /// What is done.
    pub kind: Kind,
    /// For how much.
    pub amount: Money,
    /// What comes back into stock.
    pub restock: Vec<Restock>,
}

impl OperationRequest {
    /// The rows that beginning needs.
    pub(super) fn footprint(&self) -> Footprint {
        Footprint {
            keys: self.key.iter().map(|key| key.id.clone()).collect(),
            payments: vec![self.payment],
            ..Footprint::default()
        }
    }

    /// Returns the payment and its order, for whoever may use them.
    pub(super) fn find(&self, world: &World<'_>, context: &Context<'_>) -> Result<(Payment, Order), Rejection> {
        let not_found = || Rejection::not_found("payment").at(["paymentId"]);
        let payment = world.payment(self.payment).map_err(|_| not_found())?.clone();
        let order = world.order(payment.order, context.actor).map_err(|_| not_found())?.clone();
        Ok((payment, order))
    }

    /// Returns the answer that was kept with the key, or that another operation is in progress.
    pub(super) fn begun_before(&self, world: &World<'_>) -> Result<Option<BegunOperation>, Rejection> {
        if let Some(record) = self.key.as_ref().map(|key| key.record(world)).transpose()?.flatten() {
            return Ok(Some(match record.answer.clone() {
                Some(answer) => BegunOperation::Kept(answer.try_into()?),
                // It may have been given up, by a void by force.
                None => BegunOperation::Answered(match world.ended_operation(self.payment, &record.id).cloned() {
                    Some(ended) => operated(world, &ended)?,
                    None => in_progress(world, self.payment)?,
                }),
            }));
        }
        let is_running = world.running_operation(self.payment).is_some();
        Ok(is_running.then(|| in_progress(world, self.payment)).transpose()?.map(BegunOperation::Answered))
    }

    /// Records an operation, and settles it if there is nobody to ask.
    pub(super) fn begin(
        &self,
        world: &mut World<'_>,
        context: &mut Context<'_>,
        plan: Plan,
    ) -> Result<BegunOperation, Rejections> {
        let key = self.key.as_ref().map(|key| key.id.clone());
        let operation = record(world, context, self.payment, plan, self.lease, key)?;
        let paid = operated(world, &operation)?;
        if let Some(key) = &self.key {
            // The units of a forced void are released: whatever the gateway says later, this is the answer.
            let answer = (operation.kind == Kind::ForcedVoid).then(|| paid.kept().into());
            world.put_key(KeyRecord { payment: Some(self.payment), answer, ..key.to_record(context) });
        }
        if self.settles_without_call {
            let outcome = OperationOutcome::Done { reference: None };
            return Ok(BegunOperation::Answered(settle_operation(world, context, operation.id, outcome)?));
        }
        let payment = world.payment(self.payment)?.clone();
        Ok(BegunOperation::Call { paid, payment: Box::new(payment), operation: Box::new(operation) })
    }
}

/// Stages a new operation. The caller has checked that none is running.
pub(super) fn record(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    payment: PaymentId,
    plan: Plan,
    lease: Duration,
    key: Option<KeyId>,
) -> Result<PaymentOperation, Rejection> {
    let Plan { kind, amount, restock } = plan;
    let until = context.now + lease;
    let payment = world.edit_payment(payment)?;
    payment.operations = payment.operations.saturating_add(1);
    payment.updated_at = payment.updated_at.max(context.now);
    if kind == Kind::Refund {
        payment.refunded += amount.amount;
    }
    let operation = PaymentOperation {
        id: PaymentOperationId(context.random.ordered_uuid(context.now)),
        order: payment.order,
        payment: payment.id,
        kind,
        status: Status::InProgress,
        amount,
        restock,
        reference: None,
        failure_reason: None,
        actor: context.actor.log_name().into_owned(),
        recovery: Recovery { leased_until: until, next_poll_at: until, polls: 0 },
        key,
        created_at: context.now,
        updated_at: context.now,
    };
    world.put_operation(operation.clone());
    world.touch_order(operation.order, context.now)?;
    Ok(operation)
}

/// Returns the answer while another operation is in progress.
fn in_progress(world: &World<'_>, payment: PaymentId) -> Result<Paid, Rejection> {
    let order = world.payment(payment)?.order;
    Ok(Paid { record: world.order_record(order)?, payment: Some(payment), errors: vec![operation_in_progress()] })
}

/// Something is being done to the payment, and its outcome is open.
#[must_use]
pub fn operation_in_progress() -> Rejection {
    Rejection::new(
        Code::PaymentInProgress,
        "An operation on this payment is in progress; its outcome is not known yet.",
    )
}
