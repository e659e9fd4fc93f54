//! What other replicas changed, told to those who watch it here.
//!
//! It looks when the doorbell rings, and now and then in any case. It must never skip a change: a look that failed is
//! looked again from where the last good one ended, and after too long everything that is watched is read instead.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::id::ProductId;
use crate::error::Error;
use crate::store::{Bell, Changed, Look, MAX_PAGE, Store};

use super::Hub;

/// How often it looks when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The pause between two looks: what comes within it is taken in by one.
const LOOK_PAUSE: Duration = Duration::from_millis(2);

/// The pause after a look that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The feed of one replica.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    hub: Hub,
    clock: Clock,
    last: Look,
}

impl Feed {
    /// Looks for the first time: whoever subscribes after this misses nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(store: Store, hub: Hub, clock: Clock) -> Result<Self, Error> {
        let last = store.look().await?;
        Ok(Self { store, hub, clock, last })
    }

    /// Follows until it is told to stop.
    pub async fn follow(mut self, bell: Bell, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = bell.rung() => {}
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
            let pause = match self.look().await {
                Ok(()) => LOOK_PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "the feed between replicas could not be read; it is tried again");
                    RETRY_PAUSE
                }
            };
            sleep(pause).await;
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let (changes, now) = self.store.changes_since(&self.last).await?;
        self.clock.follow(now.at);
        let hub = &self.hub;
        let stocks = match changes {
            None => {
                let (stocks, orders) = hub.all_watched();
                tracing::warn!(
                    stocks = stocks.len(),
                    orders = orders.len(),
                    "the feed was interrupted: all is read anew"
                );
                for orders in orders.chunks(page()) {
                    for order in self.store.orders(orders).await? {
                        hub.announce_order(order.id, order.version);
                    }
                }
                hub.announce_log();
                stocks
            }
            Some(changes) => {
                let mut stocks = Vec::new();
                for change in &changes {
                    match change.what {
                        Changed::Order(order) => hub.announce_order(order, change.version),
                        Changed::Stock(product) if hub.wants_stock(product, change.version) => stocks.push(product),
                        Changed::Stock(_) => {}
                    }
                }
                if changes.iter().any(|change| matches!(change.what, Changed::Stock(_))) {
                    hub.announce_log();
                }
                stocks
            }
        };
        self.announce_stocks(&stocks).await?;
        self.last = now;
        Ok(())
    }

    async fn announce_stocks(&self, products: &[ProductId]) -> Result<(), Error> {
        for products in products.chunks(page()) {
            for stock in self.store.stocks(products).await? {
                self.hub.announce_stock(&stock);
            }
        }
        Ok(())
    }
}

/// How many records are read at once.
fn page() -> usize {
    usize::try_from(MAX_PAGE).unwrap_or(1)
}
