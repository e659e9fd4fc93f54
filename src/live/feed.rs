//! What other replicas changed, told to those who watch it here.
//!
//! It polls when it is notified, and twice a second in any case, on a connection of its own. It must never skip a
//! change: after a poll that failed, that took too long, or whose session was a new one, everything that is watched is
//! read. Where the database is found to hold other or older data, what was known is forgotten and subscribers are sent away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::database::error::Error;
use crate::database::{Change, Changed, FeedConnection, News, Notifier, Poll, Postgres};
use crate::faults::{self, Point};
use crate::read::{MAX_PAGE, Store};
use domain::id::ProductId;

use super::Hub;

/// Interval of polls without a notification.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// The pause between two polls: what comes within it is taken in by one.
const POLL_PAUSE: Duration = Duration::from_millis(2);

/// The pause after a poll that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The age of the feed above which a replica is not ready: what it tells its subscribers is late. One connection that
/// falls silent is given up and made anew well within it.
pub const MAX_FEED_AGE: Duration = Duration::from_secs(10);

/// The time since the feed last told everything that it had to tell. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FeedAge(Arc<Mutex<Option<Instant>>>);

impl FeedAge {
    /// The age; `None` where there is no feed, because one process has the database for itself.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let polled = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        polled.map(|polled| polled.elapsed())
    }

    fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// The feed of one replica.
#[derive(Debug)]
pub struct Feed {
    connection: FeedConnection,
    hub: Hub,
    clock: Clock,
    age: FeedAge,
}

impl Feed {
    /// Polls for the first time: whoever subscribes after this misses nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(postgres: Postgres, hub: Hub, clock: Clock, age: FeedAge) -> Result<Self, Error> {
        let mut feed = Self { connection: FeedConnection::new(postgres), hub, clock, age };
        feed.poll().await?;
        Ok(feed)
    }

    /// Follows until it is told to stop.
    pub async fn follow(mut self, notifier: Notifier, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = notifier.notified() => {}
                () = sleep(POLL_EVERY) => {}
                () = stop.cancelled() => return,
            }
            let pause = match self.poll().await {
                Ok(()) => POLL_PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "the feed between replicas could not be read; reconnecting");
                    self.connection.disconnect();
                    RETRY_PAUSE
                }
            };
            sleep(pause).await;
        }
    }

    async fn poll(&mut self) -> Result<(), Error> {
        let Poll { news, at, session } = self.connection.poll().await?;
        faults::reach(Point::FeedRead, Uuid::nil()).await;
        let store = Store::bounded(session);
        self.clock.follow(at);
        let is_same = match news {
            News::Changes(changes) => self.publish_changes(&store, &changes).await?,
            News::Untold => self.publish_all(&store).await?,
            News::DataReplaced => false,
        };
        if !is_same {
            self.reset_subscribers().await;
        }
        self.age.reset();
        Ok(())
    }

    /// Tells these changes. `false` when the data is older than what was told before.
    async fn publish_changes(&self, store: &Store, changes: &[Change]) -> Result<bool, Error> {
        let mut stocks = Vec::new();
        for change in changes {
            match change.what {
                Changed::Order(order) => self.hub.announce_order(order, change.version),
                Changed::Stock(product) if self.hub.wants_stock(product, change.version) => stocks.push(product),
                Changed::Stock(_) => {}
            }
        }
        if changes.iter().any(|change| matches!(change.what, Changed::Stock(_))) {
            self.hub.announce_log();
        }
        self.publish_stocks(store, &stocks).await
    }

    /// Tells everything that is watched. `false` when the data is older than what was told before.
    async fn publish_all(&self, store: &Store) -> Result<bool, Error> {
        let (stocks, orders) = self.hub.all_watched();
        if !stocks.is_empty() || !orders.is_empty() {
            tracing::info!(stocks = stocks.len(), orders = orders.len(), "the feed was interrupted: all is read anew");
        }
        for orders in orders.chunks(page()) {
            let mut told = self.hub.order_versions(orders);
            for (order, version) in store.order_versions(orders).await? {
                if told.remove(&order).is_some_and(|told| version < told) {
                    return Ok(false);
                }
                self.hub.announce_order(order, version);
            }
            if told.into_values().any(|version| version > 0) {
                return Ok(false);
            }
        }
        self.hub.announce_log();
        self.publish_stocks(store, &stocks).await
    }

    async fn publish_stocks(&self, store: &Store, products: &[ProductId]) -> Result<bool, Error> {
        for products in products.chunks(page()) {
            // What was told before the read was committed before it, so the read finds that or something newer.
            let mut told = self.hub.stock_versions(products);
            for stock in store.stocks(products).await? {
                if told.remove(&stock.product).is_some_and(|version| stock.version < version) {
                    return Ok(false);
                }
                self.hub.announce_stock(&stock);
            }
            if told.into_values().any(|version| version > 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Forgets what was known of other data, and has everybody subscribe anew.
    async fn reset_subscribers(&self) {
        tracing::error!(
            "the database holds other or older data than before (a failover, or a restore): subscribers are sent away to \
             read everything anew"
        );
        if let Err(error) = self.connection.forget_other_clusters().await {
            tracing::warn!(%error, "the numbers of transactions that came with a restore stay; run `onhand migrate`");
        }
        self.hub.data_replaced();
        self.hub.announce_log();
    }
}

/// How many records are read at once.
fn page() -> usize {
    usize::try_from(MAX_PAGE).unwrap_or(1)
}
