//! Recovery claims an operation whose outcome is open, and defers it until it repeats it again. It must never decide an outcome.

use std::time::Duration;

use crate::Time;
use crate::id::{PaymentId, PaymentOperationId};
use crate::payment::{Payment, Recovery};
use crate::payment_operation::PaymentOperation;
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Claims a running operation for a while, so that no other process asks its gateway. Compare and set.
#[derive(Debug)]
pub struct ClaimOperation {
    /// The operation.
    pub operation: PaymentOperationId,
    /// Its payment.
    pub payment: PaymentId,
    /// How long it is claimed.
    pub lease: Duration,
    /// The longest that anybody claims an operation for.
    pub longest: Duration,
}

impl Command for ClaimOperation {
    /// The payment and the operation; `None` if its outcome is known by now, or if another process has claimed it.
    type Answer = Option<(Payment, PaymentOperation)>;

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Self::Answer, Rejections> {
        let payment = world.payment(self.payment)?.clone();
        let mut operation = world.operation(self.operation)?.clone();
        if !operation.is_running() || !operation.recovery.is_free(context.now, self.longest) {
            return Ok(None);
        }
        operation.recovery.leased_until = context.now + self.lease;
        operation.recovery.polls = operation.recovery.polls.saturating_add(1);
        world.put_operation(operation.clone());
        Ok(Some((payment, operation)))
    }
}

/// Gives a claimed operation back: recovery repeats it at a later time. Compare and set, as for payments.
#[derive(Debug)]
pub struct DeferOperation {
    /// The operation.
    pub operation: PaymentOperationId,
    /// Its payment.
    pub payment: PaymentId,
    /// The end of the lease that it was claimed with, which tells whose claim it is.
    pub lease: Time,
    /// When to repeat it.
    pub until: Time,
}

impl Command for DeferOperation {
    type Answer = ();

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, _: &mut Context<'_>) -> Result<(), Rejections> {
        let operation = world.operation(self.operation)?;
        if operation.is_running() && operation.recovery.leased_until == self.lease {
            let recovery = Recovery { leased_until: self.until, next_poll_at: self.until, ..operation.recovery };
            let operation = PaymentOperation { recovery, ..operation.clone() };
            world.put_operation(operation);
        }
        Ok(())
    }
}
