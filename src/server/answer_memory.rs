//! Memory of answers, from when they are made until they are sent: how much of it one client may have, and all together.
//!
//! Small answers are not counted. When there is no memory left, the connection on which nothing was taken for longest is
//! ended, so that readers who do not read shut nobody out; what is being made, and what is being read, stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::graphql::Stopped;
use crate::observability::metrics;

use super::connections::Connection;
use super::person::Person;

/// Bounds on the memory of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerMemoryLimits {
    /// Maximum for all clients, in bytes.
    pub total: usize,
    /// Maximum for one client, in bytes.
    pub per_client: usize,
    /// How long a reader has taken nothing before others may have its memory.
    pub grace: Duration,
}

/// Counts the memory of answers. Clones count together.
#[derive(Debug, Clone)]
pub struct AnswerMemory(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    bounds: AnswerMemoryLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    total: usize,
    clients: HashMap<Person, usize>,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

/// An answer that is being sent.
#[derive(Debug)]
struct Waiting {
    client: Option<Person>,
    bytes: usize,
    /// When some of it was taken last.
    since: Instant,
    connection: Arc<Connection>,
}

impl Waiting {
    /// For how long nothing was taken, of this answer or of others that go out over the same connection.
    fn untaken_for(&self) -> Duration {
        self.since.elapsed().min(self.connection.untaken_for())
    }
}

impl AnswerMemory {
    /// A count with these bounds.
    #[must_use]
    pub fn new(bounds: AnswerMemoryLimits) -> Self {
        Self(Arc::new(Counted { bounds, table: Mutex::default() }))
    }

    /// How many bytes are counted now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().total
    }

    /// Begins an answer that goes out over this connection. Without a client it is bounded with all others only.
    pub fn begin(&self, client: Option<Person>, connection: Arc<Connection>) -> AnswerReservation {
        AnswerReservation { memory: self.clone(), client, connection, bytes: Mutex::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds this lock can leave the table half changed.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, client: Option<&Person>, bytes: usize) -> Result<(), Stopped> {
        let AnswerMemoryLimits { total, per_client, grace } = self.0.bounds;
        let mut table = self.lock();
        if let Some(client) = client {
            while table.of(client) + bytes > per_client {
                if !table.end_slowest(grace, |waiting| waiting.client.as_ref() == Some(client)) {
                    return Err(Stopped::ClientIsFull);
                }
            }
        }
        while table.total + bytes > total {
            if !table.end_slowest(grace, |_| true) {
                return Err(Stopped::ServerIsFull);
            }
        }
        table.add(client, bytes);
        Ok(())
    }
}

impl Table {
    fn of(&self, client: &Person) -> usize {
        self.clients.get(client).copied().unwrap_or_default()
    }

    fn add(&mut self, client: Option<&Person>, bytes: usize) {
        self.total += bytes;
        if let Some(client) = client {
            *self.clients.entry(client.clone()).or_default() += bytes;
        }
    }

    fn give_back(&mut self, client: Option<&Person>, bytes: usize) {
        self.total = self.total.saturating_sub(bytes);
        if let Some(client) = client
            && let Some(taken) = self.clients.get_mut(client)
        {
            *taken = taken.saturating_sub(bytes);
            if *taken == 0 {
                self.clients.remove(client);
            }
        }
    }

    /// Ends the connection that has taken nothing for longest, if that is long enough, and gives its memory back.
    fn end_slowest(&mut self, grace: Duration, which: impl Fn(&Waiting) -> bool) -> bool {
        let slow = self.waiting.iter().filter(|(_, waiting)| which(waiting) && waiting.untaken_for() >= grace);
        let slowest = slow.max_by_key(|(_, waiting)| waiting.untaken_for()).map(|(number, _)| *number);
        let Some(waiting) = slowest.and_then(|number| self.waiting.remove(&number)) else { return false };
        metrics::slow_reader();
        tracing::debug!(
            bytes = waiting.bytes,
            "ended a connection that does not read its answer: others need the memory"
        );
        waiting.connection.end();
        self.give_back(waiting.client.as_ref(), waiting.bytes);
        true
    }
}

/// The memory of an answer that is being made. It is given back when this is dropped.
#[derive(Debug)]
pub struct AnswerReservation {
    memory: AnswerMemory,
    client: Option<Person>,
    connection: Arc<Connection>,
    bytes: Mutex<usize>,
}

impl AnswerReservation {
    fn bytes(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// When there are not as many left.
    pub fn reserve(&self, more: usize) -> Result<(), Stopped> {
        let mut bytes = self.bytes();
        self.memory.reserve(self.client.as_ref(), more)?;
        *bytes += more;
        Ok(())
    }

    /// Sees to it that there is memory for so many bytes.
    ///
    /// # Errors
    /// When there is not.
    pub fn cover(&self, size: usize) -> Result<(), Stopped> {
        let more = size.saturating_sub(*self.bytes());
        if more == 0 { Ok(()) } else { self.reserve(more) }
    }

    /// Hands the memory over to the answer as it is sent, at most as much as that is large, and gives back the rest. `None`
    /// when none was needed.
    pub fn send(&self, size: usize) -> Option<UnsentAnswer> {
        let taken = std::mem::take(&mut *self.bytes());
        if taken == 0 {
            return None;
        }
        let bytes = taken.min(size);
        let (client, connection, since) = (self.client.clone(), Arc::clone(&self.connection), Instant::now());
        let mut table = self.memory.lock();
        table.give_back(client.as_ref(), taken - bytes);
        table.next += 1;
        let number = table.next;
        table.waiting.insert(number, Waiting { client, bytes, since, connection });
        Some(UnsentAnswer { memory: self.memory.clone(), number })
    }
}

impl Drop for AnswerReservation {
    fn drop(&mut self) {
        let bytes = *self.bytes();
        if bytes > 0 {
            self.memory.lock().give_back(self.client.as_ref(), bytes);
        }
    }
}

/// The memory of an answer that is being sent. What is left of it is given back when this is dropped.
#[derive(Debug)]
pub struct UnsentAnswer {
    memory: AnswerMemory,
    number: u64,
}

impl UnsentAnswer {
    /// So many bytes were taken.
    pub fn sent(&self, bytes: usize) {
        let mut table = self.memory.lock();
        let Some(waiting) = table.waiting.get_mut(&self.number) else { return };
        let bytes = bytes.min(waiting.bytes);
        waiting.bytes -= bytes;
        waiting.since = Instant::now();
        let client = waiting.client.clone();
        table.give_back(client.as_ref(), bytes);
    }
}

impl Drop for UnsentAnswer {
    fn drop(&mut self) {
        let mut table = self.memory.lock();
        if let Some(waiting) = table.waiting.remove(&self.number) {
            table.give_back(waiting.client.as_ref(), waiting.bytes);
        }
    }
}
