//! Webhooks and their deliveries as staff see them. A secret is not among what is seen.

use async_graphql::{Context, Enum, ID, Object};

use crate::app::App;
use crate::graphql::Viewer;
use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::loaders::{load, told};
use crate::graphql::page::{Connection, PageArguments, connection};
use crate::graphql::scalars::DateTime;
use crate::read::DeliveryCursor;
use crate::webhooks::request;
use domain::webhook;

/// Cursors of lists of deliveries.
const CURSOR: &str = "delivery";

/// A registered address.
#[derive(Debug, Clone)]
pub struct Webhook(pub webhook::Webhook);

/// An address that events are sent to, as signed POST requests. Staff only.
#[Object(guard = "Charged")]
impl Webhook {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The address, for example "https://shop.example/hooks".
    async fn url(&self) -> Text<&str> {
        Text(&self.0.url)
    }

    /// The events that are sent there.
    async fn events(&self) -> Vec<WebhookEventKind> {
        self.0.events.iter().map(|kind| (*kind).into()).collect()
    }

    /// Whether events are sent, and whether they are accepted.
    async fn status(&self) -> WebhookStatus {
        match (self.0.enabled, self.0.failing_since) {
            (false, _) => WebhookStatus::Disabled,
            (true, Some(_)) => WebhookStatus::Failing,
            (true, None) => WebhookStatus::Enabled,
        }
    }

    /// Why it is DISABLED. Null unless it is.
    async fn disabled_reason(&self) -> Option<Text<&str>> {
        self.0.disabled_reason.as_deref().map(Text)
    }

    /// When the first attempt failed since something was accepted last. Null while nothing fails.
    async fn failing_since(&self) -> Option<DateTime> {
        self.0.failing_since.map(DateTime)
    }

    /// The deliveries of the last 30 days, newest first.
    async fn deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first n deliveries (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only deliveries after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n deliveries (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only deliveries before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<WebhookDelivery>> {
        nullable(async {
            Viewer::of(context).must_be_staff()?;
            let request = PageArguments { first, after, last, before }.request(CURSOR)?;
            let page = context.data_unchecked::<App>().store.delivery_page(self.0.id, &request).await;
            let page = page.map_err(|error| told(context, &error))?;
            Ok(Some(connection(CURSOR, page, DeliveryCursor::of, WebhookDelivery)))
        })
        .await
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was changed or switched off last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Clone)]
pub struct WebhookDelivery(pub webhook::Delivery);

/// One event on its way to one webhook. It is sent at least once, and deliveries about one order or product in order. Staff
/// only.
#[Object(guard = "Charged")]
impl WebhookDelivery {
    /// The global id. It is the `id` in the body, and the same however often the delivery is sent.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The webhook.
    async fn webhook(&self, context: &Context<'_>) -> Nullable<Webhook> {
        nullable(async {
            Viewer::of(context).must_be_staff()?;
            Ok(load(context, self.0.webhook).await?.map(Webhook))
        })
        .await
    }

    /// What happened.
    async fn event(&self) -> WebhookEventKind {
        self.0.event.into()
    }

    /// The state of the delivery.
    async fn status(&self) -> WebhookDeliveryStatus {
        self.0.status.into()
    }

    /// How often it was sent.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When it is sent next at the earliest. Null unless it is PENDING.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        let is_pending = self.0.status == webhook::DeliveryStatus::Pending;
        is_pending.then_some(DateTime(self.0.next_attempt_at))
    }

    /// When it was sent last. Null before the first attempt.
    async fn last_attempt_at(&self) -> Option<DateTime> {
        self.0.attempted_at.map(DateTime)
    }

    /// The HTTP status of the last answer. Null if there was none.
    async fn response_status(&self) -> Option<i32> {
        self.0.response_status
    }

    /// Why the last attempt failed. Null if it did not.
    async fn error(&self) -> Option<Text<&str>> {
        self.0.error.as_deref().map(Text)
    }

    /// The body that is sent, as JSON text.
    async fn body(&self) -> Text<String> {
        Text(request::body(&self.0))
    }

    /// When the event was recorded.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the receiver accepted it. Null unless it is DELIVERED.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.0.delivered_at.map(DateTime)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::webhook::EventKind")]
pub enum WebhookEventKind {
    /// `order.paid`: an order was paid. Its data has the order.
    OrderPaid,
    /// `order.shipped`: items of an order were shipped. Its data has the order and the shipment.
    OrderShipped,
    /// `order.cancelled`: an order was cancelled. Its data has the order.
    OrderCancelled,
    /// `stock.changed`: the stock of a product moved. Movements within about a second, and while the receiver accepts nothing,
    /// are one event with the newest numbers.
    StockChanged,
    /// `availability.changed`: a movement of stock took a product over zero or over its low stock threshold. Its data has the
    /// availability before and after.
    AvailabilityChanged,
}

/// Whether events are sent to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum WebhookStatus {
    /// Events are sent, and none failed since one was accepted last.
    Enabled,
    /// Events are sent, and fail.
    Failing,
    /// No events are recorded or sent.
    Disabled,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::webhook::DeliveryStatus")]
pub enum WebhookDeliveryStatus {
    /// It is to be sent, or to be sent again.
    Pending,
    /// The receiver accepted it with a status of 200 to 299.
    Delivered,
    /// It was given up.
    Failed,
}
