//! What staff do to a payment after it was made: capture, void, refund. An operation is recorded before the gateway is called,
//! and its id is the gateway's key, so that it may be repeated until its outcome is known.
//!
//! A payment has one operation at a time whose outcome is open.

use serde::{Deserialize, Serialize};

use super::Time;
use super::id::{OrderId, OrderItemId, PaymentId, PaymentOperationId};
use super::money::Money;
use super::payment::{KeyId, Recovery};
use crate::codes;

codes! {
    /// What is done.
    Kind {
        /// Takes the money that was authorized.
        Capture = "capture",
        /// Gives up the money that was authorized, or a charge whose outcome is open.
        Void = "void",
        /// The same without waiting for the gateway.
        ForcedVoid = "forced_void",
        /// Sends money back.
        Refund = "refund",
    }
}

codes! {
    /// How far an operation has come.
    Status {
        /// The gateway has not answered for certain.
        InProgress = "in_progress",
        /// It is done.
        Succeeded = "succeeded",
        /// The gateway refused for good. Nothing was moved.
        Failed = "failed",
    }
}

/// Units of an order's item that come back into stock when a refund succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restock {
    /// Which item.
    pub item: OrderItemId,
    /// Units that the order held when the refund began.
    pub held: i32,
    /// Units that had been shipped.
    pub shipped: i32,
}

/// A capture, a void or a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOperation {
    /// Its id, and the key under which the gateway is asked.
    pub id: PaymentOperationId,
    /// The order of the payment.
    pub order: OrderId,
    /// What it is done to.
    pub payment: PaymentId,
    /// What is done.
    pub kind: Kind,
    /// How far it has come.
    pub status: Status,
    /// What is captured, voided or refunded.
    pub amount: Money,
    /// What comes back into stock when it succeeds.
    pub restock: Vec<Restock>,
    /// The gateway's own reference.
    pub reference: Option<String>,
    /// Why the gateway refused, in words that staff may read.
    pub failure_reason: Option<String>,
    /// Who began it: as [`Actor::log_name`](super::actor::Actor::log_name) says.
    pub actor: String,
    /// When recovery repeats it.
    pub recovery: Recovery,
    /// The idempotency key it was begun under.
    pub key: Option<KeyId>,
    /// When it began.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl PaymentOperation {
    /// Whether its outcome is open.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == Status::InProgress
    }
}
