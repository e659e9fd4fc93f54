//! The order as clients see it.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::graphql::Viewer;
use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::money::Money;
use crate::graphql::page::{Connection, PageArguments};
use crate::graphql::scalars::DateTime;
use crate::graphql::stock::{StockTransaction, log_connection};
use crate::read::LogFilter;
use domain::order::OrderRecord;

use super::item::OrderItem;
use super::payment::Payment;
use super::shipment::Shipment;

/// An order.
#[derive(Debug, Clone)]
pub struct Order(pub Arc<OrderRecord>);

/// An order, from check-out to its end. Whoever knows the id of a guest's order may use it.
#[Object(guard = "Charged")]
impl Order {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.order.id.into()
    }

    /// Short and human-readable, unique.
    async fn number(&self) -> &str {
        &self.0.order.number
    }

    /// The order as a whole.
    async fn status(&self) -> OrderStatus {
        self.0.order.status.into()
    }

    /// The money.
    async fn payment(&self) -> OrderPaymentStatus {
        self.0.order.payment.into()
    }

    /// The goods.
    async fn shipping(&self) -> OrderShippingStatus {
        self.0.order.shipping.into()
    }

    /// What was bought. At most 100.
    async fn items(&self) -> Vec<OrderItem> {
        self.0.order.items.iter().cloned().map(OrderItem).collect()
    }

    /// What it costs, as of check-out.
    async fn total(&self) -> Money {
        self.0.order.total.into()
    }

    /// Who it is for.
    async fn customer(&self) -> Option<Customer> {
        let customer = self.0.order.customer.clone();
        customer.map(|customer| Customer { name: customer.name.map(Text), email: Text(customer.email) })
    }

    /// Why it was cancelled, when it was.
    async fn cancel_reason(&self) -> Option<CancelReason> {
        self.0.order.cancel_reason.map(Into::into)
    }

    /// Until when the order holds its units although it is not paid. Null if it holds none so. While a payment is in progress:
    /// until when it holds them again if that fails.
    async fn held_until(&self) -> Option<DateTime> {
        self.0.order.held_until.map(DateTime)
    }

    /// All attempts to pay it, the first first.
    async fn payments(&self) -> Vec<Payment> {
        self.0.payments.iter().cloned().map(|payment| Payment { payment, of: Arc::clone(&self.0) }).collect()
    }

    /// What was shipped, the first first.
    async fn shipments(&self) -> Vec<Shipment> {
        self.0.shipments.iter().cloned().map(|shipment| Shipment { shipment, of: Arc::clone(&self.0) }).collect()
    }

    /// The rows of the log that this order caused, newest first. Staff only.
    async fn stock_transactions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<StockTransaction>> {
        nullable(async {
            Viewer::of(context).must_be_staff()?;
            let filter = LogFilter { order: Some(self.0.order.id), ..LogFilter::default() };
            log_connection(context, &filter, PageArguments { first, after, last, before }).await
        })
        .await
    }

    /// When it was checked out.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.0.order.placed_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.order.updated_at)
    }
}

/// Who an order is for.
#[derive(Debug, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct Customer {
    /// What to call them.
    name: Option<Text<String>>,
    /// Where to write to.
    email: Text<String>,
}

/// The order as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::order::Status")]
pub enum OrderStatus {
    /// Until it is paid.
    Incomplete,
    /// While the money is authorized and not captured.
    Processing,
    /// Once it is paid.
    Complete,
    /// For good.
    Cancelled,
}

/// The money of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::order::PaymentStatus")]
pub enum OrderPaymentStatus {
    /// Nothing was taken; it can be paid.
    Unpaid,
    /// Stock is allocated and the gateway has not answered for certain.
    InProgress,
    /// The money is reserved and can be captured or voided.
    Authorized,
    /// The money is taken.
    Paid,
    /// A part of the money was refunded.
    PartiallyRefunded,
    /// All of the money was refunded.
    Refunded,
}

/// The goods of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::order::ShippingStatus")]
pub enum OrderShippingStatus {
    /// Nothing has left the warehouse.
    Unfulfilled,
    /// Some of it has.
    PartiallyFulfilled,
    /// Nothing is left to ship.
    Fulfilled,
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::order::CancelReason")]
pub enum CancelReason {
    /// Somebody asked for it.
    Requested,
    /// It was not paid in time.
    Expired,
    /// It is not genuine.
    Fraud,
    /// Anything else.
    Other,
}
