//! A payment as clients see it.

use async_graphql::{Enum, ID, Object, SimpleObject};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use domain::payment;

/// One attempt to pay an order.
#[derive(Debug, Clone)]
pub struct Payment(pub payment::Payment);

/// One attempt to pay an order.
#[Object(guard = "Charged")]
impl Payment {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The gateway's name.
    async fn gateway(&self) -> &str {
        &self.0.gateway
    }

    /// What was asked of the gateway.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// How far it has come.
    async fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// The total of check-out.
    async fn amount(&self) -> Money {
        self.0.amount.into()
    }

    /// The gateway's own reference.
    async fn reference(&self) -> Option<Text<&str>> {
        self.0.reference.as_deref().map(Text)
    }

    /// Why it was declined, in words that a shopper may read.
    async fn decline_reason(&self) -> Option<Text<&str>> {
        self.0.decline_reason.as_deref().map(Text)
    }

    /// What the shopper has to do, while it REQUIRES_ACTION.
    async fn action(&self) -> Option<PaymentAction> {
        self.0.action.clone().map(|action| PaymentAction {
            kind: action.kind,
            url: action.url.map(Text),
            client_secret: action.client_secret.map(Text),
            expires_at: DateTime(action.expires_at),
        })
    }

    /// When it began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What a payment asks of its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::payment::Method")]
pub enum PaymentMethod {
    /// Take the money at once.
    Purchase,
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::payment::Status")]
pub enum PaymentStatus {
    /// Units are allocated and the gateway has not answered for certain.
    InProgress,
    /// The shopper has to do something, told in `action`; the units stay allocated until a deadline.
    RequiresAction,
    /// The money is taken.
    Succeeded,
    /// Nothing was taken; the units are free again.
    Declined,
    /// Cancelled at the gateway, which confirmed that it cannot charge any more; the units are free again.
    Voided,
}

/// What the gateway's client library needs to go on.
#[derive(Debug, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct PaymentAction {
    /// For example STRIPE_CONFIRM or REDIRECT.
    kind: String,
    /// Where to send the shopper, when it is a redirection.
    url: Option<Text<String>>,
    /// What the gateway's client library needs to go on.
    client_secret: Option<Text<String>>,
    /// After this the payment is cancelled and its units are released.
    expires_at: DateTime,
}
