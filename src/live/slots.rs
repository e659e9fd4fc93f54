//! What is watched of one kind: a slot per thing, with its newest state and those who are to be told of it, in groups.
//!
//! Nobody is woken while something is published; and nobody who watches is ever left without the newest state. Who waits and
//! has a way to be told at once is not even woken.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::inbox::{Direct, Group, Inbox, Sees, State};

/// Most subscribers that are woken at once: about as many tasks as the runtime runs before it looks for others.
const MAX_GROUP: usize = 64;

/// The newest state of a watched thing, and who is to be told of it.
#[derive(Debug)]
struct Slot<K, V> {
    newest: Option<State<V>>,
    /// Those who watch. Each [`MAX_GROUP`] places are a group.
    watching: Slab<Arc<Inbox<K, V>>>,
    /// What each group was told last.
    told: Vec<Option<i32>>,
    /// Whether the announcer has begun, or is to begin, to tell of it.
    is_in_turn: bool,
    /// Whether there is a newer state than the one that the announcer began with.
    is_again: bool,
}

impl<K, V> Default for Slot<K, V> {
    fn default() -> Self {
        Self { newest: None, watching: Slab::new(), told: Vec::new(), is_in_turn: false, is_again: false }
    }
}

impl<K, V> Slot<K, V> {
    fn is_older_than(&self, version: i32) -> bool {
        self.newest.as_ref().is_none_or(|(known, _)| version > *known)
    }

    fn add(&mut self, inbox: Arc<Inbox<K, V>>) -> usize {
        let place = self.watching.insert(inbox);
        if self.told.len() <= place / MAX_GROUP {
            self.told.push(None);
        }
        place
    }

    /// Those of a group, unless they were told of the newest state.
    fn untold(&mut self, group: usize) -> impl Iterator<Item = &Arc<Inbox<K, V>>> {
        let newest = self.newest.as_ref().map(|(version, _)| *version);
        let is_newer = self.told.get(group).is_some_and(|told| *told < newest);
        if is_newer {
            self.told[group] = newest;
        }
        let places = group * MAX_GROUP..(group + 1) * MAX_GROUP;
        places.filter(move |_| is_newer).filter_map(|place| self.watching.get(place))
    }
}

/// The slots of one kind. Clones are the same.
#[derive(Debug)]
pub struct Slots<K, V>(Arc<Mutex<Table<K, V>>>);

#[derive(Debug)]
struct Table<K, V> {
    slots: HashMap<K, Slot<K, V>>,
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
        slot.newest = Some((version, Arc::new(value.clone())));
        if slot.is_in_turn {
            slot.is_again = true;
        } else {
            slot.is_in_turn = true;
            turns.push_back((key, 0));
        }
    }

    /// Returns the next group of subscribers, and the newest state of what it watches. Things take turns, so that a crowd
    /// around one of them delays no other. `None` when everybody was told. Whoever publishes does not wait while it is told.
    pub fn next_group(&self) -> Option<Group<K, V>> {
        let Table { slots, turns } = &mut *self.lock();
        loop {
            let (key, group) = turns.pop_front()?;
            // Nobody may be left.
            let Some(slot) = slots.get_mut(&key) else { continue };
            slot.is_again &= group > 0;
            let state = slot.newest.clone();
            let inboxes: Vec<_> = slot.untold(group).cloned().collect();
            if group + 1 < slot.told.len() {
                turns.push_back((key, group + 1));
            } else if slot.is_again {
                turns.push_back((key, 0));
            } else {
                slot.is_in_turn = false;
            }
            if let Some(state) = state.filter(|_| !inboxes.is_empty()) {
                return Some(Group { key, state, inboxes });
            }
        }
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
            slot.told.fill(None);
            for (_, inbox) in &slot.watching {
                inbox.forget();
            }
        }
    }

    /// Watches things: every state that is published from now on, or a newer one, as far as it changes what is seen of it.
    pub fn watch(&self, keys: &[K], sees: Sees<V>) -> Watch<K, V> {
        let inbox = Arc::new(Inbox::new(sees));
        let mut watch = Watch { inbox, places: Vec::with_capacity(keys.len()), slots: self.clone() };
        let mut table = self.lock();
        for key in keys {
            if watch.places.iter().all(|(watched, _)| watched != key) {
                let place = table.slots.entry(*key).or_default().add(Arc::clone(&watch.inbox));
                watch.places.push((*key, place));
            }
        }
        watch
    }
}

/// One subscriber's view of what it watches. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch<K: Eq + Hash + Copy, V> {
    inbox: Arc<Inbox<K, V>>,
    /// The things, and its place among those who watch each.
    places: Vec<(K, usize)>,
    slots: Slots<K, V>,
}

impl<K: Eq + Hash + Copy, V> Watch<K, V> {
    /// Waits for a newer state of any of the things than the subscriber has, and skips to the newest that was told.
    pub async fn next(&mut self) -> (K, State<V>) {
        poll_fn(|context| self.inbox.poll(context)).await
    }

    /// Begins with what the subscriber has of each thing, in versions as it sees them. Ends the watch of everything else.
    pub fn begin(&mut self, known: Vec<(K, i32)>) {
        let mut table = self.slots.lock();
        self.places.retain(|(key, place)| {
            let is_kept = known.iter().any(|(of, _)| of == key);
            if !is_kept {
                table.leave(key, *place);
            }
            is_kept
        });
        self.inbox.begin(known);
    }

    /// Has the subscriber told in this way from now on, while it waits.
    pub fn tell_by(&mut self, direct: Option<Direct<V>>) {
        self.inbox.tell_by(direct);
    }
}

impl<K: Eq + Hash, V> Table<K, V> {
    fn leave(&mut self, key: &K, place: usize) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.watching.try_remove(place);
        if slot.watching.is_empty() {
            self.slots.remove(key);
        }
    }
}

impl<K: Eq + Hash + Copy, V> Drop for Watch<K, V> {
    fn drop(&mut self) {
        let mut table = self.slots.lock();
        for (key, place) in &self.places {
            table.leave(key, *place);
        }
        drop(table);
        // Nothing is told once it is gone, whoever is about to.
        self.inbox.tell_by(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt;

    use super::*;

    /// The next version of anything, and its state, if there is one now.
    fn next<V: Copy>(watch: &mut Watch<u8, V>) -> Option<(i32, V)> {
        watch.next().now_or_never().map(|(_, (version, value))| (version, *value))
    }

    fn watch<V: Clone>(slots: &Slots<u8, V>, keys: &[u8]) -> Watch<u8, V> {
        slots.watch(keys, |(version, _)| *version)
    }

    /// Tells the next group, if there is one.
    fn tell_next<V: Clone>(slots: &Slots<u8, V>) -> bool {
        slots.next_group().map(Group::tell).is_some()
    }

    /// Tells of everything that is untold, to all.
    fn tell_all(slots: &Slots<u8, &str>) {
        while tell_next(slots) {}
    }

    #[test]
    fn a_slow_reader_gets_the_newest_and_never_an_older_one() {
        let slots = Slots::<u8, &str>::default();
        let mut watch = watch(&slots, &[1]);
        slots.publish(1, 2, &"two");
        slots.publish(1, 4, &"four");
        slots.publish(1, 3, &"three");
        slots.publish(2, 9, &"of another thing");
        tell_all(&slots);
        assert_eq!(next(&mut watch), Some((4, "four")));
        slots.publish(1, 4, &"four again");
        tell_all(&slots);
        assert_eq!(next(&mut watch), None);
        slots.publish(1, 5, &"five");
        tell_all(&slots);
        slots.publish(1, 6, &"six");
        tell_all(&slots);
        assert_eq!(next(&mut watch), Some((6, "six")));
        assert_eq!(next(&mut watch), None);
    }

    #[tokio::test]
    async fn many_things_are_watched_at_once_and_each_has_its_newest_state() {
        let slots = Slots::<u8, &str>::default();
        let mut watch = watch(&slots, &[1, 2, 1, 4]);
        watch.begin(vec![(1, 0), (2, 0)]);
        assert!(!slots.watched().contains(&4));
        let waiting = crate::supervision::joined(async move {
            let mut told = Vec::new();
            for _ in 0..2 {
                let (key, (version, value)) = watch.next().await;
                told.push((key, version, *value));
            }
            (told, watch)
        });
        tokio::task::yield_now().await;
        for (key, version) in [(2, 1), (1, 1), (2, 2), (3, 1)] {
            slots.publish(key, version, &"new");
        }
        tell_all(&slots);
        let (mut told, mut watch) = waiting.await.unwrap();
        told.sort_unstable();
        assert_eq!(told, [(1, 1, "new"), (2, 2, "new")]);
        assert_eq!(next(&mut watch), None, "each thing once, however often it was named");
    }

    #[test]
    fn what_was_forgotten_may_come_again_with_a_lower_version() {
        let slots = Slots::<u8, &str>::default();
        let mut watch = watch(&slots, &[1]);
        slots.publish(1, 4, &"four");
        assert_eq!(slots.versions(&[1, 2]), HashMap::from([(1, 4), (2, 0)]));
        tell_all(&slots);
        slots.forget();
        assert_eq!(next(&mut watch), None, "what was not taken is forgotten, too");
        slots.publish(1, 2, &"two");
        tell_all(&slots);
        assert_eq!(next(&mut watch), Some((2, "two")));
    }

    #[test]
    fn a_slot_lives_as_long_as_somebody_watches() {
        let slots = Slots::<u8, ()>::default();
        let (first, second) = (watch(&slots, &[1]), watch(&slots, &[1]));
        assert_eq!(slots.watched(), [1]);
        drop(first);
        assert_eq!(slots.watched(), [1]);
        slots.publish(1, 2, &());
        drop(second);
        assert!(slots.watched().is_empty());
        assert!(!tell_next(&slots), "nobody is left to be told");
    }

    /// Whoever watches while the last one leaves has a slot that is published to.
    #[test]
    fn a_watch_that_is_made_while_the_last_one_is_dropped_is_told() {
        const ROUNDS: u32 = 2_000;
        let slots = Slots::<u8, u32>::default();
        for round in 0..ROUNDS {
            let last = watch(&slots, &[1]);
            let both = std::sync::Barrier::new(2);
            let mut watch = std::thread::scope(|scope| {
                scope.spawn(|| {
                    both.wait();
                    drop(last);
                });
                both.wait();
                watch(&slots, &[1])
            });
            slots.publish(1, 1, &round);
            assert!(tell_next(&slots));
            assert_eq!(next(&mut watch), Some((1, round)), "round {round}");
            drop(watch);
            assert!(slots.watched().is_empty(), "round {round}");
        }
    }

    /// More than one group: each is told, those who come while it goes on, too, and nobody twice.
    #[test]
    fn a_crowd_is_told_in_groups() {
        let slots = Slots::<u8, &str>::default();
        let mut crowd: Vec<_> = (0..=2 * MAX_GROUP).map(|_| watch(&slots, &[1])).collect();
        let mut quiet = watch(&slots, &[2]);
        slots.publish(1, 2, &"two");
        assert!(tell_next(&slots));
        assert_eq!(next(&mut crowd[0]), Some((2, "two")));
        slots.publish(2, 7, &"quiet");
        slots.publish(1, 3, &"three");
        let late = watch(&slots, &[1]);
        assert!(tell_next(&slots) && tell_next(&slots));
        assert_eq!(next(&mut quiet), Some((7, "quiet")), "it does not wait for the crowd");
        assert_eq!(next(&mut crowd[MAX_GROUP]), Some((3, "three")), "the newest there is");
        tell_all(&slots);
        crowd.push(late);
        for (at, watch) in crowd.iter_mut().enumerate() {
            let expected = (at != MAX_GROUP).then_some((3, "three"));
            assert_eq!(next(watch), expected, "subscriber {at}");
        }
    }

    #[test]
    fn whoever_comes_after_others_left_takes_their_place() {
        let slots = Slots::<u8, &str>::default();
        let mut crowd: Vec<_> = (0..3 * MAX_GROUP).map(|_| watch(&slots, &[1])).collect();
        slots.publish(1, 1, &"one");
        tell_all(&slots);
        crowd.truncate(1);
        crowd.extend((0..MAX_GROUP).map(|_| watch(&slots, &[1])));
        assert_eq!(next(&mut crowd[1]), None, "it came later");
        slots.publish(1, 2, &"two");
        tell_all(&slots);
        for watch in &mut crowd {
            assert_eq!(next(watch), Some((2, "two")));
        }
    }

    /// Somebody who sees every second version only, and is told at once of what `is_open` lets through.
    fn direct(slots: &Slots<u8, &'static str>, is_open: &Arc<AtomicBool>) -> (Watch<u8, &'static str>, Told) {
        let mut watch = slots.watch(&[1], |(version, _)| version / 2);
        let (told, is_open) = (Told::default(), Arc::clone(is_open));
        let tells = Arc::clone(&told);
        watch.tell_by(Some(Direct::new(move |value: &&str| {
            let is_open = is_open.load(Ordering::SeqCst);
            if is_open {
                tells.lock().expect("no panic").push(*value);
            }
            is_open
        })));
        (watch, told)
    }

    type Told = Arc<Mutex<Vec<&'static str>>>;

    fn publish_and_tell(slots: &Slots<u8, &'static str>, version: i32, value: &'static str) {
        slots.publish(1, version, &value);
        tell_all(slots);
    }

    #[test]
    fn who_waits_is_told_at_once_and_in_order() {
        let (slots, is_open) = (Slots::default(), Arc::new(AtomicBool::new(true)));
        let (mut watch, told) = direct(&slots, &is_open);
        watch.begin(vec![(1, 1)]);
        publish_and_tell(&slots, 4, "nobody waits yet");
        assert_eq!(next(&mut watch), Some((4, "nobody waits yet")));
        publish_and_tell(&slots, 6, "it has not taken the one before for good");
        assert_eq!(next(&mut watch), Some((6, "it has not taken the one before for good")));
        assert_eq!(next(&mut watch), None, "it waits");
        publish_and_tell(&slots, 7, "what it does not see");
        publish_and_tell(&slots, 8, "eight");
        publish_and_tell(&slots, 10, "ten");
        assert_eq!(*told.lock().expect("no panic"), ["eight", "ten"]);
        assert_eq!(next(&mut watch), None, "it was told");
        is_open.store(false, Ordering::SeqCst);
        publish_and_tell(&slots, 12, "twelve");
        is_open.store(true, Ordering::SeqCst);
        publish_and_tell(&slots, 14, "fourteen");
        assert_eq!(next(&mut watch), Some((14, "fourteen")), "what is told at once never overtakes");
        assert_eq!(told.lock().expect("no panic").len(), 2);
    }

    #[test]
    fn nothing_is_told_once_the_watch_is_gone() {
        let (slots, is_open) = (Slots::default(), Arc::new(AtomicBool::new(true)));
        let (mut watch, told) = direct(&slots, &is_open);
        assert_eq!(next(&mut watch), None, "it waits");
        slots.publish(1, 2, &"two");
        let group = slots.next_group().expect("it is to be told");
        drop(watch);
        group.tell();
        assert_eq!(*told.lock().expect("no panic"), [""; 0]);
    }

    #[test]
    fn groups_that_are_told_in_another_order_tell_the_newest() {
        let slots = Slots::<u8, &str>::default();
        let mut watch = watch(&slots, &[1]);
        slots.publish(1, 2, &"two");
        let older = slots.next_group().expect("it is to be told");
        slots.publish(1, 3, &"three");
        let newer = slots.next_group().expect("it is to be told");
        newer.tell();
        older.tell();
        assert_eq!(next(&mut watch), Some((3, "three")));
        assert_eq!(next(&mut watch), None);
    }
}
