//! What the sandbox gateway writes into its own journal. It touches nothing of the shop: the sandbox plays another
//! company's system, whose only word to us is its answer.

use std::time::Duration;

use crate::id::PaymentId;
use crate::rejection::Rejections;
use crate::sandbox::{Charge, Fate};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Asks the sandbox to charge. The same key again changes nothing: it answers with the first charge.
#[derive(Debug)]
pub struct RecordCharge {
    /// The key.
    pub payment: PaymentId,
    /// What shall become of it.
    pub fate: Fate,
    /// After how long that shows.
    pub after: Duration,
    /// Minor units.
    pub amount: i64,
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
            created_at: context.now,
        };
        let charge = world.charge(self.payment).unwrap_or(&fresh);
        let charge = Charge { requests: charge.requests.saturating_add(1), ..charge.clone() };
        world.put_charge(charge.clone());
        Ok(charge)
    }
}

/// Asks the sandbox to see to it that nothing will be charged under a key, also when the charge comes later.
#[derive(Debug)]
pub struct CancelCharge(pub PaymentId);

impl Command for CancelCharge {
    /// How the charge stands now: charged when it was too late.
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
            created_at: context.now,
        };
        let charge = world.charge(self.0).cloned().unwrap_or(never_came);
        let standing = charge.standing(context.now);
        if standing != Fate::Pending {
            return Ok(standing);
        }
        world.put_charge(Charge { fate: Fate::Cancelled, ..charge });
        Ok(Fate::Cancelled)
    }
}
