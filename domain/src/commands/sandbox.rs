//! The journal of the sandbox gateway: records a charge, and voids one. Only the sandbox submits these commands. They must
//! never touch anything of the shop: the sandbox plays another company's system.

use std::time::Duration;

use crate::id::{PaymentId, PaymentOperationId};
use crate::payment_operation::Kind;
use crate::rejection::Rejections;
use crate::sandbox::{Charge, ChargeOperation, Fate, OperationFate};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Records a charge in the journal. The same payment again changes nothing: the answer is the first charge.
#[derive(Debug)]
pub struct RecordCharge {
    /// The payment, which is the idempotency key of the charge.
    pub payment: PaymentId,
    /// How the charge ends.
    pub fate: Fate,
    /// After how long that takes effect.
    pub after: Duration,
    /// The amount, in minor units.
    pub amount: i64,
    /// What it was asked with.
    pub token: Option<String>,
}

impl Command for RecordCharge {
    type Answer = Charge;

    fn footprint(&self) -> Footprint {
        Footprint { charges: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Charge, Rejections> {
        let fresh = Charge {
            payment: self.payment,
            fate: self.fate,
            due_at: context.now + self.after,
            amount: self.amount,
            requests: 0,
            token: self.token.clone(),
            created_at: context.now,
        };
        let charge = world.charge(self.payment).unwrap_or(&fresh);
        let charge = Charge { requests: charge.requests.saturating_add(1), ..charge.clone() };
        world.put_charge(charge.clone());
        Ok(charge)
    }
}

/// Voids a charge, unless it has ended. Afterwards nothing is charged for this payment, even if it is asked for later.
#[derive(Debug)]
pub struct CancelCharge(pub PaymentId);

impl Command for CancelCharge {
    /// The state of the charge now: charged or declined if it was too late to void it.
    type Answer = Fate;

    fn footprint(&self) -> Footprint {
        Footprint { charges: vec![self.0], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Fate, Rejections> {
        let never_came = Charge {
            payment: self.0,
            fate: Fate::Pending,
            due_at: context.now,
            amount: 0,
            requests: 0,
            token: None,
            created_at: context.now,
        };
        let charge = world.charge(self.0).cloned().unwrap_or(never_came);
        let standing = charge.standing(context.now);
        if !matches!(standing, Fate::Pending | Fate::Authorized) {
            return Ok(standing);
        }
        world.put_charge(Charge { fate: Fate::Cancelled, ..charge });
        Ok(Fate::Cancelled)
    }
}

/// Captures or refunds a charge. The same operation again changes nothing: the answer is the first one.
#[derive(Debug)]
pub struct OperateCharge {
    /// The operation, which is the idempotency key.
    pub operation: PaymentOperationId,
    /// The payment, which is the idempotency key of the charge.
    pub payment: PaymentId,
    /// What is done: a capture or a refund.
    pub kind: Kind,
    /// How many operations of this kind are refused, whatever they ask for.
    pub refusals: usize,
    /// After how long it is done.
    pub after: Duration,
    /// The amount, in minor units.
    pub amount: i64,
}

impl Command for OperateCharge {
    type Answer = ChargeOperation;

    fn footprint(&self) -> Footprint {
        Footprint { charges: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ChargeOperation, Rejections> {
        let known = world.charge_operations(self.payment).find(|operation| operation.id == self.operation).cloned();
        let fresh = || ChargeOperation {
            id: self.operation,
            payment: self.payment,
            kind: self.kind,
            fate: self.fate(world),
            due_at: context.now + self.after,
            amount: self.amount,
            requests: 0,
            created_at: context.now,
        };
        let is_new = known.is_none();
        let mut operation = known.unwrap_or_else(fresh);
        operation.requests = operation.requests.saturating_add(1);
        world.put_charge_operation(operation.clone());
        if is_new
            && operation.fate == OperationFate::Done
            && self.kind == Kind::Capture
            && let Some(charge) = world.charge(self.payment).cloned()
        {
            world.put_charge(Charge { fate: Fate::Charged, ..charge });
        }
        Ok(operation)
    }
}

impl OperateCharge {
    /// What was never authorized cannot be captured, and no more can be refunded than was charged.
    fn fate(&self, world: &World<'_>) -> OperationFate {
        let earlier = || world.charge_operations(self.payment).filter(|operation| operation.kind == self.kind);
        let charge = world.charge(self.payment);
        let done =
            earlier().filter(|operation| operation.fate == OperationFate::Done).map(|operation| operation.amount);
        let is_possible = match (self.kind, charge.map(|charge| charge.fate)) {
            (Kind::Capture, Some(Fate::Authorized)) => true,
            (Kind::Refund, Some(Fate::Charged)) => {
                done.sum::<i64>() + self.amount <= charge.map_or(0, |charge| charge.amount)
            }
            _ => false,
        };
        if is_possible && earlier().count() >= self.refusals { OperationFate::Done } else { OperationFate::Refused }
    }
}
