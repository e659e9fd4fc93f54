//! The GraphQL types of a payment. They wrap values of the domain and decide nothing.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use domain::order::OrderRecord;
use domain::payment;
use domain::payment_operation::{Kind, PaymentOperation};

use super::refund::Refund;

/// An attempt to pay an order.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The payment.
    pub payment: payment::Payment,
    /// Its order as of the same moment.
    pub of: Arc<OrderRecord>,
}

/// An attempt to pay an order.
#[Object(guard = "Charged")]
impl Payment {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.payment.id.into()
    }

    /// The name of the gateway, for example "manual".
    async fn gateway(&self) -> &str {
        &self.payment.gateway
    }

    /// How the gateway charges.
    async fn method(&self) -> PaymentMethod {
        self.payment.method.into()
    }

    /// The state of the payment.
    async fn status(&self) -> PaymentStatus {
        self.payment.status.into()
    }

    /// The amount: the order's total at check-out.
    async fn amount(&self) -> Money {
        self.payment.amount.into()
    }

    /// What was refunded or is being refunded.
    async fn refunded(&self) -> Money {
        domain::money::Money { amount: self.payment.refunded, ..self.payment.amount }.into()
    }

    /// All refunds, oldest first. One that has FAILED is still due.
    async fn refunds(&self) -> Vec<Refund> {
        let of_payment =
            |operation: &&PaymentOperation| operation.payment == self.payment.id && operation.kind == Kind::Refund;
        self.of.operations.iter().filter(of_payment).cloned().map(Refund).collect()
    }

    /// The gateway's own reference. Null unless it gave one.
    async fn reference(&self) -> Option<Text<&str>> {
        self.payment.reference.as_deref().map(Text)
    }

    /// Why the payment took nothing, in words that a shopper may read. Null unless it is DECLINED.
    async fn decline_reason(&self) -> Option<Text<&str>> {
        self.payment.decline_reason.as_deref().map(Text)
    }

    /// What the shopper has to do while the payment is REQUIRES_ACTION. Null otherwise.
    async fn action(&self) -> Option<PaymentAction> {
        self.payment.action.clone().map(|action| PaymentAction {
            kind: action.kind,
            url: action.url.map(Text),
            client_secret: action.client_secret.map(Text),
            expires_at: DateTime(action.expires_at),
        })
    }

    /// When the payment began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.payment.created_at)
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
