//! Recovery takes a payment whose outcome is open for itself, and puts it back for later. It never decides an outcome.

use std::time::Duration;

use crate::domain::Time;
use crate::domain::id::PaymentId;
use crate::domain::payment::{Payment, Watch};
use crate::domain::rejection::{Refusal, Rejection};
use crate::writer::world::World;

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
        Footprint { payments: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<Option<Payment>, Refusal> {
        let payment = world.payments.edit(&self.payment).ok_or_else(|| Rejection::not_found("payment"))?;
        if !payment.status.is_open() || payment.watch.leased_until > context.now {
            return Ok(None);
        }
        payment.watch.leased_until = context.now + self.lease;
        payment.watch.looks = payment.watch.looks.saturating_add(1);
        Ok(Some(payment.clone()))
    }
}

/// Puts a payment back: recovery looks again at a later moment. Compare and set: it changes nothing when the payment was
/// settled meanwhile, or when its lease ran out and somebody else took it.
#[derive(Debug)]
pub struct DeferPayment {
    /// Which.
    pub payment: PaymentId,
    /// Until when it was taken. Who has it by now, if somebody else, keeps it.
    pub lease: Time,
    /// When to look again.
    pub until: Time,
}

impl Command for DeferPayment {
    type Answer = ();

    fn footprint(&self) -> Footprint {
        Footprint { payments: vec![self.payment], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, _: &mut Context<'_>) -> Result<(), Refusal> {
        if let Some(payment) = world.payments.edit(&self.payment)
            && payment.status.is_open()
            && payment.watch.leased_until == self.lease
        {
            payment.watch = Watch { leased_until: self.until, look_at: self.until, ..payment.watch };
        }
        Ok(())
    }
}
