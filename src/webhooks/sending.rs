//! When what is sent, and by whom. Every process looks for what is due; the one that has the lease of a webhook sends.
//!
//! Of one thing the oldest delivery is sent until it is over; different things are sent at the same time. What became of an
//! attempt is recorded after it: a process that ends in between leaves the delivery to be sent again. While a process cannot
//! record anything it sends nothing.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::error::Error;
use crate::faults::{self, Breach, Point};
use crate::observability::metrics;
use crate::read::{LogFilter, LogPosition};
use domain::Time;
use domain::actor::Actor;
use domain::commands::{AdvanceWebhook, ClaimWebhook, RecordAttempt, ReleaseWebhook};
use domain::id::WebhookId;
use domain::webhook::{Delivery, Recorded, Webhook};

use super::Webhooks;
use super::stock::Merged;

/// Maximum pause between two looks for what is due.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Minimum time between two looks at the log for one webhook: what happens to a product meanwhile is one event.
const MERGE_FOR: Duration = Duration::from_secs(1);

/// Maximum number of deliveries of one webhook that are read at once.
const MAX_DUE: u64 = 64;

/// Maximum number of requests to one webhook at the same time.
const MAX_CONCURRENT: usize = 8;

/// The log is not looked at any further for a webhook that has not accepted so many deliveries derived from it.
const MAX_STUCK: u64 = 20;

/// Maximum number of rows of the log that are read at once.
const LOG_PAGE: u64 = 500;

/// Maximum number of such pages that are merged.
const MAX_PAGES: usize = 40;

/// No further page is merged once there are so many products.
const MANY_PRODUCTS: usize = 200;

/// How often a lease is renewed in its time.
const LEASE_RENEWALS: u32 = 3;

/// How long the end of the process waits for the leases to be given back.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(500);

/// What a process keeps of a webhook from one look to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// The end of the lease that this process took last.
    lease: Option<Time>,
    /// When something could not be read or recorded last: nothing is sent for a while, and not before a lease was written.
    failed_at: Option<Instant>,
    /// When it last looked at the log.
    looked_at: Option<Instant>,
}

/// Whether this process may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// Nobody else has sent since this process did last.
    Kept(Time),
    /// Others may have sent up to now.
    New(Time),
    /// Another process sends.
    Others,
}

/// Sends until it is stopped.
pub async fn send(webhooks: Webhooks, stop: CancellationToken) {
    let mut looks = interval(MAX_PAUSE.min(webhooks.settings.webhook_retry));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept: HashMap<WebhookId, Kept> = HashMap::new();
    let (mut working, mut busy) = (FuturesUnordered::new(), HashSet::new());
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((id, after)) = working.next(), if !working.is_empty() => {
                busy.remove(&id);
                kept.insert(id, after);
            }
            _ = looks.tick() => match webhooks.store.webhooks().await {
                Ok(found) => {
                    kept.retain(|id, _| found.iter().any(|webhook| webhook.id == *id));
                    for webhook in found.iter().filter(|webhook| webhook.enabled && busy.insert(webhook.id)) {
                        let before = kept.get(&webhook.id).copied().unwrap_or_default();
                        working.push(webhooks.work(webhook.id, before, &stop));
                    }
                }
                Err(error) => tracing::warn!(%error, "the webhooks could not be read; trying again"),
            },
        }
    }
    // What is under way is broken off.
    kept.extend(working.collect::<Vec<_>>().await);
    webhooks.release(kept).await;
}

impl Webhooks {
    /// The end of the log now, for a webhook that follows it from here on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_end(&self) -> Result<String, Error> {
        written(&self.store.log_end().await?)
    }

    /// Sends what is due to one webhook until nothing is, or until it is told to stop.
    async fn work(&self, id: WebhookId, mut kept: Kept, stop: &CancellationToken) -> (WebhookId, Kept) {
        if kept.failed_at.is_some_and(|at| at.elapsed() < self.settings.webhook_retry) {
            return (id, kept);
        }
        if let Some(Err(error)) = stop.run_until_cancelled(self.try_work(id, &mut kept)).await {
            tracing::warn!(webhook = %id, %error, "deliveries could not be read or recorded; trying again");
            kept.failed_at = Some(Instant::now());
        }
        (id, kept)
    }

    async fn try_work(&self, id: WebhookId, kept: &mut Kept) -> Result<(), Error> {
        loop {
            let webhook = self.store.webhooks_by_id(&[id]).await?.pop().filter(|webhook| webhook.enabled);
            let Some(webhook) = webhook else { return Ok(()) };
            let now = self.clock.now();
            let is_ours = kept.lease == Some(webhook.leased_until);
            if webhook.pauses(now, self.settings.webhook_retry_max)
                || !(is_ours || webhook.is_free(now, self.longest_lease()))
            {
                return Ok(());
            }
            // A log that cannot be followed for now holds up no event of an order.
            let stretch = self.next_stretch(&webhook, kept).await.unwrap_or_else(|error| {
                tracing::warn!(webhook = %id, %error, "the log could not be read for a webhook; trying again");
                None
            });
            if let Some(stretch) = stretch {
                let (Lease::Kept(held) | Lease::New(held)) = self.claim(&webhook, kept).await? else { return Ok(()) };
                self.writer.submit(&Actor::System, AdvanceWebhook { held, ..stretch }).await?;
                continue;
            }
            let most = if webhook.is_broken() { 1 } else { MAX_DUE };
            let longest = self.settings.webhook_retry_max;
            let due = self.store.due_deliveries(&webhook, now, longest, most).await?;
            if due.is_empty() {
                return Ok(());
            }
            match self.claim(&webhook, kept).await? {
                Lease::Kept(_) => self.deliver_all(&webhook, due, kept).await?,
                // What was due may have been sent meanwhile.
                Lease::New(_) => {}
                Lease::Others => return Ok(()),
            }
        }
    }

    /// Takes the lease of a webhook, or renews it when little of it is left.
    async fn claim(&self, webhook: &Webhook, kept: &mut Kept) -> Result<Lease, Error> {
        let is_ours = kept.lease == Some(webhook.leased_until);
        if is_ours && kept.failed_at.is_none() && webhook.leased_until > self.clock.now() + self.lease() / 2 {
            return Ok(Lease::Kept(webhook.leased_until));
        }
        let (lease, longest) = (self.lease(), self.longest_lease());
        let held = kept.lease.filter(|_| is_ours);
        let claim = ClaimWebhook { webhook: webhook.id, held, lease, longest };
        kept.lease = self.writer.submit(&Actor::System, claim).await?.map(|webhook| webhook.leased_until);
        kept.failed_at = None;
        Ok(match kept.lease {
            Some(until) if is_ours => Lease::Kept(until),
            Some(until) => Lease::New(until),
            None => Lease::Others,
        })
    }

    /// Sends these deliveries, some at a time, and keeps the lease meanwhile. Ends early when it is lost.
    async fn deliver_all(&self, webhook: &Webhook, due: Vec<Delivery>, kept: &mut Kept) -> Result<(), Error> {
        let delivered = stream::iter(due.into_iter().map(Ok))
            .try_for_each_concurrent(MAX_CONCURRENT, |delivery| self.deliver(webhook, delivery));
        let mut delivered = pin!(delivered);
        loop {
            tokio::select! {
                delivered = &mut delivered => return delivered,
                () = sleep(self.lease() / LEASE_RENEWALS) => {}
            }
            let (lease, longest) = (self.lease(), self.longest_lease());
            let claim = ClaimWebhook { webhook: webhook.id, held: kept.lease, lease, longest };
            let mut claim = pin!(self.writer.submit(&Actor::System, claim));
            // What was asked for is waited for: otherwise nobody would know the lease that it took.
            let (ended, claimed) = tokio::select! {
                claimed = &mut claim => (None, claimed),
                delivered = &mut delivered => (Some(delivered), claim.await),
            };
            let Some(renewed) = claimed? else { return Ok(()) };
            kept.lease = Some(renewed.leased_until);
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Sends one delivery once, and records what that came to.
    async fn deliver(&self, webhook: &Webhook, delivery: Delivery) -> Result<(), Error> {
        faults::reach(Point::WebhookSending, delivery.thing).await;
        let mut attempt = self.client.send(webhook, &delivery, self.clock.now()).await;
        if faults::breaks(Breach::SentOnce) {
            attempt.error = None;
        }
        faults::reach(Point::WebhookSent, delivery.thing).await;
        metrics::webhook_attempt(attempt.error.is_none());
        let error = attempt.error.clone();
        let record = RecordAttempt { delivery: delivery.id, attempt, policy: self.policy() };
        let (id, reason) = (webhook.id, error.as_deref().unwrap_or_default());
        match self.writer.submit(&Actor::System, record).await? {
            Recorded::Nothing | Recorded::Delivered => {}
            Recorded::Failed => {
                tracing::info!(webhook = %id, delivery = %delivery.id, reason, "a webhook did not accept a delivery");
            }
            Recorded::GivenUp => {
                metrics::webhook_given_up();
                tracing::error!(webhook = %id, delivery = %delivery.id, reason, "a delivery to a webhook is given up");
            }
            Recorded::SwitchedOff => {
                metrics::webhook_switched_off();
                tracing::error!(
                    webhook = %id,
                    reason,
                    "a webhook is switched off because it accepted nothing; enable it with updateWebhook"
                );
            }
        }
        Ok(())
    }

    /// What the log has for a webhook since it was looked at last, merged; `None` when that is nothing, or when it is not
    /// time.
    async fn next_stretch(&self, webhook: &Webhook, kept: &mut Kept) -> Result<Option<AdvanceWebhook>, Error> {
        let Some(from) = webhook.cursor.clone() else { return Ok(None) };
        let pause = MERGE_FOR.min(self.settings.webhook_retry);
        if webhook.is_broken() || kept.looked_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(None);
        }
        kept.looked_at = Some(Instant::now());
        let stuck = self.store.stuck_deliveries(webhook.id, MAX_STUCK).await?;
        if u64::try_from(stuck).is_ok_and(|stuck| stuck >= MAX_STUCK) {
            return Ok(None);
        }
        let nothing = AdvanceWebhook {
            webhook: webhook.id,
            held: webhook.leased_until,
            from,
            to: String::new(),
            events: Vec::new(),
            replaced: Vec::new(),
        };
        let place = serde_json::from_str::<LogPosition>(&nothing.from).ok();
        let place = match place {
            Some(place) if self.store.is_our_place(&place).await? => place,
            _ => {
                tracing::warn!(
                    webhook = %webhook.id,
                    "the log is another one than a webhook followed; it goes on from the log's end"
                );
                return Ok(Some(AdvanceWebhook { to: self.log_end().await?, ..nothing }));
            }
        };
        let (merged, to) = self.merge(place).await?;
        let products = merged.products();
        if products.is_empty() {
            return Ok(None);
        }
        let records = self.store.products(&products).await?;
        let unsent = self.store.unsent_deliveries(webhook.id, &products).await?;
        let (events, replaced) = merged.events(webhook, &records, &unsent);
        Ok(Some(AdvanceWebhook { to: written(&to)?, events, replaced, ..nothing }))
    }

    /// Reads the log from a place on, as far as that is sensible at once.
    async fn merge(&self, mut place: LogPosition) -> Result<(Merged, LogPosition), Error> {
        let mut merged = Merged::default();
        for _ in 0..MAX_PAGES {
            let page = self.store.log_after(&LogFilter::default(), &place, LOG_PAGE).await?;
            for (_, row) in page.rows {
                merged.add(row);
            }
            place = page.next;
            if page.is_end || merged.products().len() >= MANY_PRODUCTS {
                break;
            }
        }
        Ok((merged, place))
    }

    /// Gives leases back, so that another process need not wait for their end.
    async fn release(&self, kept: HashMap<WebhookId, Kept>) {
        let leases = kept.into_iter().filter_map(|(webhook, kept)| Some((webhook, kept.lease?)));
        let released = stream::iter(leases).for_each_concurrent(None, |(webhook, held)| async move {
            // One that is not given back ends by itself.
            let _ = self.writer.submit(&Actor::System, ReleaseWebhook { webhook, held }).await;
        });
        let _ = timeout(RELEASE_TIMEOUT, released).await;
    }
}

fn written(place: &LogPosition) -> Result<String, Error> {
    serde_json::to_string(place).map_err(|error| Error::Failure(error.into()))
}
