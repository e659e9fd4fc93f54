//! Limits the memory of answers, from when they are computed until they are sent: of each client, and in total.
//!
//! Small answers are not counted. When there is no memory left, the connection on which nothing was read for longest is
//! closed, so that slow readers shut nobody out; answers that are being computed or read stay.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::graphql::Stopped;
use crate::observability::metrics;
use domain::client::ClientKey;

use super::connections::Connection;

/// Limits on the memory of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerMemoryLimits {
    /// Maximum for all clients, in bytes.
    pub total: usize,
    /// Maximum for one client, in bytes.
    pub per_client: usize,
    /// How long a client has read nothing before others may have its memory.
    pub grace: Duration,
}

/// Counts the memory of answers. Clones count together.
#[derive(Debug, Clone)]
pub struct AnswerMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: AnswerMemoryLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    total: usize,
    clients: HashMap<ClientKey, usize>,
    next: u64,
    unsent: BTreeMap<u64, Unsent>,
}

/// An answer that is being sent.
#[derive(Debug)]
struct Unsent {
    client: Option<ClientKey>,
    bytes: usize,
    /// When some of it was last read.
    since: Instant,
    connection: Arc<Connection>,
}

impl Unsent {
    /// Returns how long nothing was read, of this answer or of others over the same connection.
    fn unread_for(&self) -> Duration {
        self.since.elapsed().min(self.connection.unread_for())
    }
}

impl AnswerMemory {
    /// Returns a count with these limits.
    #[must_use]
    pub fn new(limits: AnswerMemoryLimits) -> Self {
        Self(Arc::new(Inner { limits, table: Mutex::default() }))
    }

    /// Returns the number of bytes that are counted now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().total
    }

    /// Begins an answer over this connection. Without a client it counts towards the total only.
    pub fn begin(&self, client: Option<ClientKey>, connection: Arc<Connection>) -> AnswerReservation {
        AnswerReservation { memory: self.clone(), client, connection, bytes: Mutex::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds this lock can leave the table half changed.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, client: Option<&ClientKey>, bytes: usize) -> Result<(), Stopped> {
        let AnswerMemoryLimits { total, per_client, grace } = self.0.limits;
        let mut table = self.lock();
        if let Some(client) = client {
            while table.of(client) + bytes > per_client {
                if !table.close_slowest(grace, |unsent| unsent.client.as_ref() == Some(client)) {
                    return Err(Stopped::ClientIsFull);
                }
            }
        }
        while table.total + bytes > total {
            if !table.close_slowest(grace, |_| true) {
                return Err(Stopped::ServerIsFull);
            }
        }
        table.add(client, bytes);
        Ok(())
    }
}

impl Table {
    fn of(&self, client: &ClientKey) -> usize {
        self.clients.get(client).copied().unwrap_or_default()
    }

    fn add(&mut self, client: Option<&ClientKey>, bytes: usize) {
        self.total += bytes;
        if let Some(client) = client {
            *self.clients.entry(client.clone()).or_default() += bytes;
        }
    }

    fn release(&mut self, client: Option<&ClientKey>, bytes: usize) {
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

    /// Closes the connection on which nothing was read for longest, if that is at least `grace`, and releases its memory.
    fn close_slowest(&mut self, grace: Duration, matches: impl Fn(&Unsent) -> bool) -> bool {
        let slow = self.unsent.iter().filter(|(_, unsent)| matches(unsent) && unsent.unread_for() >= grace);
        let slowest = slow.max_by_key(|(_, unsent)| unsent.unread_for()).map(|(number, _)| *number);
        let Some(unsent) = slowest.and_then(|number| self.unsent.remove(&number)) else { return false };
        metrics::slow_reader();
        tracing::debug!(
            bytes = unsent.bytes,
            "ended a connection that does not read its answer: others need the memory"
        );
        unsent.connection.close();
        self.release(unsent.client.as_ref(), unsent.bytes);
        true
    }
}

/// The memory of an answer that is being computed. It is released when this is dropped.
#[derive(Debug)]
pub struct AnswerReservation {
    memory: AnswerMemory,
    client: Option<ClientKey>,
    connection: Arc<Connection>,
    bytes: Mutex<usize>,
}

impl AnswerReservation {
    fn bytes(&self) -> MutexGuard<'_, usize> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves this many bytes more.
    ///
    /// # Errors
    /// When there are not as many left.
    pub fn reserve(&self, more: usize) -> Result<(), Stopped> {
        let mut bytes = self.bytes();
        self.memory.reserve(self.client.as_ref(), more)?;
        *bytes += more;
        Ok(())
    }

    /// Reserves up to this many bytes in total.
    ///
    /// # Errors
    /// When there are not as many left.
    pub fn cover(&self, size: usize) -> Result<(), Stopped> {
        let more = size.saturating_sub(*self.bytes());
        if more == 0 { Ok(()) } else { self.reserve(more) }
    }

    /// Turns the reservation into the memory of an unsent answer of this size, and releases the rest. Returns `None` if
    /// nothing was reserved.
    pub fn send(&self, size: usize) -> Option<UnsentAnswer> {
        let taken = std::mem::take(&mut *self.bytes());
        if taken == 0 {
            return None;
        }
        let bytes = taken.min(size);
        let (client, connection, since) = (self.client.clone(), Arc::clone(&self.connection), Instant::now());
        let mut table = self.memory.lock();
        table.release(client.as_ref(), taken - bytes);
        table.next += 1;
        let number = table.next;
        table.unsent.insert(number, Unsent { client, bytes, since, connection });
        Some(UnsentAnswer { memory: self.memory.clone(), number })
    }
}

impl Drop for AnswerReservation {
    fn drop(&mut self) {
        let bytes = *self.bytes();
        if bytes > 0 {
            self.memory.lock().release(self.client.as_ref(), bytes);
        }
    }
}

/// The memory of an answer that is being sent. What is left of it is released when this is dropped.
#[derive(Debug)]
pub struct UnsentAnswer {
    memory: AnswerMemory,
    number: u64,
}

impl UnsentAnswer {
    /// Releases the memory of this many bytes that were sent.
    pub fn sent(&self, bytes: usize) {
        let mut table = self.memory.lock();
        let Some(unsent) = table.unsent.get_mut(&self.number) else { return };
        let bytes = bytes.min(unsent.bytes);
        unsent.bytes -= bytes;
        unsent.since = Instant::now();
        let client = unsent.client.clone();
        table.release(client.as_ref(), bytes);
    }
}

impl Drop for UnsentAnswer {
    fn drop(&mut self) {
        let mut table = self.memory.lock();
        if let Some(unsent) = table.unsent.remove(&self.number) {
            table.release(unsent.client.as_ref(), unsent.bytes);
        }
    }
}
