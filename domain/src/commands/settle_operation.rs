//! What the outcome of a capture, a void or a refund does to the payment, to the order and to its units. Compare and set: an
//! operation whose outcome is known must never be settled again, nor move anything twice.

use std::time::Duration;

use crate::actor::Actor;
use crate::id::{PaymentId, PaymentOperationId};
use crate::order::{Order, PaymentStatus};
use crate::payment::{Outcome, Status};
use crate::payment_operation::{Kind, PaymentOperation, Restock, Status as OperationStatus};
use crate::rejection::{Code, Rejection, Rejections};
use crate::stock::Action;
use crate::transaction::Reason;
use crate::world::World;

use super::ledger::{Cause, Move, move_stock};
use super::operation::{Plan, operation_in_progress, record};
use super::settle_payment::{Paid, keep_answer, settle};
use super::{Command, Context, Footprint};

/// How a gateway's answer ends an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationOutcome {
    /// It is done.
    Done {
        /// The gateway's own reference.
        reference: Option<String>,
    },
    /// The gateway refused; nothing was moved.
    Refused {
        /// Why, in words that staff may read.
        reason: String,
    },
    /// It was too late to void the charge: it had ended in this way.
    TooLate(Outcome),
}

/// Settles an operation.
#[derive(Debug, Clone)]
pub struct SettleOperation {
    operation: PaymentOperationId,
    payment: PaymentId,
    moves_stock: bool,
    outcome: OperationOutcome,
}

impl SettleOperation {
    /// Settles this operation with an outcome.
    #[must_use]
    pub fn of(operation: &PaymentOperation, outcome: OperationOutcome) -> Self {
        let moves_stock = operation.kind == Kind::Void || !operation.restock.is_empty();
        Self { operation: operation.id, payment: operation.payment, moves_stock, outcome }
    }
}

/// The result of settling an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettledOperation {
    /// This outcome counts.
    Now(Paid),
    /// The operation was settled before; nothing changed.
    Before(Paid),
}

impl SettledOperation {
    /// Returns the answer.
    #[must_use]
    pub fn into_paid(self) -> Paid {
        match self {
            Self::Now(paid) | Self::Before(paid) => paid,
        }
    }
}

impl Command for SettleOperation {
    type Answer = SettledOperation;

    fn footprint(&self) -> Footprint {
        let (payments, payments_without_stock) =
            if self.moves_stock { (vec![self.payment], Vec::new()) } else { (Vec::new(), vec![self.payment]) };
        Footprint { operations: vec![self.operation], payments, payments_without_stock, ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<SettledOperation, Rejections> {
        let operation = world.operation(self.operation)?.clone();
        if !operation.is_running() {
            if self.tells_of_money(operation.kind) {
                self.money_was_taken(world, context, operation)?;
            }
            return Ok(SettledOperation::Before(operated(world, world.operation(self.operation)?)?));
        }
        let paid = settle_operation(world, context, self.operation, self.outcome.clone())?;
        Ok(SettledOperation::Now(paid))
    }
}

impl SettleOperation {
    fn tells_of_money(&self, kind: Kind) -> bool {
        match &self.outcome {
            OperationOutcome::Done { .. } => kind == Kind::Capture,
            OperationOutcome::TooLate(ended) => matches!(ended, Outcome::Charged { .. }),
            OperationOutcome::Refused { .. } => false,
        }
    }

    /// An operation had ended, or was given up by force, and its gateway answers after all that the money was taken: that
    /// pays for the order if its units are still held, and is sent back if they are not.
    fn money_was_taken(
        &self,
        world: &mut World<'_>,
        context: &mut Context<'_>,
        mut operation: PaymentOperation,
    ) -> Result<(), Rejection> {
        match world.payment(self.payment)?.status {
            Status::Voided | Status::Declined => refund_late_money(world, context, self.payment),
            Status::Authorized => {
                if let OperationOutcome::Done { reference } = &self.outcome {
                    operation.status = OperationStatus::Succeeded;
                    operation.reference.clone_from(reference);
                    operation.failure_reason = None;
                    operation.updated_at = operation.updated_at.max(context.now);
                    world.put_operation(operation);
                }
                settle(world, context, self.payment, Outcome::Charged { reference: None }).map(|_| ())
            }
            Status::InProgress | Status::RequiresAction | Status::Succeeded => Ok(()),
        }
    }
}

/// Applies an outcome to an operation that is running, and keeps the answer of its idempotency key.
pub(super) fn settle_operation(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    id: PaymentOperationId,
    outcome: OperationOutcome,
) -> Result<Paid, Rejection> {
    let mut operation = world.operation(id)?.clone();
    operation.updated_at = operation.updated_at.max(context.now);
    operation.status = OperationStatus::Succeeded;
    match outcome {
        OperationOutcome::Done { reference } => operation.reference = reference,
        OperationOutcome::Refused { reason } => fail(&mut operation, reason),
        OperationOutcome::TooLate(ended) => {
            if matches!(ended, Outcome::Charged { .. }) {
                fail(&mut operation, "It was too late: the money had been taken.".to_owned());
            }
            // It ends before a refund of the money begins: one at a time.
            world.put_operation(operation.clone());
            let is_open = world.payment(operation.payment)?.status.is_open();
            settle_ended(world, context, &operation, ended)?;
            if is_open {
                let order = operation.order;
                keep_answer(world, &Paid::by(world.order_record(order)?, operation.payment));
            }
            return answer(world, context, &operation);
        }
    }
    world.put_operation(operation.clone());
    apply(world, context, &operation)?;
    answer(world, context, &operation)
}

/// Ends an operation as failed.
pub(super) fn fail(operation: &mut PaymentOperation, reason: String) {
    operation.status = OperationStatus::Failed;
    operation.failure_reason = Some(reason);
}

/// What the end of a charge that was to be voided does.
fn settle_ended(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    operation: &PaymentOperation,
    ended: Outcome,
) -> Result<(), Rejection> {
    let status = world.payment(operation.payment)?.status;
    match (status, ended) {
        (Status::InProgress | Status::RequiresAction, ended) => {
            settle(world, context, operation.payment, ended)?;
        }
        (Status::Authorized, Outcome::Charged { reference }) => {
            settle(world, context, operation.payment, Outcome::Charged { reference })?;
        }
        (Status::Authorized, Outcome::Declined { .. } | Outcome::Refused { .. } | Outcome::Voided) => {
            settle(world, context, operation.payment, Outcome::Voided)?;
        }
        (Status::Voided | Status::Declined, Outcome::Charged { .. }) => {
            refund_late_money(world, context, operation.payment)?;
        }
        _ => {}
    }
    Ok(())
}

/// What an operation does that has ended as its status says.
fn apply(world: &mut World<'_>, context: &mut Context<'_>, operation: &PaymentOperation) -> Result<(), Rejection> {
    let payment = world.payment(operation.payment)?.clone();
    let is_done = operation.status == OperationStatus::Succeeded;
    match operation.kind {
        Kind::Capture if is_done && payment.status == Status::Authorized => {
            let reference = operation.reference.clone().or(payment.reference);
            settle(world, context, payment.id, Outcome::Charged { reference })?;
        }
        // The money was taken although the payment had been given up.
        Kind::Capture if is_done && payment.status == Status::Voided => refund_late_money(world, context, payment.id)?,
        Kind::Void if is_done && (payment.status.is_open() || payment.status == Status::Authorized) => {
            let paid = settle(world, context, payment.id, Outcome::Voided)?;
            if payment.status.is_open() {
                keep_answer(world, &paid);
            }
        }
        Kind::Refund => settle_refund(world, context, operation)?,
        Kind::Capture | Kind::Void | Kind::ForcedVoid => {}
    }
    Ok(())
}

/// What the state of an order is when so much of its money was sent back.
pub(super) const fn refund_state(refunded: i64, amount: i64) -> PaymentStatus {
    match refunded {
        0 => PaymentStatus::Paid,
        refunded if refunded < amount => PaymentStatus::PartiallyRefunded,
        _ => PaymentStatus::Refunded,
    }
}

/// A refund that failed no longer counts; one that succeeded changes the state of the order, and restocks.
fn settle_refund(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    operation: &PaymentOperation,
) -> Result<(), Rejection> {
    let payment = world.edit_payment(operation.payment)?;
    payment.updated_at = payment.updated_at.max(context.now);
    if operation.status == OperationStatus::Failed {
        payment.refunded -= operation.amount.amount;
        return Ok(());
    }
    let payment = payment.clone();
    let mut order = world.order(operation.order, &Actor::System)?.clone();
    if payment.status == Status::Succeeded {
        order.payment = refund_state(payment.refunded, payment.amount.amount);
    }
    for restock in &operation.restock {
        restock_units(world, context, &mut order, *restock)?;
    }
    if !operation.restock.is_empty() {
        order.shipping = order.shipped_so_far();
    }
    world.put_order(order);
    Ok(())
}

/// What was cancelled meanwhile is in stock already, and what was shipped meanwhile is away: neither comes back.
fn restock_units(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    order: &mut Order,
    restock: Restock,
) -> Result<(), Rejection> {
    let id = order.id;
    let Some(item) = order.items.iter_mut().find(|item| item.id == restock.item) else { return Ok(()) };
    let held = restock.held.min(item.allocated);
    if held > 0 {
        let cause = Cause::order(Reason::Refunded, id);
        move_stock(world, context, Move::of_order(item.product, Action::Deallocate, held), &cause)?;
        item.allocated -= held;
        item.cancelled += held;
    }
    let shipped = restock.shipped.min(item.shipped - item.returned);
    if shipped > 0 {
        let cause = Cause::order(Reason::Return, id);
        // The money is back. More units than can be counted are put right by hand.
        if move_stock(world, context, Move::of_order(item.product, Action::Increment, shipped), &cause).is_ok() {
            item.returned += shipped;
        }
    }
    Ok(())
}

/// Marks the order as changed, and returns the answer, which is kept under the key of the operation.
fn answer(world: &mut World<'_>, context: &Context<'_>, operation: &PaymentOperation) -> Result<Paid, Rejection> {
    world.touch_order(operation.order, context.now)?;
    let paid = operated(world, operation)?;
    if let Some(record) = operation.key.as_ref().and_then(|key| world.edit_key(key)) {
        record.answer = Some(paid.kept().into());
    }
    Ok(paid)
}

/// Returns the answer for an operation. Its errors are what the state of the operation says.
pub(super) fn operated(world: &World<'_>, operation: &PaymentOperation) -> Result<Paid, Rejection> {
    let errors = match operation.status {
        // The units of a forced void are released: there is nothing to wait for.
        OperationStatus::InProgress if operation.kind != Kind::ForcedVoid => vec![operation_in_progress()],
        OperationStatus::Failed if operation.kind != Kind::ForcedVoid => {
            vec![Rejection::new(Code::GatewayError, operation.failure_reason.clone().unwrap_or_default())]
        }
        OperationStatus::InProgress | OperationStatus::Succeeded | OperationStatus::Failed => Vec::new(),
    };
    Ok(Paid { record: world.order_record(operation.order)?, payment: Some(operation.payment), errors })
}

/// Begins to refund money that arrived for a payment whose units were released. Once: a notice may come twice.
pub(super) fn refund_late_money(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    id: PaymentId,
) -> Result<(), Rejection> {
    begin_late(world, context, id, Kind::Refund)
}

/// Begins to void an authorization that arrived for a payment whose units were released. Once.
pub(super) fn void_late_authorization(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    id: PaymentId,
) -> Result<(), Rejection> {
    begin_late(world, context, id, Kind::Void)
}

/// Recovery takes such an operation at once.
fn begin_late(world: &mut World<'_>, context: &mut Context<'_>, id: PaymentId, kind: Kind) -> Result<(), Rejection> {
    if let Some(running) = world.running_operation(id).cloned() {
        // A forced void whose gateway has not answered: now it is known that it was too late.
        if kind != Kind::Refund || running.kind == Kind::Refund {
            return Ok(());
        }
        let mut running = running;
        fail(&mut running, "It was too late: the money had been taken.".to_owned());
        running.updated_at = running.updated_at.max(context.now);
        world.put_operation(running);
    }
    let amount = world.payment(id)?.amount;
    if amount.amount == 0 || world.has_operation(id, kind) {
        return Ok(());
    }
    record(world, context, id, Plan { kind, amount, restock: Vec::new() }, Duration::ZERO, None)?;
    Ok(())
}
