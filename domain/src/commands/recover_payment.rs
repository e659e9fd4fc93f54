//! Recovery claims a payment whose outcome is open, defers it until it polls again, and begins to void one that must not go on. It
//! must never decide an outcome.

use std::time::Duration;

use crate::Time;
use crate::id::PaymentId;
use crate::payment::{Payment, Recovery};
use crate::payment_operation::Kind;
use crate::rejection::Rejections;
use crate::world::World;

use super::operation::{Plan, record};
use super::{Command, Context, Footprint};

/// Claims an open payment for a while, so that no other process polls its gateway. Compare and set.
#[derive(Debug)]
pub struct ClaimPayment {
    /// The payment.
    pub payment: PaymentId,
    /// How long it is claimed.
    pub lease: Duration,
    /// The longest that anybody claims a payment for.
    pub longest: Duration,
}

impl Command for ClaimPayment {
    /// The payment; `None` if its outcome is known by now, or if another process has claimed it.
    type Answer = Option<Payment>;

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Option<Payment>, Rejections> {
        let payment = world.edit_payment(self.payment)?;
        if !payment.status.is_open() || !payment.recovery.is_free(context.now, self.longest) {
            return Ok(None);
        }
        payment.recovery.leased_until = context.now + self.lease;
        payment.recovery.polls = payment.recovery.polls.saturating_add(1);
        Ok(Some(payment.clone()))
    }
}

/// Gives a claimed payment back: recovery polls it again at a later time. Compare and set: it changes nothing if the
/// payment was settled meanwhile, or if its lease ran out and another process claimed it.
#[derive(Debug)]
pub struct DeferPayment {
    /// The payment.
    pub payment: PaymentId,
    /// The end of the lease that it was claimed with, which tells whose claim it is.
    pub lease: Time,
    /// When to poll again.
    pub until: Time,
}

impl Command for DeferPayment {
    type Answer = ();

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, _: &mut Context<'_>) -> Result<(), Rejections> {
        if let Ok(payment) = world.edit_payment(self.payment)
            && payment.status.is_open()
            && payment.recovery.leased_until == self.lease
        {
            payment.recovery = Recovery { leased_until: self.until, next_poll_at: self.until, ..payment.recovery };
        }
        Ok(())
    }
}

/// Begins to void an open payment, unless something is being done to it. It is recorded before the gateway is asked: a void whose
/// answer was lost may still arrive, and end an authorization that was found in between. So it is repeated until it is known,
/// and an authorization that is found meanwhile does not count.
#[derive(Debug)]
pub struct GiveUpPayment {
    /// The payment.
    pub payment: PaymentId,
}

impl Command for GiveUpPayment {
    type Answer = ();

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<(), Rejections> {
        let payment = world.payment(self.payment)?;
        if payment.status.is_open() && world.running_operation(self.payment).is_none() {
            let plan = Plan { kind: Kind::Void, amount: payment.amount, restock: Vec::new() };
            record(world, context, self.payment, plan, Duration::ZERO, None)?;
        }
        Ok(())
    }
}
