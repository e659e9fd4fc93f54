//! One slot per watched thing, holding its newest version. A slot is made for the first subscriber and dropped with the
//! last. Only the writer publishes, and the feed, which tells what other replicas' writers did.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::faults::{self, Breach};
use domain::id::{OrderId, ProductId};
use domain::order::OrderRecord;
use domain::stock::Stock;

use super::Coalesced;

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
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Topics>);

#[derive(Debug, Default)]
struct Topics {
    stocks: Slots<ProductId, Stock>,
    orders: Slots<OrderId, ()>,
    order_reads: Coalesced<OrderId, OrderRecord>,
    log: watch::Sender<()>,
    replaced: watch::Sender<()>,
}

impl Hub {
    /// Announces what a batch has committed.
    pub fn publish(&self, changes: &Changes<'_>) {
        for stock in &changes.stocks {
            self.announce_stock(stock);
        }
        for (order, version) in &changes.orders {
            self.0.orders.publish(*order, *version, &());
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
    }

    /// Announces that another replica changed an order.
    pub fn announce_order(&self, order: OrderId, version: i32) {
        self.0.orders.publish(order, version, &());
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

    /// Whether somebody watches this product and has not been told of this version or a newer one.
    #[must_use]
    pub fn wants_stock(&self, product: ProductId, version: i32) -> bool {
        self.0.stocks.wants(product, version)
    }

    /// The newest version that was told of each of these products; 0 before there is one.
    #[must_use]
    pub fn stock_versions(&self, products: &[ProductId]) -> HashMap<ProductId, i32> {
        self.0.stocks.versions(products)
    }

    /// The newest version that was told of each of these orders; 0 before there is one.
    #[must_use]
    pub fn order_versions(&self, orders: &[OrderId]) -> HashMap<OrderId, i32> {
        self.0.orders.versions(orders)
    }

    /// The products and the orders that somebody watches.
    #[must_use]
    pub fn all_watched(&self) -> (Vec<ProductId>, Vec<OrderId>) {
        (self.0.stocks.lock().keys().copied().collect(), self.0.orders.lock().keys().copied().collect())
    }

    /// Watches the stock of one product: every state that is published from now on, or a newer one.
    #[must_use]
    pub fn watch_stock(&self, product: ProductId) -> Topic<ProductId, Stock> {
        self.0.stocks.watch(product)
    }

    /// Watches an order: a version that is published from now on, or a newer one.
    #[must_use]
    pub fn watch_order(&self, order: OrderId) -> Topic<OrderId, ()> {
        self.0.orders.watch(order)
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
        self.0.stocks.lock().len() + self.0.orders.lock().len()
    }
}

type Slot<V> = watch::Sender<Option<(i32, V)>>;

#[derive(Debug)]
struct Slots<K, V>(Arc<Mutex<HashMap<K, Slot<V>>>>);

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for Slots<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Slots<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Slot<V>>> {
        // Nothing that holds this lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, V: Clone> Slots<K, V> {
    fn publish(&self, key: K, version: i32, value: &V) {
        if let Some(slot) = self.lock().get(&key) {
            slot.send_if_modified(|newest| {
                let is_newer = newest.as_ref().is_none_or(|(known, _)| version > *known);
                if is_newer {
                    *newest = Some((version, value.clone()));
                }
                is_newer
            });
        }
    }

    fn wants(&self, key: K, version: i32) -> bool {
        self.lock().get(&key).is_some_and(|slot| slot.borrow().as_ref().is_none_or(|(known, _)| version > *known))
    }

    fn versions(&self, keys: &[K]) -> HashMap<K, i32> {
        let slots = self.lock();
        let version = |key: &K| slots.get(key)?.borrow().as_ref().map(|(version, _)| *version);
        keys.iter().map(|key| (*key, version(key).unwrap_or_default())).collect()
    }

    /// Empties the slots. Nobody is woken.
    fn forget(&self) {
        for slot in self.lock().values() {
            slot.send_if_modified(|newest| {
                *newest = None;
                false
            });
        }
    }

    fn watch(&self, key: K) -> Topic<K, V> {
        let newest = self.lock().entry(key).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Topic { key, newest: Some(newest), slots: self.clone() }
    }
}

/// One subscriber's view of one watched thing. Dropping it ends the watch.
#[derive(Debug)]
pub struct Topic<K: Eq + Hash, V> {
    key: K,
    newest: Option<watch::Receiver<Option<(i32, V)>>>,
    slots: Slots<K, V>,
}

impl<K: Eq + Hash, V: Clone> Topic<K, V> {
    /// Waits for a newer version than the one returned last, and skips to the newest. `None` never comes while the
    /// topic lives; it ends the loop of a caller all the same.
    pub async fn next(&mut self) -> Option<(i32, V)> {
        let newest = self.newest.as_mut()?;
        loop {
            newest.changed().await.ok()?;
            // It may have been forgotten in between.
            if let Some(newest) = newest.borrow_and_update().clone() {
                return Some(newest);
            }
        }
    }
}

impl<K: Eq + Hash, V> Drop for Topic<K, V> {
    fn drop(&mut self) {
        let mut slots = self.slots.lock();
        self.newest = None;
        if slots.get(&self.key).is_some_and(|slot| slot.receiver_count() == 0) {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_and_never_an_older_one() {
        let slots = Slots::<u8, &str>::default();
        let mut topic = slots.watch(1);
        slots.publish(1, 2, &"two");
        slots.publish(1, 4, &"four");
        slots.publish(1, 3, &"three");
        slots.publish(2, 9, &"of another thing");
        assert_eq!(topic.next().await, Some((4, "four")));
        slots.publish(1, 4, &"four again");
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(20), topic.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }

    #[tokio::test]
    async fn what_was_forgotten_may_come_again_with_a_lower_version() {
        let slots = Slots::<u8, &str>::default();
        let mut topic = slots.watch(1);
        slots.publish(1, 4, &"four");
        assert_eq!(slots.versions(&[1, 2]), HashMap::from([(1, 4), (2, 0)]));
        slots.forget();
        slots.publish(1, 2, &"two");
        assert_eq!(topic.next().await, Some((2, "two")));
    }

    #[tokio::test]
    async fn a_slot_lives_as_long_as_somebody_watches() {
        let slots = Slots::<u8, ()>::default();
        let (first, second) = (slots.watch(1), slots.watch(1));
        assert_eq!(slots.lock().len(), 1);
        drop(first);
        assert_eq!(slots.lock().len(), 1);
        drop(second);
        assert_eq!(slots.lock().len(), 0);
    }

    /// Whoever watches while the last one leaves has a slot that is published to.
    #[test]
    fn a_topic_that_is_made_while_the_last_one_is_dropped_is_told() {
        const ROUNDS: u32 = 2_000;
        let slots = Slots::<u8, u32>::default();
        for round in 0..ROUNDS {
            let last = slots.watch(1);
            let both = std::sync::Barrier::new(2);
            let topic = std::thread::scope(|scope| {
                scope.spawn(|| {
                    both.wait();
                    drop(last);
                });
                both.wait();
                slots.watch(1)
            });
            slots.publish(1, 1, &round);
            let told = *topic.newest.as_ref().expect("it lives").borrow();
            assert_eq!(told, Some((1, round)), "round {round}");
            drop(topic);
            assert!(slots.lock().is_empty(), "round {round}");
        }
    }
}
