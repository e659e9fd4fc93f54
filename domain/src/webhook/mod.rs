//! Outgoing webhooks: addresses that staff register, which events go to them, and what becomes of a delivery.
//!
//! A delivery is sent at least once, and of one thing (an order, a product) in order: a later one waits for the earlier.
//! A failed attempt is repeated after growing pauses, as long again as it has been failing. When nothing was accepted for
//! too long the webhook is switched off. Nothing here sends anything, and no secret is ever written to a log.

mod orders;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::Time;
use crate::codes;
use crate::id::{DeliveryId, WebhookId};
use crate::random::Random;
use crate::rejection::Rejection;

pub use orders::{OrderEvent, Target, order_events};

/// Maximum number of webhooks of a shop.
pub const MAX_WEBHOOKS: usize = 20;

/// Longest address of a webhook, in characters.
pub const MAX_URL_LENGTH: usize = 2_000;

/// Longest sentence that is kept about a failed attempt, in characters.
pub const MAX_ERROR_LENGTH: usize = 300;

/// After so many failures in a row, of more than one delivery, a webhook gets one request at a time until one is accepted.
pub const MAX_FAILURES: i32 = 5;

codes! {
    /// What is delivered.
    EventKind {
        /// An order was paid.
        OrderPaid = "order.paid",
        /// Items of an order were shipped.
        OrderShipped = "order.shipped",
        /// An order was cancelled.
        OrderCancelled = "order.cancelled",
        /// The stock of a product moved.
        StockChanged = "stock.changed",
        /// The availability of a product changed with its stock.
        AvailabilityChanged = "availability.changed",
    }
}

impl EventKind {
    /// Returns whether it is about an order, and recorded together with what happens to the order. The other kinds are
    /// derived from the log by whoever sends.
    #[must_use]
    pub const fn is_of_order(self) -> bool {
        matches!(self, Self::OrderPaid | Self::OrderShipped | Self::OrderCancelled)
    }
}

codes! {
    /// What became of a delivery.
    DeliveryStatus {
        /// It is to be sent, or to be sent again.
        Pending = "pending",
        /// The receiver accepted it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

/// The key that deliveries are signed with. It is shown once, to whoever registers the webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new secret.
    pub fn new(random: &mut Random) -> Self {
        Self(format!("whsec_{}{}", random.secret_uuid().simple(), random.secret_uuid().simple()))
    }

    /// Takes a secret as it was stored.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself: to sign, to store, and to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A registered address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// What deliveries are signed with.
    pub secret: Secret,
    /// Which events are delivered. Never empty.
    pub events: BTreeSet<EventKind>,
    /// Whether anything is recorded for it and sent to it.
    pub enabled: bool,
    /// Why it is switched off, when it is.
    pub disabled_reason: Option<String>,
    /// When the first attempt failed since one was accepted last.
    pub failing_since: Option<Time>,
    /// Failures in a row; those of the same delivery count once until there are [`MAX_FAILURES`].
    pub failures: i32,
    /// The delivery that failed last.
    pub last_failed: Option<DeliveryId>,
    /// Nothing is sent before.
    pub retry_at: Time,
    /// When it was enabled last, or accepted something after many failures: deliveries that failed before that are due.
    pub resumed_at: Time,
    /// One process sends until then.
    pub leased_until: Time,
    /// The place in the log up to which stock was looked at; `None` when no event is derived from it.
    pub cursor: Option<String>,
    /// When it was registered.
    pub created_at: Time,
    /// When staff changed it last, or it was switched off.
    pub updated_at: Time,
}

impl Webhook {
    /// Returns whether events of this webhook are derived from the log.
    #[must_use]
    pub fn follows_log(&self) -> bool {
        self.events.iter().any(|kind| !kind.is_of_order())
    }

    /// Returns whether so much has failed in a row that it gets one request at a time.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Returns whether nobody sends to it. A lease that ends later than anybody takes one for was given by a clock that was
    /// wrong.
    #[must_use]
    pub fn is_free(&self, now: Time, longest: Duration) -> bool {
        self.leased_until <= now || self.leased_until > now + longest
    }

    /// Returns whether nothing is sent yet because too much has failed. A pause that is longer than any was given by a clock that
    /// was wrong.
    #[must_use]
    pub fn pauses(&self, now: Time, longest: Duration) -> bool {
        self.retry_at > now && self.retry_at <= now + longest
    }

    /// Enables it and forgets its failures: what waits is due.
    pub fn enable(&mut self, now: Time) {
        self.enabled = true;
        self.disabled_reason = None;
        self.failing_since = None;
        self.failures = 0;
        self.last_failed = None;
        self.retry_at = now;
        self.resumed_at = now;
    }

    /// Switches it off. What waits stays.
    pub fn disable(&mut self, reason: String, now: Time) {
        self.enabled = false;
        self.disabled_reason = Some(reason);
        self.updated_at = self.updated_at.max(now);
    }

    /// Records what became of an attempt to deliver. Does nothing when the delivery is over.
    pub fn record(&mut self, delivery: &mut Delivery, attempt: &Attempt, policy: RetryPolicy, now: Time) -> Recorded {
        if delivery.status != DeliveryStatus::Pending {
            return Recorded::Nothing;
        }
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.attempted_at = Some(now);
        delivery.response_status = attempt.response_status;
        delivery.error.clone_from(&attempt.error);
        if attempt.error.is_none() {
            delivery.status = DeliveryStatus::Delivered;
            delivery.delivered_at = Some(now);
            delivery.failing_since = None;
            self.succeeded(now);
            return Recorded::Delivered;
        }
        let since = delivery.failing_since.unwrap_or(now).max(self.resumed_at.min(now));
        delivery.failing_since = Some(since);
        delivery.next_attempt_at = now + policy.pause(since, now);
        let failing_since = *self.failing_since.get_or_insert(now);
        if self.is_broken() || self.last_failed != Some(delivery.id) {
            self.failures = self.failures.saturating_add(1);
        }
        self.last_failed = Some(delivery.id);
        if self.is_broken() {
            self.retry_at = now + policy.pause(failing_since, now);
        }
        if now >= failing_since + policy.give_up {
            delivery.status = DeliveryStatus::Failed;
            let since = failing_since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let last = attempt.error.as_deref().unwrap_or_default();
            self.disable(format!("Every attempt since {since} failed. The last one: {last}"), now);
            return Recorded::SwitchedOff;
        }
        if now >= since + policy.give_up {
            delivery.status = DeliveryStatus::Failed;
            return Recorded::GivenUp;
        }
        Recorded::Failed
    }

    fn succeeded(&mut self, now: Time) {
        if self.is_broken() {
            self.resumed_at = now;
            self.retry_at = now;
        }
        self.failing_since = None;
        self.failures = 0;
        self.last_failed = None;
    }
}

/// When failed attempts are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The shortest pause.
    pub shortest: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long is tried in vain.
    pub give_up: Duration,
}

impl RetryPolicy {
    /// Returns the pause before the next attempt: as long again as it has been failing.
    fn pause(self, since: Time, now: Time) -> Duration {
        (now - since).to_std().unwrap_or_default().clamp(self.shortest, self.longest.max(self.shortest))
    }
}

/// What an attempt came to. It was accepted when there is no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The status of the answer, if there was one.
    pub response_status: Option<i32>,
    /// Why it failed, when it did.
    pub error: Option<String>,
}

/// What recording an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The delivery, or its webhook, was over or gone.
    Nothing,
    /// It is delivered.
    Delivered,
    /// It failed and is sent again later.
    Failed,
    /// It failed for so long that it is given up. Others were accepted meanwhile.
    GivenUp,
    /// Everything failed for so long that the webhook is switched off.
    SwitchedOff,
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place among all deliveries, which rises among those of one thing; 0 until the database gives one.
    pub position: i64,
    /// Its id, the same however often it is sent.
    pub id: DeliveryId,
    /// Where to.
    pub webhook: WebhookId,
    /// What happened.
    pub event: EventKind,
    /// What it happened to: the order or the product.
    pub thing: Uuid,
    /// What is told of it, as JSON.
    pub data: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// How often it was sent.
    pub attempts: i32,
    /// When it is sent next, while it is pending.
    pub next_attempt_at: Time,
    /// When it was sent last.
    pub attempted_at: Option<Time>,
    /// When it failed first.
    pub failing_since: Option<Time>,
    /// The status of the last answer.
    pub response_status: Option<i32>,
    /// Why the last attempt failed, when it did.
    pub error: Option<String>,
    /// When the event was recorded.
    pub created_at: Time,
    /// When it was accepted.
    pub delivered_at: Option<Time>,
}

impl Delivery {
    /// A new one, due now.
    #[must_use]
    pub const fn new(
        id: DeliveryId,
        webhook: WebhookId,
        event: EventKind,
        thing: Uuid,
        data: String,
        now: Time,
    ) -> Self {
        Self {
            position: 0,
            id,
            webhook,
            event,
            thing,
            data,
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_attempt_at: now,
            attempted_at: None,
            failing_since: None,
            response_status: None,
            error: None,
            created_at: now,
            delivered_at: None,
        }
    }
}

/// Returns so many new ids, rising: deliveries are saved, and so numbered, in the order of their ids.
pub fn delivery_ids(count: usize, random: &mut Random, now: Time) -> Vec<DeliveryId> {
    let mut ids: Vec<DeliveryId> = (0..count).map(|_| DeliveryId(random.ordered_uuid(now))).collect();
    ids.sort_unstable();
    ids
}

/// Checks the events of a webhook.
///
/// # Errors
/// `INVALID_INPUT` when there are none.
pub fn check_events(events: &BTreeSet<EventKind>) -> Result<(), Rejection> {
    if events.is_empty() {
        return Err(Rejection::invalid_input("A webhook needs at least one event.").at(["events"]));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
