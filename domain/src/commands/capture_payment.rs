//! Captures the money of an authorized payment. It moves no stock: what the order holds stays held, also when the capture
//! fails and is tried again.

use crate::payment::Status;
use crate::payment_operation::Kind;
use crate::rejection::{Rejection, Rejections};
use crate::world::World;

use super::operation::{BegunOperation, OperationRequest, Plan};
use super::{Command, Context, Footprint};

/// Begins to capture a payment.
#[derive(Debug, Clone)]
pub struct CapturePayment(pub OperationRequest);

impl Command for CapturePayment {
    type Answer = BegunOperation;

    fn footprint(&self) -> Footprint {
        let Footprint { keys, payments, .. } = self.0.footprint();
        Footprint { keys, payments_without_stock: payments, ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<BegunOperation, Rejections> {
        let (payment, _) = self.0.find(world, context)?;
        if let Some(begun) = self.0.begun_before(world)? {
            return Ok(begun);
        }
        if payment.status != Status::Authorized {
            return Err(Rejection::invalid_state("Only a payment that is authorized can be captured.").into());
        }
        let plan = Plan { kind: Kind::Capture, amount: payment.amount, restock: Vec::new() };
        self.0.begin(world, context, plan)
    }
}
