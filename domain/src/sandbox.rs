//! The journal of the sandbox gateway: what it was asked to charge and what became of it.
//!
//! The sandbox plays another company's system, so nothing of the inventory may depend on this record except through
//! the gateway's answers. What becomes of a charge is settled when it is asked for and shows at `due_at`; that way the
//! sandbox remembers across a crash what it did.

use super::Time;
use super::id::PaymentId;
use crate::codes;

codes! {
    /// What becomes of a charge.
    Fate {
        /// It is taken at `due_at`.
        Charged = "charged",
        /// It is declined at `due_at`.
        Declined = "declined",
        /// It stays open for ever.
        Pending = "pending",
        /// It was cancelled before anything was taken.
        Cancelled = "cancelled",
    }
}

/// One charge in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The key under which it was asked for.
    pub payment: PaymentId,
    /// What becomes of it.
    pub fate: Fate,
    /// From when on that shows.
    pub due_at: Time,
    /// Minor units.
    pub amount: i64,
    /// How often it was asked for under this key.
    pub requests: i32,
    /// When it was first asked for.
    pub created_at: Time,
}

impl Charge {
    /// How the charge stands at a moment.
    #[must_use]
    pub fn standing(&self, now: Time) -> Fate {
        match self.fate {
            Fate::Charged | Fate::Declined if now < self.due_at => Fate::Pending,
            fate => fate,
        }
    }
}
