//! Voids a payment: gives up the money that was authorized, or a charge that waits for the shopper. Units are released once the
//! gateway has confirmed, except when it is forced: then at once, and money that arrives later is refunded.

use crate::payment::{Outcome, Status};
use crate::payment_operation::{Kind, Status as OperationStatus};
use crate::rejection::{Rejection, Rejections};
use crate::world::World;

use super::operation::{BegunOperation, OperationRequest, Plan};
use super::settle_payment::{keep_answer, settle};
use super::{Command, Context, Footprint};

/// Begins to void a payment.
#[derive(Debug, Clone)]
pub struct VoidPayment {
    /// Which payment, and for whom.
    pub request: OperationRequest,
    /// Whether the units are released without waiting for the gateway.
    pub force: bool,
}

impl Command for VoidPayment {
    type Answer = BegunOperation;

    fn footprint(&self) -> Footprint {
        self.request.footprint()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<BegunOperation, Rejections> {
        let (payment, _) = self.request.find(world, context)?;
        let is_voidable = match payment.status {
            Status::Authorized | Status::RequiresAction => true,
            Status::InProgress => self.force,
            Status::Succeeded | Status::Declined | Status::Voided => false,
        };
        let begun = self.request.begun_before(world)?;
        let is_kept = matches!(begun, Some(BegunOperation::Kept(_)));
        if let Some(begun) = begun.filter(|_| is_kept || !(self.force && is_voidable)) {
            return Ok(begun);
        }
        if !is_voidable {
            let message = if payment.status == Status::InProgress {
                "The payment is in progress: wait for its outcome, or void it with `force`."
            } else {
                "Only a payment that is authorized, or that waits for the shopper, can be voided."
            };
            return Err(Rejection::invalid_state(message).into());
        }
        let plan = |kind| Plan { kind, amount: payment.amount, restock: Vec::new() };
        if !self.force {
            return self.request.begin(world, context, plan(Kind::Void));
        }
        self.give_up_running(world, context);
        let paid = settle(world, context, payment.id, Outcome::Voided)?;
        if payment.status.is_open() {
            keep_answer(world, &paid);
        }
        self.request.begin(world, context, plan(Kind::ForcedVoid))
    }
}

impl VoidPayment {
    /// What was asked of a gateway that is gone is not asked any more.
    fn give_up_running(&self, world: &mut World<'_>, context: &Context<'_>) {
        if let Some(mut running) = world.running_operation(self.request.payment).cloned() {
            running.status = OperationStatus::Failed;
            running.failure_reason = Some("It was given up: the payment was voided by force.".to_owned());
            running.updated_at = running.updated_at.max(context.now);
            world.put_operation(running);
        }
    }
}
