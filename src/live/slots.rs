//! What is watched of one kind: a slot per thing, with its newest state and those who are to be told of it, in groups.
//!
//! Nobody is woken while something is published; and nobody who watches is ever left without the newest state.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// Most subscribers that are woken at once: about as many tasks as the runtime runs before it looks for others.
const MAX_GROUP: usize = 64;

/// A state of a watched thing, and its version.
type State<V> = (i32, Arc<V>);

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

/// What one subscriber has not taken yet: the newest state of each thing that was told.
#[derive(Debug)]
struct Inbox<K, V>(Mutex<Mail<K, V>>);

#[derive(Debug)]
struct Mail<K, V> {
    states: VecDeque<(K, State<V>)>,
    reader: Option<Waker>,
}

impl<K: Eq, V> Inbox<K, V> {
    fn lock(&self) -> MutexGuard<'_, Mail<K, V>> {
        // Nothing that holds this lock can leave the mail half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a state in, in the place of an older one. Returns whom to wake.
    fn put(&self, key: K, state: State<V>) -> Option<Waker> {
        let mut mail = self.lock();
        match mail.states.iter_mut().find(|(of, _)| *of == key) {
            Some((_, older)) => *older = state,
            None => mail.states.push_back((key, state)),
        }
        mail.reader.take()
    }

    fn poll(&self, context: &Context<'_>) -> Poll<(K, State<V>)> {
        let mut mail = self.lock();
        if let Some(state) = mail.states.pop_front() {
            return Poll::Ready(state);
        }
        if !mail.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            mail.reader = Some(context.waker().clone());
        }
        Poll::Pending
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

    /// Wakes the next group of subscribers with the newest state of what it watches. Things take turns, so that a crowd
    /// around one of them delays no other. Returns whether there was something to tell.
    pub fn tell_next(&self) -> bool {
        let Some(woken) = self.put_next() else { return false };
        // Whoever publishes meanwhile does not wait for it.
        woken.into_iter().for_each(Waker::wake);
        true
    }

    fn put_next(&self) -> Option<Vec<Waker>> {
        let Table { slots, turns } = &mut *self.lock();
        let (key, group) = turns.pop_front()?;
        // Nobody may be left.
        let Some(slot) = slots.get_mut(&key) else { return Some(Vec::new()) };
        slot.is_again &= group > 0;
        let mut woken = Vec::new();
        if let Some(newest) = slot.newest.clone() {
            woken.reserve(MAX_GROUP);
            woken.extend(slot.untold(group).filter_map(|inbox| inbox.put(key, newest.clone())));
        }
        if group + 1 < slot.told.len() {
            turns.push_back((key, group + 1));
        } else if slot.is_again {
            turns.push_back((key, 0));
        } else {
            slot.is_in_turn = false;
        }
        Some(woken)
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
                inbox.lock().states.clear();
            }
        }
    }

    /// Watches things: every state that is published from now on, or a newer one.
    pub fn watch(&self, keys: &[K]) -> Watch<K, V> {
        let inbox = Arc::new(Inbox(Mutex::new(Mail { states: VecDeque::new(), reader: None })));
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
pub struct Watch<K: Eq + Hash, V> {
    inbox: Arc<Inbox<K, V>>,
    /// The things, and its place among those who watch each.
    places: Vec<(K, usize)>,
    slots: Slots<K, V>,
}

impl<K: Eq + Hash, V> Watch<K, V> {
    /// Waits for a newer state of any of the things than the one returned last, and skips to the newest that was told.
    pub async fn next(&mut self) -> (K, State<V>) {
        poll_fn(|context| self.inbox.poll(context)).await
    }

    /// Ends the watch of everything else.
    pub fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        let mut table = self.slots.lock();
        self.places.retain(|(key, place)| {
            let is_kept = is_kept(key);
            if !is_kept {
                table.leave(key, *place);
            }
            is_kept
        });
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

impl<K: Eq + Hash, V> Drop for Watch<K, V> {
    fn drop(&mut self) {
        let mut table = self.slots.lock();
        for (key, place) in &self.places {
            table.leave(key, *place);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// The next version of anything, and its state, if there is one now.
    fn next<V: Copy>(watch: &mut Watch<u8, V>) -> Option<(i32, V)> {
        watch.next().now_or_never().map(|(_, (version, value))| (version, *value))
    }

    /// Tells of everything that is untold, to all.
    fn tell_all(slots: &Slots<u8, &str>) {
        while slots.tell_next() {}
    }

    #[test]
    fn a_slow_reader_gets_the_newest_and_never_an_older_one() {
        let slots = Slots::<u8, &str>::default();
        let mut watch = slots.watch(&[1]);
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
        let mut watch = slots.watch(&[1, 2, 1, 4]);
        watch.retain(|key| *key != 4);
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
        let mut watch = slots.watch(&[1]);
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
        let (first, second) = (slots.watch(&[1]), slots.watch(&[1]));
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
    fn a_watch_that_is_made_while_the_last_one_is_dropped_is_told() {
        const ROUNDS: u32 = 2_000;
        let slots = Slots::<u8, u32>::default();
        for round in 0..ROUNDS {
            let last = slots.watch(&[1]);
            let both = std::sync::Barrier::new(2);
            let mut watch = std::thread::scope(|scope| {
                scope.spawn(|| {
                    both.wait();
                    drop(last);
                });
                both.wait();
                slots.watch(&[1])
            });
            slots.publish(1, 1, &round);
            assert!(slots.tell_next());
            assert_eq!(next(&mut watch), Some((1, round)), "round {round}");
            drop(watch);
            assert!(slots.watched().is_empty(), "round {round}");
        }
    }

    /// More than one group: each is told, those who come while it goes on, too, and nobody twice.
    #[test]
    fn a_crowd_is_told_in_groups() {
        let slots = Slots::<u8, &str>::default();
        let mut crowd: Vec<_> = (0..=2 * MAX_GROUP).map(|_| slots.watch(&[1])).collect();
        let mut quiet = slots.watch(&[2]);
        slots.publish(1, 2, &"two");
        assert!(slots.tell_next());
        assert_eq!(next(&mut crowd[0]), Some((2, "two")));
        slots.publish(2, 7, &"quiet");
        slots.publish(1, 3, &"three");
        let late = slots.watch(&[1]);
        assert!(slots.tell_next() && slots.tell_next());
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
        let mut crowd: Vec<_> = (0..3 * MAX_GROUP).map(|_| slots.watch(&[1])).collect();
        slots.publish(1, 1, &"one");
        tell_all(&slots);
        crowd.truncate(1);
        crowd.extend((0..MAX_GROUP).map(|_| slots.watch(&[1])));
        assert_eq!(next(&mut crowd[1]), None, "it came later");
        slots.publish(1, 2, &"two");
        tell_all(&slots);
        for watch in &mut crowd {
            assert_eq!(next(watch), Some((2, "two")));
        }
    }
}
