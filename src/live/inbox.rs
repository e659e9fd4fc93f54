//! What one subscriber has not taken yet of what it watches, and what it has. A state goes to whoever waits for it: at once
//! where there is a way for that, otherwise into the inbox, and its reader is woken.
//!
//! It never tells the same state twice, nor an older one after a newer one, in whatever order they come.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::observability::metrics;

/// A state of a watched thing, and its version.
pub type State<V> = (i32, Arc<V>);

/// The version of a state, as a subscriber sees it: what does not change for it has no newer one.
pub type Sees<V> = fn(&State<V>) -> i32;

/// A way to tell a subscriber of a state at once, which returns whether that was possible without waiting.
pub struct Direct<V>(Box<dyn FnMut(&V) -> bool + Send>);

impl<V> Direct<V> {
    /// Returns this way. It is used only while its subscriber waits and has everything that came before.
    pub fn new(tell: impl FnMut(&V) -> bool + Send + 'static) -> Self {
        Self(Box::new(tell))
    }
}

impl<V> std::fmt::Debug for Direct<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").finish_non_exhaustive()
    }
}

/// What one subscriber has not taken yet: the newest state of each thing that was told.
#[derive(Debug)]
pub struct Inbox<K, V>(Mutex<Mail<K, V>>);

#[derive(Debug)]
struct Mail<K, V> {
    states: VecDeque<(K, State<V>)>,
    /// The version of each thing that the subscriber has. Once it has begun with some things, no other is told.
    known: Vec<(K, i32)>,
    has_begun: bool,
    sees: Sees<V>,
    /// Whoever waits for more.
    reader: Option<Waker>,
    direct: Option<Direct<V>>,
}

impl<K: Eq + Copy, V> Mail<K, V> {
    fn is_news(&self, key: &K, state: &State<V>) -> bool {
        match self.known.iter().find(|(of, _)| of == key) {
            Some((_, version)) => (self.sees)(state) > *version,
            None => !self.has_begun,
        }
    }

    /// Notes that the subscriber has this state, and counts those that it skipped since what it has begun with.
    fn learn(&mut self, key: K, state: &State<V>) {
        let version = (self.sees)(state);
        match self.known.iter_mut().find(|(of, _)| *of == key) {
            Some((_, known)) => {
                if self.has_begun {
                    metrics::merged(u64::from(version.abs_diff(*known)).saturating_sub(1));
                }
                *known = version;
            }
            None => self.known.push((key, version)),
        }
    }

    /// Tells of a state at once, if its reader waits for it and has nothing else to take.
    fn tell(&mut self, key: K, state: &State<V>) -> bool {
        if !self.states.is_empty() || self.reader.is_none() {
            return false;
        }
        let Some(direct) = &mut self.direct else { return false };
        // A panic is its subscriber's alone, who is told in the other way from now on.
        match catch_unwind(AssertUnwindSafe(|| (direct.0)(&state.1))) {
            Ok(true) => self.learn(key, state),
            Ok(false) => return false,
            Err(_) => {
                self.direct = None;
                return false;
            }
        }
        true
    }
}

impl<K: Eq + Copy, V> Inbox<K, V> {
    /// An empty inbox of somebody who has nothing yet.
    pub const fn new(sees: Sees<V>) -> Self {
        let states = VecDeque::new();
        Self(Mutex::new(Mail { states, known: Vec::new(), has_begun: false, sees, reader: None, direct: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Mail<K, V>> {
        // Nothing that holds this lock can leave the mail half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a state, or puts it in, in the place of an older one. Returns whom to wake.
    fn put(&self, key: K, state: &State<V>) -> Option<Waker> {
        let mut mail = self.lock();
        if !mail.is_news(&key, state) || mail.tell(key, state) {
            return None;
        }
        match mail.states.iter_mut().find(|(of, _)| *of == key) {
            Some((_, waiting)) if waiting.0 < state.0 => *waiting = state.clone(),
            Some(_) => {}
            None => mail.states.push_back((key, state.clone())),
        }
        mail.reader.take()
    }

    /// Begins with what the subscriber has: nothing else is told.
    pub fn begin(&self, known: Vec<(K, i32)>) {
        let mut mail = self.lock();
        (mail.known, mail.has_begun) = (known, true);
    }

    /// Forgets what was not taken.
    pub fn forget(&self) {
        self.lock().states.clear();
    }

    /// Has its subscriber told in this way from now on, while it waits. Nothing is told in the way before when this returns.
    pub fn tell_by(&self, direct: Option<Direct<V>>) {
        let before = std::mem::replace(&mut self.lock().direct, direct);
        drop(before);
    }

    /// Takes the next state that is news.
    pub fn poll(&self, context: &Context<'_>) -> Poll<(K, State<V>)> {
        let mut mail = self.lock();
        while let Some((key, state)) = mail.states.pop_front() {
            if mail.is_news(&key, &state) {
                mail.learn(key, &state);
                return Poll::Ready((key, state));
            }
        }
        if !mail.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            mail.reader = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// A state, and some of those who are to be told of it.
#[derive(Debug)]
pub struct Group<K, V> {
    /// What it is a state of.
    pub key: K,
    /// The state.
    pub state: State<V>,
    /// Those who watch.
    pub inboxes: Vec<Arc<Inbox<K, V>>>,
}

impl<K: Eq + Copy, V> Group<K, V> {
    /// Tells them.
    pub fn tell(self) {
        let Self { key, state, inboxes } = self;
        inboxes.iter().filter_map(|inbox| inbox.put(key, &state)).for_each(Waker::wake);
    }
}
