//! The GraphQL types of a payment. They wrap values of the domain and decide nothing.

use async_graphql::{Enum, ID, Object, SimpleObject};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use domain::payment;

/// An attempt to pay an order.
#[derive(Debug, Clone)]
pub struct Payment(pub payment::Payment);

/// An attempt to pay an order.
#[Object(guard = "Charged")]
impl Payment {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The name of the gateway, for example "manual".
    async fn gateway(&self) -> &str {
        &self.0.gateway
    }

    /// How the gateway charges.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// The state of the payment.
    async fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// The amount: the order's total at check-out.
    async fn amount(&self) -> Money {
        self.0.amount.into()
    }

    /// The gateway's own reference. Null unless it gave one.
    async fn reference(&self) -> Option<Text<&str>> {
        self.0.reference.as_deref().map(Text)
    }

    /// Why the payment took nothing, in words that a shopper may read. Null unless it is DECLINED.
    async fn decline_reason(&self) -> Option<Text<&str>> {
        self.0.decline_reason.as_deref().map(Text)
    }

    /// What the shopper has to do while the payment is REQUIRES_ACTION. Null otherwise.
    async fn action(&self) -> Option<PaymentAction> {
        self.0.action.clone().map(|action| PaymentAction {
            kind: action.kind,
            url: action.url.map(Text),
            client_secret: action.client_secret.map(Text),
            expires_at: DateTime(action.expires_at),
        })
    }

    /// When the payment began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// How a gateway charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::payment::Method")]
pub enum PaymentMethod {
    /// The money is taken at once.
    Purchase,
    /// The money is reserved, to be captured or voided later.
    Authorize,
}

/// The state of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::payment::Status")]
pub enum PaymentStatus {
    /// The outcome is not known yet; the units stay allocated until it is.
    InProgress,
    /// The shopper has to act, as `action` says; the units stay allocated until its deadline.
    RequiresAction,
    /// The money is reserved and can be captured; the units stay allocated.
    Authorized,
    /// The money was taken.
    Succeeded,
    /// Nothing was taken; the units were released.
    Declined,
    /// The gateway confirmed that it will not charge any more; the units were released.
    Voided,
}

/// What the shopper has to do, in the terms of the gateway's own client library.
#[derive(Debug, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct PaymentAction {
    /// The kind of action, for example REDIRECT.
    kind: String,
    /// Where to send the shopper. Null unless the action is a redirection.
    url: Option<Text<String>>,
    /// What the gateway's client library needs to continue. Null unless it needs something.
    client_secret: Option<Text<String>>,
    /// The deadline, after which the payment is voided and its units are released.
    expires_at: DateTime,
}
