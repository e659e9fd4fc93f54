//! One slot per watched thing, holding its newest version. A slot is made for the first subscriber and dropped with the
//! last. Only the writer publishes, and the feed, which tells what other replicas' writers did.
//!
//! Publishing wakes nobody: the announcer does, one group of subscribers after the other, and lets others go first in
//! between. So neither a commit nor a request waits behind thousands of subscribers; and while they are told of one state,
//! newer ones are merged.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};
use tokio::task::yield_now;

use crate::faults::{self, Breach};
use domain::id::{OrderId, ProductId};
use domain::order::OrderRecord;
use domain::stock::Stock;

use super::Coalesced;

/// Of so many versions one is published where that promise is broken on purpose.
const PUBLISHED: i32 = 5;

/// Most subscribers that are woken at once: about as many tasks as the runtime runs before it looks for others.
const MAX_GROUP: usize = 64;

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
    /// Rings when something is to be told.
    bell: Arc<Notify>,
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
        self.bell.notify_one();
    }
}

impl Hub {
    /// Returns a hub and its announcer, which runs until the hub is gone.
    #[must_use]
    pub fn new() -> (Self, impl Future<Output = Result<(), String>> + Send + use<>) {
        let topics = Arc::<Topics>::default();
        let announcer = announce(Arc::downgrade(&topics), Arc::clone(&topics.bell));
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
        self.0.bell.notify_one();
    }

    /// Announces that another replica changed an order.
    pub fn announce_order(&self, order: OrderId, version: i32) {
        self.0.orders.publish(order, version, &());
        self.0.bell.notify_one();
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
        (self.0.stocks.watched(), self.0.orders.watched())
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
        self.0.stocks.lock().slots.len() + self.0.orders.lock().slots.len()
    }
}

/// Tells subscribers what is published, until the hub is gone.
async fn announce(topics: Weak<Topics>, bell: Arc<Notify>) -> Result<(), String> {
    loop {
        bell.notified().await;
        let Some(topics) = topics.upgrade() else { return Ok(()) };
        loop {
            let (stock, order) = (topics.stocks.next_untold(), topics.orders.next_untold());
            if (&stock, &order) == (&None, &None) {
                break;
            }
            if let Some(stock) = stock {
                tell(&topics.stocks, stock).await;
            }
            if let Some(order) = order {
                tell(&topics.orders, order).await;
            }
        }
    }
}

/// Tells everybody who watches a thing of its newest state.
async fn tell<K: Eq + Hash + Copy, V: Clone>(slots: &Slots<K, V>, key: K) {
    for group in 0.. {
        if !slots.tell(key, group) {
            return;
        }
        // Those who were woken go first, and whoever else waits for the thread.
        yield_now().await;
    }
}

/// The newest state of a watched thing, and who is to be told of it.
#[derive(Debug)]
struct Slot<V> {
    newest: Option<(i32, V)>,
    groups: Vec<Group<V>>,
    /// Whether the announcer has yet to tell of the newest state.
    is_untold: bool,
}

/// Up to [`MAX_GROUP`] subscribers, with the state that they were told last.
type Group<V> = watch::Sender<Option<(i32, V)>>;

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { newest: None, groups: Vec::new(), is_untold: false }
    }
}

impl<V> Slot<V> {
    fn is_watched(&self) -> bool {
        self.groups.iter().any(|group| group.receiver_count() > 0)
    }

    fn is_older_than(&self, version: i32) -> bool {
        self.newest.as_ref().is_none_or(|(known, _)| version > *known)
    }
}

#[derive(Debug)]
struct Slots<K, V>(Arc<Mutex<Table<K, V>>>);

#[derive(Debug)]
struct Table<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// Those that the announcer has yet to tell of, in turn.
    untold: VecDeque<K>,
}

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table { slots: HashMap::new(), untold: VecDeque::new() })))
    }
}

impl<K, V> Clone for Slots<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Slots<K, V> {
    fn lock(&self) -> MutexGuard<'_, Table<K, V>> {
        // Nothing that holds this lock can leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy, V: Clone> Slots<K, V> {
    /// Takes a state in, if it is newer, for the announcer to tell of.
    fn publish(&self, key: K, version: i32, value: &V) {
        let Table { slots, untold } = &mut *self.lock();
        let Some(slot) = slots.get_mut(&key).filter(|slot| slot.is_older_than(version)) else { return };
        slot.newest = Some((version, value.clone()));
        if !slot.is_untold {
            slot.is_untold = true;
            untold.push_back(key);
        }
    }

    /// The next thing that is to be told of. What is published from now on is told of after that.
    fn next_untold(&self) -> Option<K> {
        let Table { slots, untold } = &mut *self.lock();
        loop {
            let key = untold.pop_front()?;
            if let Some(slot) = slots.get_mut(&key) {
                slot.is_untold = false;
                return Some(key);
            }
        }
    }

    /// Wakes one group of subscribers with the newest state. Returns whether there may be another.
    fn tell(&self, key: K, group: usize) -> bool {
        let Table { slots, .. } = &*self.lock();
        let Some((slot, group)) = slots.get(&key).and_then(|slot| Some((slot, slot.groups.get(group)?))) else {
            return false;
        };
        let Some(newest) = &slot.newest else { return false };
        group.send_if_modified(|told| {
            let is_newer = told.as_ref().is_none_or(|(known, _)| newest.0 > *known);
            if is_newer {
                *told = Some(newest.clone());
            }
            is_newer
        });
        true
    }

    fn wants(&self, key: K, version: i32) -> bool {
        self.lock().slots.get(&key).is_some_and(|slot| slot.is_older_than(version))
    }

    fn versions(&self, keys: &[K]) -> HashMap<K, i32> {
        let table = self.lock();
        let version = |key: &K| table.slots.get(key)?.newest.as_ref().map(|(version, _)| *version);
        keys.iter().map(|key| (*key, version(key).unwrap_or_default())).collect()
    }

    fn watched(&self) -> Vec<K> {
        self.lock().slots.keys().copied().collect()
    }

    /// Empties the slots. Nobody is woken.
    fn forget(&self) {
        for slot in self.lock().slots.values_mut() {
            slot.newest = None;
            for group in &slot.groups {
                group.send_if_modified(|told| {
                    *told = None;
                    false
                });
            }
        }
    }

    fn watch(&self, key: K) -> Topic<K, V> {
        let mut table = self.lock();
        let groups = &mut table.slots.entry(key).or_default().groups;
        let newest = match groups.iter().find(|group| group.receiver_count() < MAX_GROUP) {
            Some(group) => group.subscribe(),
            None => {
                let (group, newest) = watch::channel(None);
                groups.push(group);
                newest
            }
        };
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
    /// Waits for a newer version than the one returned last, and skips to the newest that was told. `None` never comes
    /// while the topic lives; it ends the loop of a caller all the same.
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
        let mut table = self.slots.lock();
        self.newest = None;
        if table.slots.get(&self.key).is_some_and(|slot| !slot.is_watched()) {
            table.slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of everything that is untold, to all.
    fn tell_all(slots: &Slots<u8, &str>) {
        while let Some(key) = slots.next_untold() {
            let mut group = 0;
            while slots.tell(key, group) {
                group += 1;
            }
        }
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_and_never_an_older_one() {
        let slots = Slots::<u8, &str>::default();
        let mut topic = slots.watch(1);
        slots.publish(1, 2, &"two");
        slots.publish(1, 4, &"four");
        slots.publish(1, 3, &"three");
        slots.publish(2, 9, &"of another thing");
        tell_all(&slots);
        assert_eq!(topic.next().await, Some((4, "four")));
        slots.publish(1, 4, &"four again");
        tell_all(&slots);
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(20), topic.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }

    #[tokio::test]
    async fn what_was_forgotten_may_come_again_with_a_lower_version() {
        let slots = Slots::<u8, &str>::default();
        let mut topic = slots.watch(1);
        slots.publish(1, 4, &"four");
        assert_eq!(slots.versions(&[1, 2]), HashMap::from([(1, 4), (2, 0)]));
        tell_all(&slots);
        slots.forget();
        slots.publish(1, 2, &"two");
        tell_all(&slots);
        assert_eq!(topic.next().await, Some((2, "two")));
    }

    #[tokio::test]
    async fn a_slot_lives_as_long_as_somebody_watches() {
        let slots = Slots::<u8, ()>::default();
        let (first, second) = (slots.watch(1), slots.watch(1));
        assert_eq!(slots.watched(), [1]);
        drop(first);
        assert_eq!(slots.watched(), [1]);
        slots.publish(1, 2, &());
        drop(second);
        assert!(slots.watched().is_empty());
        assert_eq!(slots.next_untold(), None, "nobody is left to be told");
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
            assert!(slots.next_untold().is_some_and(|key| slots.tell(key, 0)));
            let told = *topic.newest.as_ref().expect("it lives").borrow();
            assert_eq!(told, Some((1, round)), "round {round}");
            drop(topic);
            assert!(slots.watched().is_empty(), "round {round}");
        }
    }

    /// More than one group: each is told, those who come while it goes on, too, and nobody twice.
    #[tokio::test]
    async fn a_crowd_is_told_in_groups() {
        let slots = Slots::<u8, &str>::default();
        let mut crowd: Vec<_> = (0..2 * MAX_GROUP + 1).map(|_| slots.watch(1)).collect();
        slots.publish(1, 2, &"two");
        assert_eq!(slots.next_untold(), Some(1));
        assert!(slots.tell(1, 0));
        assert_eq!(crowd[0].next().await, Some((2, "two")));
        slots.publish(1, 3, &"three");
        let late = slots.watch(1);
        assert!(slots.tell(1, 1) && slots.tell(1, 2) && !slots.tell(1, 3));
        assert_eq!(crowd[MAX_GROUP].next().await, Some((3, "three")), "the newest there is");
        tell_all(&slots);
        crowd.push(late);
        for (at, topic) in crowd.iter_mut().enumerate().filter(|(at, _)| *at != MAX_GROUP) {
            assert_eq!(topic.next().await, Some((3, "three")), "subscriber {at}");
        }
        assert!(!crowd[MAX_GROUP].newest.as_ref().expect("it lives").has_changed().expect("it lives"));
    }

    #[tokio::test]
    async fn the_announcer_tells_of_what_is_published_and_ends_with_the_hub() {
        let (hub, announcer) = Hub::new();
        let announcer = crate::supervision::joined(announcer);
        let mut topic = hub.watch_order(OrderId(uuid::Uuid::nil()));
        hub.announce_order(OrderId(uuid::Uuid::nil()), 7);
        assert_eq!(topic.next().await, Some((7, ())));
        drop((hub, topic));
        assert_eq!(announcer.await.expect("no panic"), Ok(()));
    }
}
