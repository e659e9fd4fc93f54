//! What a payment gateway is to this server: a trait, what its methods answer, and what is known of a gateway before it
//! is called.
//!
//! A gateway only talks to its provider. It never changes a payment or an order: it returns what the provider said, or
//! reports it to [`Results`](super::results::Results), and the rules of paying stand in `domain::commands`.

use std::fmt::Debug;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use uuid::Uuid;

use domain::codes;
use domain::money::Money;
use domain::payment::{Method, Outcome, Payment};
use domain::rejection::Rejection;

/// A payment gateway.
///
/// Every method is called outside of a transaction, may be called again with the same arguments, and is dropped when it
/// takes longer than its timeout. The payment's id is the idempotency key of its charge: a gateway charges at most once
/// under it, and passes it on to its provider.
#[async_trait]
pub trait Gateway: Debug + Send + Sync {
    /// Checks the token of a payment before anything is allocated.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a token with which [`charge`](Self::charge) could only fail.
    fn check_token(&self, _token: Option<&str>) -> Result<(), Rejection> {
        Ok(())
    }

    /// Charges `payment.amount`, in the way that `payment.method` says. The token is what the client sent, unchanged.
    async fn charge(&self, payment: &Payment, token: Option<&str>) -> ChargeAnswer;

    /// Returns what has become of the charge of a payment. It never starts one.
    async fn look_up(&self, payment: &Payment) -> ChargeState;

    /// Voids a charge that is open or only authorized. Once this has returned [`Outcome::Voided`], nothing can be charged
    /// under the payment's id, even if a request to charge arrives later. Returns how the charge ended if it is too late.
    async fn void(&self, payment: &Payment) -> ChargeState;

    /// Captures an amount that was authorized.
    async fn capture(&self, _payment: &Payment, _operation: &Operation) -> OperationAnswer {
        OperationAnswer::NotSupported
    }

    /// Refunds an amount that was captured.
    async fn refund(&self, _payment: &Payment, _operation: &Operation) -> OperationAnswer {
        OperationAnswer::NotSupported
    }
    /// Takes a notice that the provider pushes to this server. It checks the signature first, and believes nothing before.
    async fn receive(&self, _notice: Notice<'_>) -> Receipt {
        Receipt::NotSupported
    }
}

/// What a gateway can do, and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The payment methods that it charges with. A payment with another method is refused.
    pub methods: &'static [Method],
    /// The money was taken elsewhere: a payment succeeds as it begins, and [`Gateway::charge`] is not called.
    pub settles_without_call: bool,
    /// Only staff may pay through it.
    pub is_staff_only: bool,
    /// It takes no real money. It is there only where the settings allow gateways for development.
    pub is_for_development: bool,
}

/// What a gateway answers to a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeAnswer {
    /// It is certain how the charge ended, or the shopper has to act ([`Outcome::ActionRequired`]).
    Certain(Outcome),
    /// An error that leaves open whether anything was charged. Recovery looks the charge up later.
    Open,
}

/// What a gateway knows of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// It is certain how the charge ended, or the shopper has to act.
    Ended(Outcome),
    /// It is being processed, or waits for the shopper.
    Pending,
    /// The provider does not know it. The request may still be on its way.
    NotFound,
    /// The provider does not answer.
    Unreachable,
}

/// A capture or a refund. It is recorded before the gateway is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its id, and its idempotency key at the gateway.
    pub id: Uuid,
    /// What to capture or to refund, in the currency of the payment.
    pub amount: Money,
}

/// What a gateway answers to a capture or a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationAnswer {
    /// The money was moved.
    Done {
        /// The gateway's own reference.
        reference: Option<String>,
    },
    /// The gateway refused; no money was moved.
    Refused {
        /// Why, in words that staff may read.
        reason: String,
    },
    /// An error that leaves it open. The operation is repeated under its id until it is certain.
    Open,
    /// This gateway cannot do it.
    NotSupported,
}

/// A notice of a provider, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body, which the signature is over.
    pub body: &'a [u8],
}

codes! {
    /// What becomes of a notice of a provider, as metrics label it.
    Receipt {
        /// It was taken, or had been taken before.
        Accepted = "accepted",
        /// It is acknowledged, and changes nothing here.
        Ignored = "ignored",
        /// It is not signed by the provider, or too long ago.
        Unsigned = "unsigned",
        /// It is signed, and not understood.
        Malformed = "malformed",
        /// It could not be committed: the provider must send it again.
        Failed = "failed",
        /// This gateway takes no notices.
        NotSupported = "not_supported",
    }
}
