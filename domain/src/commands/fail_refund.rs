//! A refund that a provider had reported as done, and that failed after all: the money never reached the shopper, and is due
//! again. It must never move stock: what came back into the warehouse is there.

use crate::id::{PaymentId, PaymentOperationId};
use crate::payment::Status;
use crate::payment_operation::{Kind, PaymentOperation, Status as OperationStatus};
use crate::rejection::{Rejection, Rejections};
use crate::world::World;

use super::settle_operation::{OperationOutcome, SettledOperation, fail, operated, refund_state, settle_operation};
use super::{Command, Context, Footprint};

/// Ends a refund as failed, whether or not it was reported as done before. Compare and set: a notice may come twice.
#[derive(Debug, Clone)]
pub struct FailRefund {
    operation: PaymentOperationId,
    payment: PaymentId,
    reason: String,
}

impl FailRefund {
    /// Ends this refund with a reason that staff may read; `None` if it is no refund.
    #[must_use]
    pub fn of(operation: &PaymentOperation, reason: String) -> Option<Self> {
        let (id, payment) = (operation.id, operation.payment);
        (operation.kind == Kind::Refund).then_some(Self { operation: id, payment, reason })
    }
}

impl Command for FailRefund {
    type Answer = SettledOperation;

    fn footprint(&self) -> Footprint {
        let (operations, payments_without_stock) = (vec![self.operation], vec![self.payment]);
        Footprint { payments_without_stock, operations, ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<SettledOperation, Rejections> {
        let mut refund = world.operation(self.operation)?.clone();
        match refund.status {
            OperationStatus::InProgress => {
                let refused = OperationOutcome::Refused { reason: self.reason.clone() };
                Ok(SettledOperation::Now(settle_operation(world, context, self.operation, refused)?))
            }
            OperationStatus::Failed => Ok(SettledOperation::Before(operated(world, &refund)?)),
            OperationStatus::Succeeded => {
                refund.updated_at = refund.updated_at.max(context.now);
                fail(&mut refund, self.reason.clone());
                world.put_operation(refund.clone());
                take_back(world, context, &refund)?;
                world.touch_order(refund.order, context.now)?;
                Ok(SettledOperation::Now(operated(world, &refund)?))
            }
        }
    }
}

/// The refund no longer counts: what is left can be refunded again, and the state of the order is that of the other refunds.
fn take_back(world: &mut World<'_>, context: &Context<'_>, refund: &PaymentOperation) -> Result<(), Rejection> {
    let payment = world.edit_payment(refund.payment)?;
    payment.updated_at = payment.updated_at.max(context.now);
    payment.refunded -= refund.amount.amount;
    let (status, amount) = (payment.status, payment.amount.amount);
    if status != Status::Succeeded {
        return Ok(());
    }
    let record = world.order_record(refund.order)?;
    let done = record.operations.iter().filter(|other| {
        other.payment == refund.payment && other.kind == Kind::Refund && other.status == OperationStatus::Succeeded
    });
    let mut order = record.order.clone();
    order.payment = refund_state(done.map(|other| other.amount.amount).sum(), amount);
    world.put_order(order);
    Ok(())
}
