//! What is watched of one kind: a slot per thing, with its newest state and those who are to be told of it, in groups.
//!
//! Nobody is woken while something is published; and nobody who watches is ever left without the newest state.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Most subscribers that are woken at once: about as many tasks as the runtime runs before it looks for others.
const MAX_GROUP: usize = 64;

/// The newest state of a watched thing, and who is to be told of it.
#[derive(Debug)]
struct Slot<V> {
    newest: Option<(i32, V)>,
    groups: Vec<Group<V>>,
    /// Whether the announcer has begun, or is to begin, to tell of it.
    is_in_turn: bool,
    /// Whether there is a newer state than the one that the announcer began with.
    is_again: bool,
}

/// Up to [`MAX_GROUP`] subscribers, with the state that they were told last.
type Group<V> = watch::Sender<Option<(i32, V)>>;

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { newest: None, groups: Vec::new(), is_in_turn: false, is_again: false }
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

/// The slots of one kind. Clones are the same.
#[derive(Debug)]
pub struct Slots<K, V>(Arc<Mutex<Table<K, V>>>);

#[derive(Debug)]
struct Table<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// What the announcer has yet to tell of, in turn, and which group is next.
    turns: VecDeque<(K, usize)>,
}

impl<K, V> Default for Slots<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table { slots: HashMap::new(), turns: VecDeque::new() })))
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
    pub fn publish(&self, key: K, version: i32, value: &V) {
        let Table { slots, turns } = &mut *self.lock();
        let Some(slot) = slots.get_mut(&key).filter(|slot| slot.is_older_than(version)) else { return };
        slot.newest = Some((version, value.clone()));
        if slot.is_in_turn {
            slot.is_again = true;
        } else {
            slot.is_in_turn = true;
            turns.push_back((key, 0));
        }
    }

    /// Wakes the next group of subscribers with the newest state of what it watches. Things take turns, so that a crowd
    /// around one of them delays no other. Returns whether there was something to tell.
    pub fn tell_next(&self) -> bool {
        let Table { slots, turns } = &mut *self.lock();
        let Some((key, at)) = turns.pop_front() else { return false };
        // Nobody may be left.
        let Some(slot) = slots.get_mut(&key) else { return true };
        slot.is_again &= at > 0;
        if let (Some(group), Some(newest)) = (slot.groups.get(at), &slot.newest) {
            group.send_if_modified(|told| {
                let is_newer = told.as_ref().is_none_or(|(known, _)| newest.0 > *known);
                if is_newer {
                    *told = Some(newest.clone());
                }
                is_newer
            });
        }
        if at + 1 < slot.groups.len() {
            turns.push_back((key, at + 1));
        } else if slot.is_again {
            turns.push_back((key, 0));
        } else {
            slot.is_in_turn = false;
        }
        true
    }

    /// Whether somebody watches it and was not told of this version or a newer one.
    pub fn wants(&self, key: K, version: i32) -> bool {
        self.lock().slots.get(&key).is_some_and(|slot| slot.is_older_than(version))
    }

    /// The newest version of each; 0 before there is one.
    pub fn versions(&self, keys: &[K]) -> HashMap<K, i32> {
        let table = self.lock();
        let version = |key: &K| table.slots.get(key)?.newest.as_ref().map(|(version, _)| *version);
        keys.iter().map(|key| (*key, version(key).unwrap_or_default())).collect()
    }

    /// What somebody watches.
    pub fn watched(&self) -> Vec<K> {
        self.lock().slots.keys().copied().collect()
    }

    /// Empties the slots. Nobody is woken.
    pub fn forget(&self) {
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

    /// Watches a thing: every state that is published from now on, or a newer one.
    pub fn watch(&self, key: K) -> Topic<K, V> {
        let mut table = self.lock();
        let groups = &mut table.slots.entry(key).or_default().groups;
        let newest = if let Some(group) = groups.iter().find(|group| group.receiver_count() < MAX_GROUP) {
            group.subscribe()
        } else {
            let (group, newest) = watch::channel(None);
            groups.push(group);
            newest
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
        while slots.tell_next() {}
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
        assert!(slots.tell_next() && !slots.tell_next(), "nobody is left to be told");
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
            assert!(slots.tell_next());
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
        let mut crowd: Vec<_> = (0..=2 * MAX_GROUP).map(|_| slots.watch(1)).collect();
        let mut quiet = slots.watch(2);
        slots.publish(1, 2, &"two");
        assert!(slots.tell_next());
        assert_eq!(crowd[0].next().await, Some((2, "two")));
        slots.publish(2, 7, &"quiet");
        slots.publish(1, 3, &"three");
        let late = slots.watch(1);
        assert!(slots.tell_next() && slots.tell_next());
        assert_eq!(quiet.next().await, Some((7, "quiet")), "it does not wait for the crowd");
        assert_eq!(crowd[MAX_GROUP].next().await, Some((3, "three")), "the newest there is");
        tell_all(&slots);
        crowd.push(late);
        for (at, topic) in crowd.iter_mut().enumerate().filter(|(at, _)| *at != MAX_GROUP) {
            assert_eq!(topic.next().await, Some((3, "three")), "subscriber {at}");
        }
        assert!(!crowd[MAX_GROUP].newest.as_ref().expect("it lives").has_changed().expect("it lives"));
    }
}
