//! Recovery takes a payment whose outcome is open for itself, and puts it back for later. It never decides an outcome.

use std::time::Duration;

use crate::Time;
use crate::id::PaymentId;
use crate::payment::{Payment, Recovery};
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Takes an open payment for a while, so that nobody else asks the gateway about it. Compare and set.
#[derive(Debug)]
pub struct ClaimPayment {
    /// Which.
    pub payment: PaymentId,
    /// For how long.
    pub lease: Duration,
}

impl Command for ClaimPayment {
    /// The payment; `None` when its outcome is known by now, or somebody else has it.
    type Answer = Option<Payment>;

    fn footprint(&self) -> Footprint {
        Footprint { payments_without_stock: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Option<Payment>, Rejections> {
        let payment = world.edit_payment(self.payment)?;
        if !payment.status.is_open() || payment.recovery.leased_until > context.now {
            return Ok(None);
        }
        payment.recovery.leased_until = context.now + self.lease;
        payment.recovery.polls = payment.recovery.polls.saturating_add(1);
        Ok(Some(payment.clone()))
    }
}

/// Puts a payment back: recovery polls again at a later moment. Compare and set: it changes nothing when the payment was
/// settled meanwhile, or when its lease ran out and somebody else took it.
#[derive(Debug)]
pub struct DeferPayment {
    /// Which.
    pub payment: PaymentId,
    /// Until when it was taken. Who has it by now, if somebody else, keeps it.
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
