//! Reads that many operations need at once: made once for all that wait for the same.
//!
//! A read is only shared with those who asked before it began, so that nobody is told anything older than what there was
//! when they asked. It starts at once when few are under way; what is asked for meanwhile is read together, after them.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::database::error::Error;
use crate::supervision::detached;

/// Maximum number of reads of one kind that are under way.
const MAX_RUNNING: usize = 2;

/// Maximum number of keys in one read.
const MAX_KEYS: usize = 1_000;

/// What was found, by key.
type Found<K, V> = Result<Arc<HashMap<K, V>>, Arc<Error>>;

/// Where it comes.
type Awaited<K, V> = watch::Receiver<Option<Found<K, V>>>;

/// Reads of one kind. Clones share them.
#[derive(Debug)]
pub struct Coalesced<K, V>(Arc<Mutex<State<K, V>>>);

#[derive(Debug)]
struct State<K, V> {
    /// What is read when a read that is under way has ended.
    waiting: Option<Batch<K, V>>,
    running: usize,
}

/// Keys that are read together.
#[derive(Debug)]
struct Batch<K, V> {
    keys: HashSet<K>,
    found: watch::Sender<Option<Found<K, V>>>,
}

impl<K, V> Clone for Coalesced<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Coalesced<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { waiting: None, running: 0 })))
    }
}

impl<K, V> Default for Batch<K, V> {
    fn default() -> Self {
        Self { keys: HashSet::new(), found: watch::Sender::new(None) }
    }
}

impl<K, V> Coalesced<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Reads these keys with whatever else is asked for. All that read one kind do so in the same way.
    ///
    /// # Errors
    /// Those of the read, for all that wait for it.
    pub async fn load<R, F>(&self, keys: impl IntoIterator<Item = K>, read: R) -> Found<K, V>
    where
        R: Fn(Vec<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<HashMap<K, V>, Error>> + Send + 'static,
    {
        let (mut found, begun) = self.join(keys);
        if let Some((batch, running)) = begun {
            // In a task of its own: it is not only for whoever comes first, and who may be gone soon.
            detached(running.follow(batch, read));
        }
        let found = found.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        found.unwrap_or_else(|| Err(Arc::new(Error::Unavailable)))
    }

    /// Adds keys to the next batch, and takes that if it may begin.
    fn join(&self, keys: impl IntoIterator<Item = K>) -> (Awaited<K, V>, Option<Begun<K, V>>) {
        let mut state = lock(&self.0);
        let batch = state.waiting.get_or_insert_default();
        batch.keys.extend(keys);
        let found = batch.found.subscribe();
        if state.running >= MAX_RUNNING {
            return (found, None);
        }
        state.running += 1;
        (found, state.waiting.take().map(|batch| (batch, Running { of: self.clone(), is_counted: true })))
    }
}

type Begun<K, V> = (Batch<K, V>, Running<K, V>);

/// A task that reads.
struct Running<K, V> {
    of: Coalesced<K, V>,
    is_counted: bool,
}

impl<K, V> Running<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// What was asked for meanwhile. When it is nothing this task is no longer counted: whoever asks next begins another.
    fn next(&mut self) -> Option<Batch<K, V>> {
        let mut state = lock(&self.of.0);
        let next = state.waiting.take();
        if next.is_none() {
            state.running -= 1;
            self.is_counted = false;
        }
        next
    }

    /// Reads a batch, and then whatever was asked for meanwhile.
    async fn follow<R, F>(mut self, mut batch: Batch<K, V>, read: R)
    where
        R: Fn(Vec<K>) -> F + Send + Sync,
        F: Future<Output = Result<HashMap<K, V>, Error>> + Send + 'static,
    {
        loop {
            let keys: Vec<K> = batch.keys.into_iter().collect();
            let found = read_all(&keys, &read).await;
            batch.found.send_replace(Some(found.map(Arc::new).map_err(Arc::new)));
            match self.next() {
                Some(next) => batch = next,
                None => return,
            }
        }
    }
}

impl<K, V> Drop for Running<K, V> {
    fn drop(&mut self) {
        // Only when a read panicked.
        if self.is_counted {
            let mut state = lock(&self.of.0);
            state.running -= 1;
            // Whoever waits for a batch that nobody would begin is told so, and asks again.
            state.waiting = None;
        }
    }
}

async fn read_all<K, V, F>(keys: &[K], read: impl Fn(Vec<K>) -> F) -> Result<HashMap<K, V>, Error>
where
    K: Copy + Eq + Hash,
    F: Future<Output = Result<HashMap<K, V>, Error>>,
{
    let mut all = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(MAX_KEYS) {
        all.extend(read(keys.to_vec()).await?);
    }
    Ok(all)
}

fn lock<K, V>(state: &Mutex<State<K, V>>) -> MutexGuard<'_, State<K, V>> {
    // Nothing that holds this lock can leave the state half changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// A table whose version can be raised, and whose reads wait until they may go on.
    #[derive(Clone)]
    struct Table {
        version: Arc<AtomicU32>,
        reads: Arc<AtomicU32>,
        gate: Arc<Semaphore>,
    }

    impl Table {
        fn new() -> Self {
            Self { version: Arc::default(), reads: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
        }

        /// Each key with the version at the beginning of the read.
        async fn read(self, keys: Vec<u32>) -> Result<HashMap<u32, u32>, Error> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let version = self.version.load(Ordering::SeqCst);
            self.gate.acquire().await.map_err(|_| Error::Unavailable)?.forget();
            Ok(keys.into_iter().map(|key| (key, version)).collect())
        }

        async fn load(&self, reads: &Coalesced<u32, u32>, key: u32) -> Result<u32, Arc<Error>> {
            let table = self.clone();
            let found = reads.load([key], move |keys| table.clone().read(keys)).await?;
            Ok(found[&key])
        }
    }

    #[tokio::test]
    async fn what_many_wait_for_is_read_once() {
        let (table, reads) = (Table::new(), Coalesced::default());
        let open = async {
            // All have asked by then: they come first.
            table.gate.add_permits(1_000);
        };
        let (found, ()) = tokio::join!(join_all((0..5_000).map(|at| table.load(&reads, at % 3))), open);
        assert!(found.iter().all(|found| matches!(found, Ok(0))));
        let count = table.reads.load(Ordering::SeqCst);
        assert!(count <= 4, "{count} reads");
        assert_eq!(lock(&reads.0).running, 0, "nothing is under way any more");
    }

    #[tokio::test]
    async fn nobody_is_told_anything_older_than_when_they_asked() {
        let (table, reads) = (Table::new(), Coalesced::default());
        let mut waiting = Vec::new();
        for version in 0..20 {
            table.version.store(version, Ordering::SeqCst);
            let (table, reads) = (table.clone(), reads.clone());
            waiting.push((version, detached(async move { table.load(&reads, 7).await })));
            tokio::task::yield_now().await;
        }
        table.gate.add_permits(1_000);
        for (asked, found) in waiting {
            let found = found.await.unwrap().unwrap();
            assert!(found >= asked, "asked at version {asked}, told {found}");
        }
        assert!(table.reads.load(Ordering::SeqCst) <= 4);
    }

    #[tokio::test]
    async fn a_read_that_fails_fails_for_all_and_the_next_one_is_made() {
        let (table, reads) = (Table::new(), Coalesced::default());
        table.gate.close();
        let found = join_all((0..10).map(|_| table.load(&reads, 1))).await;
        assert!(found.iter().all(|found| matches!(found, Err(error) if matches!(**error, Error::Unavailable))));
        let table = Table::new();
        table.gate.add_permits(1);
        assert!(table.load(&reads, 1).await.is_ok());
    }
}
