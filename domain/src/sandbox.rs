//! The journal of the sandbox gateway: every charge that it was asked for, and how the charge ends.
//!
//! The sandbox plays another company's system, so nothing of the inventory may depend on a journal entry except through
//! the gateway's answers. How a charge ends is decided when it is asked for and takes effect at `due_at`; that way the
//! sandbox remembers across a crash what it did.

use super::Time;
use super::id::{PaymentId, PaymentOperationId};
use super::payment_operation::Kind;
use crate::codes;

codes! {
    /// How a charge ends.
    Fate {
        /// It is taken at `due_at`.
        Charged = "charged",
        /// It is reserved at `due_at`.
        Authorized = "authorized",
        /// It is declined at `due_at`.
        Declined = "declined",
        /// It stays pending forever.
        Pending = "pending",
        /// It was voided before anything was taken.
        Cancelled = "cancelled",
    }
}

/// A charge in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The payment, which is the idempotency key of the charge.
    pub payment: PaymentId,
    /// How it ends.
    pub fate: Fate,
    /// When that takes effect.
    pub due_at: Time,
    /// The amount, in minor units.
    pub amount: i64,
    /// How many times it was asked for.
    pub requests: i32,
    /// What it was asked with: it says what becomes of captures and refunds.
    pub token: Option<String>,
    /// When it was first asked for.
    pub created_at: Time,
}

impl Charge {
    /// Returns the state of the charge at this time.
    #[must_use]
    pub fn standing(&self, now: Time) -> Fate {
        match self.fate {
            Fate::Charged | Fate::Authorized | Fate::Declined if now < self.due_at => Fate::Pending,
            fate => fate,
        }
    }
}

codes! {
    /// How a capture or a refund ends.
    OperationFate {
        /// It is done at `due_at`.
        Done = "done",
        /// It was refused.
        Refused = "refused",
        /// It is not done yet.
        Pending = "pending",
    }
}

/// A capture or a refund in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeOperation {
    /// The operation, which is its idempotency key.
    pub id: PaymentOperationId,
    /// The payment whose charge it is about.
    pub payment: PaymentId,
    /// What is done.
    pub kind: Kind,
    /// How it ends.
    pub fate: OperationFate,
    /// When that takes effect.
    pub due_at: Time,
    /// The amount, in minor units.
    pub amount: i64,
    /// How many times it was asked for.
    pub requests: i32,
    /// When it was first asked for.
    pub created_at: Time,
}

impl ChargeOperation {
    /// Returns the state of the operation at this time.
    #[must_use]
    pub fn standing(&self, now: Time) -> OperationFate {
        if now < self.due_at { OperationFate::Pending } else { self.fate }
    }
}
