//! What the server does by itself now and then: carts expire and are deleted, idempotency keys are forgotten, and so are
//! deliveries to webhooks and what replicas told each other. Each round goes on until nothing is left that is over, a bounded statement at a time.
//!
//! One kind of rows that cannot be pruned, for want of a right, say, never keeps the others from it.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Prune, Writer};
use crate::clock::Clock;
use crate::database::error::Error;
use crate::database::postgres::CHANGE_LIFETIME;

/// The pause between two rounds.
const ROUND: Duration = Duration::from_secs(10);

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
    /// The usual ones, with carts that expire after this.
    #[must_use]
    pub const fn with_carts(open_cart: Duration) -> Self {
        Self {
            open_cart,
            expired_cart: EXPIRED_CART_LIFETIME,
            key: KEY_LIFETIME,
            change: CHANGE_LIFETIME,
            delivery: DELIVERY_LIFETIME,
        }
    }
}

/// Keeps up until it is told to stop. `cart_lifetime` is how long an untouched cart stays open.
pub async fn run_retention(writer: Writer, clock: Clock, cart_lifetime: Duration, stop: CancellationToken) {
    let lifetimes = Lifetimes::with_carts(cart_lifetime);
    while !stop.is_cancelled() {
        // What could not be done is logged there, and tried again by the next round.
        let _ = round(&writer, &clock, &lifetimes, &stop).await;
        tokio::select! {
            () = sleep(ROUND) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round: everything that is over, or as much of it as is done when it is told to stop.
///
/// # Errors
/// When something could not be pruned. Everything else was.
pub async fn round(
    writer: &Writer,
    clock: &Clock,
    lifetimes: &Lifetimes,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let untouched_since = clock.now() - lifetimes.open_cart;
    let mut ended = Ok(());
    for prune in [
        Prune::ExpireCarts { untouched_since },
        Prune::DeleteCarts { untouched_since: untouched_since - lifetimes.expired_cart },
        Prune::DeleteKeys { created_before: clock.now() - lifetimes.key },
        Prune::DeleteDeliveries { created_before: clock.now() - lifetimes.delivery },
        Prune::DeleteChanges { older_than: lifetimes.change },
    ] {
        if let Err(error) = exhaust(writer, prune, stop).await {
            tracing::warn!(%error, ?prune, "upkeep could not be done; the next round tries again");
            ended = Err(error);
        }
    }
    ended
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
