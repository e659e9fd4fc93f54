//! The journal of the sandbox gateway: records a charge, and voids one. Only the sandbox submits these commands. They must
//! never touch anything of the shop: the sandbox plays another company's system.

use std::time::Duration;

use crate::id::PaymentId;
use crate::rejection::Rejections;
use crate::sandbox::{Charge, Fate};
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
