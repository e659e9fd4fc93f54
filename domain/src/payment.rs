//! One attempt to pay an order, from the moment its units are allocated until its outcome is certain.
//!
//! A timeout is not a decline: while the outcome is unknown a payment stays in progress, and its units stay allocated.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Time;
use super::id::{OrderId, PaymentId};
use super::money::Money;
use super::rejection::{Code, Rejection};
use crate::codes;

codes! {
    /// What a payment asks of its gateway.
    Method {
        /// Take the money at once.
        Purchase = "purchase",
        /// Reserve the money, to be captured or voided later.
        Authorize = "authorize",
    }
}

codes! {
    /// How far a payment has come.
    Status {
        /// Units are allocated and the gateway has not answered for certain.
        InProgress = "in_progress",
        /// The shopper has to do something before a deadline; units are allocated.
        RequiresAction = "requires_action",
        /// The money is reserved; units are allocated until it is captured and they are shipped, or until it is voided.
        Authorized = "authorized",
        /// The money is taken.
        Succeeded = "succeeded",
        /// The gateway took nothing.
        Declined = "declined",
        /// Cancelled at the gateway, which confirmed that it cannot charge any more.
        Voided = "voided",
    }
}

impl Status {
    /// Whether the outcome is still open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::InProgress | Self::RequiresAction)
    }
}

/// What the shopper has to do, in terms of the gateway's own client library. Its address and its secret are for the shopper alone:
/// no log has them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// For example `REDIRECT`.
    pub kind: String,
    /// Where to go, when it is a redirection.
    pub url: Option<String>,
    /// What the client library needs to go on.
    pub client_secret: Option<String>,
    /// After this the payment is cancelled and its units are released.
    pub expires_at: Time,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action").field("kind", &self.kind).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// How a gateway's answer ends, or does not end, a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money is reserved, and can be captured.
    Authorized {
        /// The gateway's own reference.
        reference: Option<String>,
    },
    /// The money is taken.
    Charged {
        /// The gateway's own reference.
        reference: Option<String>,
    },
    /// Nothing was taken.
    Declined {
        /// Why, in words that a shopper may read.
        reason: String,
    },
    /// The gateway refused the request itself; nothing was taken.
    Refused {
        /// What was wrong with it.
        reason: String,
    },
    /// The gateway has confirmed that it cannot charge any more.
    Voided,
    /// The shopper has to do something first.
    ActionRequired(Action),
}

/// Which attempt of whom an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Within what the key is unique: a subject, or a guest's cart or order.
    pub scope: String,
    /// As the client sent it: 1 to 255 characters.
    pub key: String,
}

/// When recovery polls the gateway about a payment that is still open, and until when somebody has it to themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Nobody else may ask the gateway about it before this.
    pub leased_until: Time,
    /// When to poll next.
    pub next_poll_at: Time,
    /// How often recovery has polled.
    pub polls: i32,
}

impl Recovery {
    /// Whether somebody may claim the payment now. A lease that ends later than the longest there is was given by a clock
    /// that was ahead and has been put right: it holds nobody.
    #[must_use]
    pub fn is_free(&self, now: Time, longest: Duration) -> bool {
        self.leased_until <= now || self.leased_until > now + longest
    }
}

/// One attempt to pay an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id, and the key under which the gateway is asked.
    pub id: PaymentId,
    /// What it pays.
    pub order: OrderId,
    /// The gateway's name.
    pub gateway: String,
    /// What was asked of it.
    pub method: Method,
    /// How far it has come.
    pub status: Status,
    /// The total of check-out.
    pub amount: Money,
    /// The gateway's own reference.
    pub reference: Option<String>,
    /// Why it was declined, in words that a shopper may read.
    pub decline_reason: Option<String>,
    /// Whether the gateway declined or refused the request itself; none in payments of older releases.
    pub decline_code: Option<Code>,
    /// What the shopper has to do.
    pub action: Option<Action>,
    /// When recovery polls the gateway about it.
    pub recovery: Recovery,
    /// The idempotency key it was begun under.
    pub key: Option<KeyId>,
    /// What was refunded or is being refunded, in minor units. A refund counts from its beginning until it fails.
    pub refunded: i64,
    /// How many operations were begun on it.
    pub operations: i32,
    /// When it began.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Payment {
    /// The error that tells of a payment that took nothing. `None` while the outcome is open, and when money was taken.
    #[must_use]
    pub fn refusal(&self) -> Option<Rejection> {
        match self.status {
            Status::InProgress | Status::RequiresAction | Status::Authorized | Status::Succeeded => None,
            Status::Declined => {
                let code = self.decline_code.unwrap_or(Code::PaymentDeclined);
                Some(Rejection::new(code, self.decline_reason.clone().unwrap_or_default()))
            }
            Status::Voided => {
                let message = "The payment was not completed and has been cancelled.";
                Some(Rejection::new(Code::PaymentDeclined, message))
            }
        }
    }
}
