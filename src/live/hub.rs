//! One slot per watched thing, holding its newest version. A slot is made for the first subscriber and dropped with the
//! last. Only the writer publishes, and the feed, which tells what other replicas' writers did.
//!
//! Publishing wakes nobody: the announcer tells subscribers, group by group, and lets others go first in between. So neither
//! a commit nor a request waits behind thousands of subscribers; and while they are told of one state, newer ones are merged.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinError;

use crate::faults::{self, Breach};
use crate::supervision::joined;
use domain::id::{OrderId, ProductId};
use domain::order::OrderRecord;
use domain::stock::{PublicStock, Stock};

use super::Coalesced;
use super::inbox::{Group, Sees};
use super::slots::{Slots, Watch};

/// Of so many versions one is published where that promise is broken on purpose.
const PUBLISHED: i32 = 5;

/// What a batch has committed, as far as somebody may follow it.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// New states of stock records.
    pub stocks: Vec<&'a Stock>,
    /// Orders, and their new versions.
    pub orders: Vec<(OrderId, i32)>,
    /// Whether the log has new rows.
    pub has_log_rows: bool,
}

impl Changes<'_> {
    /// Returns whether other replicas have something to read. Carts and rejections are no news to them.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stocks.is_empty() && self.orders.is_empty()
    }
}

/// Where the writer publishes and subscribers listen. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Topics>);

#[derive(Debug, Default)]
struct Topics {
    /// Notifies the announcer of what was published.
    news: Arc<Notify>,
    stocks: Slots<ProductId, Stock>,
    orders: Slots<OrderId, ()>,
    stock_reads: Coalesced<ProductId, Stock>,
    order_reads: Coalesced<OrderId, OrderRecord>,
    log: watch::Sender<()>,
    replaced: watch::Sender<()>,
}

impl Drop for Topics {
    fn drop(&mut self) {
        // The announcer ends.
        self.news.notify_one();
    }
}

impl Hub {
    /// Returns a hub and its announcer, which runs until the hub is gone.
    pub fn new() -> (Self, impl Future<Output = Result<(), String>> + Send + use<>) {
        let topics = Arc::<Topics>::default();
        let announcer = announce(Arc::downgrade(&topics), Arc::clone(&topics.news));
        (Self(topics), announcer)
    }

    /// Announces what a batch has committed.
    pub fn publish(&self, changes: &Changes<'_>) {
        for stock in &changes.stocks {
            self.announce_stock(stock);
        }
        for (order, version) in &changes.orders {
            self.announce_order(*order, *version);
        }
        if changes.has_log_rows {
            self.0.log.send_replace(());
        }
    }

    /// Announces the stock of a product as another replica left it.
    pub fn announce_stock(&self, stock: &Stock) {
        if faults::breaks(Breach::LostLastValue) && stock.version % PUBLISHED != 0 {
            return;
        }
        self.0.stocks.publish(stock.product, stock.version, stock);
        self.0.news.notify_one();
    }

    /// Announces that an order changed.
    pub fn announce_order(&self, order: OrderId, version: i32) {
        self.0.orders.publish(order, version, &());
        self.0.news.notify_one();
    }

    /// Announces that another replica may have added to the log.
    pub fn announce_log(&self) {
        self.0.log.send_replace(());
    }

    /// Forgets every state, because the database holds other or older data than those came from. Who subscribed before is to
    /// be sent away, to subscribe anew.
    pub fn data_replaced(&self) {
        self.0.stocks.forget();
        self.0.orders.forget();
        self.0.replaced.send_replace(());
    }

    /// Wakes when the data was replaced.
    #[must_use]
    pub fn watch_data_replaced(&self) -> watch::Receiver<()> {
        self.0.replaced.subscribe()
    }

    /// Whether somebody watches this product and this version, or a newer one, was not published yet.
    #[must_use]
    pub fn wants_stock(&self, product: ProductId, version: i32) -> bool {
        self.0.stocks.wants(product, version)
    }

    /// The newest version that was published of each of these products; 0 before there is one.
    #[must_use]
    pub fn stock_versions(&self, products: &[ProductId]) -> HashMap<ProductId, i32> {
        self.0.stocks.versions(products)
    }

    /// The newest version that was published of each of these orders; 0 before there is one.
    #[must_use]
    pub fn order_versions(&self, orders: &[OrderId]) -> HashMap<OrderId, i32> {
        self.0.orders.versions(orders)
    }

    /// The products and the orders that somebody watches.
    #[must_use]
    pub fn all_watched(&self) -> (Vec<ProductId>, Vec<OrderId>) {
        (self.0.stocks.watched(), self.0.orders.watched())
    }

    /// Watches the stock of products: every state that is published from now on, or a newer one, as far as it changes what
    /// somebody sees of it.
    #[must_use]
    pub fn watch_stocks(&self, products: &[ProductId], sees: PublicStock) -> Watch<ProductId, Stock> {
        let version: Sees<Stock> = match sees {
            PublicStock::Exact => |(version, _)| *version,
            PublicStock::Capped(_) => |(_, stock)| stock.public_version,
        };
        self.0.stocks.watch(products, version)
    }

    /// Watches an order: a version that is published from now on, or a newer one.
    #[must_use]
    pub fn watch_order(&self, order: OrderId) -> Watch<OrderId, ()> {
        self.0.orders.watch(&[order], |(version, _)| *version)
    }

    /// Reads of stock for those who begin to watch it.
    #[must_use]
    pub fn stock_reads(&self) -> Coalesced<ProductId, Stock> {
        self.0.stock_reads.clone()
    }

    /// Reads of orders for those who watch them.
    #[must_use]
    pub fn order_reads(&self) -> Coalesced<OrderId, OrderRecord> {
        self.0.order_reads.clone()
    }

    /// Watches the log: wakes after rows were added.
    #[must_use]
    pub fn watch_log(&self) -> watch::Receiver<()> {
        self.0.log.subscribe()
    }

    /// How many things are watched by somebody.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.0.stocks.watched().len() + self.0.orders.watched().len()
    }
}

/// Tells subscribers what is published, until the hub is gone: several groups at a time, on half of the threads at most, so that
/// requests find one.
async fn announce(topics: Weak<Topics>, news: Arc<Notify>) -> Result<(), String> {
    let most = (Handle::current().metrics().num_workers() / 2).max(1);
    loop {
        news.notified().await;
        let Some(topics) = topics.upgrade() else { return Ok(()) };
        let mut telling = FuturesUnordered::new();
        loop {
            let (stocks, orders) = (topics.stocks.next_group(), topics.orders.next_group());
            if stocks.is_none() && orders.is_none() {
                break;
            }
            telling.push(joined(async move {
                stocks.into_iter().for_each(Group::tell);
                orders.into_iter().for_each(Group::tell);
            }));
            if telling.len() >= most {
                telling.next().await.map_or(Ok(()), told)?;
            }
        }
        while let Some(one) = telling.next().await {
            told(one)?;
        }
    }
}

fn told(one: Result<(), JoinError>) -> Result<(), String> {
    one.map_err(|_| "telling subscribers panicked".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_announcer_tells_of_what_is_published_and_ends_with_the_hub() {
        let (hub, announcer) = Hub::new();
        let announcer = crate::supervision::joined(announcer);
        let order = OrderId(uuid::Uuid::nil());
        let mut watch = hub.watch_order(order);
        hub.announce_order(order, 7);
        assert_eq!(watch.next().await, (order, (7, Arc::new(()))));
        drop((hub, watch));
        assert_eq!(announcer.await.expect("no panic"), Ok(()));
    }
}
