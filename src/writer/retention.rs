//! What the server does by itself now and then: carts expire and are deleted, unpaid orders expire where that is wanted,
//! idempotency keys, deliveries to webhooks and what replicas told each other are forgotten, and the demand is merged. Each round goes on until nothing
//! is left that is over, a bounded statement at a time.
//!
//! One kind of rows that cannot be pruned, for want of a right, say, never keeps the others from it.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Prune, Writer, expiry};
use crate::clock::Clock;
use crate::database::error::Error;
use crate::database::postgres::CHANGE_LIFETIME;
use crate::read::Store;

/// The pause between two rounds.
const ROUND: Duration = Duration::from_secs(10);

/// The pause between two recounts of the demand: only a release that does not count leaves anything to be put right.
const RECOUNT: Duration = Duration::from_hours(1);

/// How long an idempotency key stands for its answer.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// How long an expired cart stays readable before it is deleted.
pub const EXPIRED_CART_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// How long a delivery to an outgoing webhook is kept: longer than it can be tried, see
/// [`WebhookSettings::check`](crate::config::WebhookSettings::check).
pub const DELIVERY_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// An open cart that nobody touches.
    pub open_cart: Duration,
    /// An unpaid order that does not change; `None` for ever.
    pub unpaid_order: Option<Duration>,
    /// The same cart after it has expired.
    pub expired_cart: Duration,
    /// An idempotency key.
    pub key: Duration,
    /// What replicas told each other.
    pub change: Duration,
    /// A delivery to an outgoing webhook.
    pub delivery: Duration,
}

impl Lifetimes {
    /// The usual ones, with carts that expire after this, and unpaid orders that never do.
    #[must_use]
    pub const fn with_carts(open_cart: Duration) -> Self {
        Self {
            open_cart,
            unpaid_order: None,
            expired_cart: EXPIRED_CART_LIFETIME,
            key: KEY_LIFETIME,
            change: CHANGE_LIFETIME,
            delivery: DELIVERY_LIFETIME,
        }
    }
}

/// Keeps up until it is told to stop.
pub async fn run_retention(
    (writer, store): (Writer, Store),
    clock: Clock,
    lifetimes: Lifetimes,
    stop: CancellationToken,
) {
    let mut recounted: Option<Instant> = None;
    while !stop.is_cancelled() {
        if recounted.is_none_or(|at| at.elapsed() >= RECOUNT) {
            if let Err(error) = writer.prune(Prune::RecountDemand).await {
                tracing::warn!(%error, "the demand could not be recounted; it is tried again in an hour");
            }
            recounted = Some(Instant::now());
        }
        // What could not be done is logged there, and tried again by the next round.
        let _ = round((&writer, &store), &clock, &lifetimes, &stop).await;
        tokio::select! {
            () = sleep(ROUND) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round: everything that is over, or as much of it as is done when it is told to stop.
///
/// # Errors
/// When something could not be done. Everything else was.
pub async fn round(
    by: (&Writer, &Store),
    clock: &Clock,
    lifetimes: &Lifetimes,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let now = clock.now();
    let untouched_since = now - lifetimes.open_cart;
    let mut ended = Ok(());
    keep_error(&mut ended, &"expire carts", expiry::carts(by, untouched_since, stop).await);
    if let Some(lifetime) = lifetimes.unpaid_order {
        keep_error(&mut ended, &"expire orders", expiry::orders(by, now - lifetime, stop).await);
    }
    for prune in [
        Prune::DeleteCarts { untouched_since: untouched_since - lifetimes.expired_cart },
        Prune::DeleteKeys { created_before: now - lifetimes.key },
        Prune::DeleteDeliveries { created_before: clock.now() - lifetimes.delivery },
        Prune::DeleteChanges { older_than: lifetimes.change },
        Prune::MergeDemand,
    ] {
        keep_error(&mut ended, &prune, exhaust(by.0, prune, stop).await);
    }
    ended
}

/// Logs what could not be done, and keeps its error.
fn keep_error(ended: &mut Result<(), Error>, what: &impl Debug, done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, ?what, "upkeep could not be done; the next round tries again");
        *ended = Err(error);
    }
}

/// Prunes until a statement finds less than it may take.
async fn exhaust(writer: &Writer, prune: Prune, stop: &CancellationToken) -> Result<(), Error> {
    let mut rows = 0;
    while !stop.is_cancelled() {
        let pruned = writer.prune(prune).await?;
        rows += pruned.rows;
        if !pruned.is_more {
            break;
        }
    }
    if rows > 0 {
        tracing::debug!(rows, ?prune, "pruned");
    }
    Ok(())
}
