//! A refund as clients see it.

use async_graphql::{Enum, ID, Object};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use domain::id::RefundId;
use domain::payment_operation::{self, PaymentOperation};

/// Money of a payment that goes back.
#[derive(Debug, Clone)]
pub struct Refund(pub PaymentOperation);

/// Money of a payment that goes back. A refund that has FAILED is still due.
#[Object(guard = "Charged")]
impl Refund {
    /// The global id.
    pub async fn id(&self) -> ID {
        RefundId::from(self.0.id).into()
    }

    /// The amount.
    async fn amount(&self) -> Money {
        self.0.amount.into()
    }

    /// The state of the refund.
    async fn status(&self) -> RefundStatus {
        self.0.status.into()
    }

    /// The gateway's own reference. Null unless it gave one.
    async fn reference(&self) -> Option<Text<&str>> {
        self.0.reference.as_deref().map(Text)
    }

    /// Why the gateway refused. Null unless it has FAILED.
    async fn failure_reason(&self) -> Option<Text<&str>> {
        self.0.failure_reason.as_deref().map(Text)
    }

    /// When the refund began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// The state of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "payment_operation::Status")]
pub enum RefundStatus {
    /// The gateway has not answered for certain; it is asked again until it does.
    InProgress,
    /// The money was sent back.
    Succeeded,
    /// The gateway refused for good: the money is still due.
    Failed,
}
