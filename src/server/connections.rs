//! The open TCP connections: how many there may be, and which of them give way when there are too many. Each is counted
//! from the moment that it was accepted until its file is closed, whatever is spoken over it.
//!
//! A connection is idle while no request is under way on it and no websocket has taken it over. Only idle ones give way,
//! the one that has been idle for longest first; and none of a trusted proxy, which could only guess what happened.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::Notify;

use crate::observability::metrics;

use super::person::{is_proxy, network};

/// The state of a connection that is not idle.
const BUSY: u64 = u64::MAX;

/// Which part of the bound that is exceeded gives way at once.
const PART: usize = 64;

/// Bounds on open TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// Maximum number of open connections.
    pub open: usize,
    /// Maximum number of idle connections from one address, unless they are younger than `grace`.
    pub idle_per_address: usize,
    /// How long a connection has to be idle before it gives way to others of its address: clients open some ahead.
    pub grace: Duration,
}

/// Counts open TCP connections. Clones count together.
#[derive(Debug, Clone)]
pub struct ConnectionLimiter(Arc<Limiter>);

#[derive(Debug)]
struct Limiter {
    bounds: ConnectionBounds,
    proxies: Vec<IpNet>,
    started: Instant,
    open: Mutex<Table>,
    /// Told of each connection that was closed.
    closed: Notify,
}

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// There is room as soon as those that give way have closed their files.
    Soon,
    /// Nobody gives way.
    Full,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// How many were told to end and are still open.
    ending: usize,
    connections: HashMap<u64, Arc<Connection>>,
    /// How many there are from each address that is no trusted proxy's.
    per_address: HashMap<IpAddr, usize>,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    /// `None` for a trusted proxy.
    address: Option<IpAddr>,
    started: Instant,
    /// Since when it is idle, in milliseconds after `started`, or [`BUSY`].
    idle_since: AtomicU64,
    /// It was told to give way, and is counted among those that end.
    gives_way: AtomicBool,
    is_ending: AtomicBool,
    ending: Notify,
    /// When its client took something last, in milliseconds after `started`.
    taken_at: AtomicU64,
}

impl Connection {
    /// Marks that its client took something of what is sent.
    pub fn take(&self) {
        self.taken_at.store(millis(self.started.elapsed()), Ordering::Relaxed);
    }

    /// Returns for how long its client has taken nothing.
    pub fn untaken_for(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.taken_at.load(Ordering::Relaxed)))
    }

    /// Marks that a request has come, or that another protocol takes over.
    pub fn start(&self) {
        self.idle_since.store(BUSY, Ordering::Release);
    }

    /// Marks that an answer is sent.
    pub fn finish(&self) {
        self.idle_since.store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Ends the connection without a word, whatever it is at.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Release);
        self.ending.notify_one();
    }

    /// Ends the connection for others. Returns whether it was not told so before.
    fn give_way(&self) -> bool {
        let is_first = !self.gives_way.swap(true, Ordering::AcqRel);
        self.end();
        is_first
    }

    /// Whether somebody ends the connection.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Waits until somebody ends the connection. One task waits at a time: the one that serves it.
    pub async fn ended(&self) {
        self.ending.notified().await;
    }

    fn idle(&self) -> Option<u64> {
        let since = self.idle_since.load(Ordering::Acquire);
        (since != BUSY && !self.is_ending()).then_some(since)
    }
}

/// An open connection is counted for as long as this lives.
#[derive(Debug)]
pub struct ConnectionPermit {
    limiter: ConnectionLimiter,
    number: u64,
    connection: Arc<Connection>,
}

impl ConnectionPermit {
    /// The state of the connection.
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limiter.lock().remove(self.number);
        self.limiter.0.closed.notify_one();
    }
}

impl ConnectionLimiter {
    /// A limiter with these bounds. Connections of these proxies are bounded in total only.
    #[must_use]
    pub fn new(bounds: ConnectionBounds, proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Limiter {
            bounds,
            proxies,
            started: Instant::now(),
            open: Mutex::default(),
            closed: Notify::new(),
        }))
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().connections.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds this lock can leave the table half changed.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a connection was closed. One task waits at a time: the one that accepts.
    pub async fn closed(&self) {
        self.0.closed.notified().await;
    }

    /// Counts a connection that was just accepted, and ends idle ones where there are too many.
    ///
    /// # Errors
    /// When there is no room.
    pub fn admit(&self, peer: SocketAddr) -> Result<ConnectionPermit, NoRoom> {
        let Limiter { bounds, proxies, started, .. } = &*self.0;
        let peer = peer.ip().to_canonical();
        let address = (!is_proxy(peer, proxies)).then(|| network(peer));
        let now = millis(started.elapsed());
        let mut table = self.lock();
        if let Some(address) = address
            && table.per_address.get(&address).is_some_and(|open| *open >= bounds.idle_per_address)
        {
            let before = now.saturating_sub(millis(bounds.grace));
            table.bound_idle(address, bounds.idle_per_address, before);
        }
        // Those that end are open until they have closed their files.
        if table.staying() >= bounds.open {
            table.make_room(bounds.open);
        }
        if table.staying() >= bounds.open {
            return Err(NoRoom::Full);
        }
        if table.connections.len() >= bounds.open + part(bounds.open) {
            return Err(NoRoom::Soon);
        }
        let idle_since = AtomicU64::new(now);
        let (gives_way, is_ending, ending) = (AtomicBool::new(false), AtomicBool::new(false), Notify::new());
        let taken_at = AtomicU64::new(0);
        let connection =
            Arc::new(Connection { address, started: *started, idle_since, gives_way, is_ending, ending, taken_at });
        let number = table.insert(Arc::clone(&connection));
        Ok(ConnectionPermit { limiter: self.clone(), number, connection })
    }
}

impl Table {
    fn insert(&mut self, connection: Arc<Connection>) -> u64 {
        if let Some(address) = connection.address {
            *self.per_address.entry(address).or_default() += 1;
        }
        self.next += 1;
        self.connections.insert(self.next, connection);
        metrics::connections(self.connections.len());
        self.next
    }

    fn remove(&mut self, number: u64) {
        let Some(removed) = self.connections.remove(&number) else { return };
        metrics::connections(self.connections.len());
        self.ending -= usize::from(removed.gives_way.load(Ordering::Acquire));
        if let Some(address) = removed.address
            && let Some(open) = self.per_address.get_mut(&address)
        {
            *open -= 1;
            if *open == 0 {
                self.per_address.remove(&address);
            }
        }
    }

    /// How many are open and not about to end.
    fn staying(&self) -> usize {
        self.connections.len().saturating_sub(self.ending)
    }

    /// The idle ones among some, each with when it became idle, the oldest first.
    fn idle(&self, which: impl Fn(&Connection) -> bool) -> Vec<(u64, u64)> {
        let idle = |(number, one): (&u64, &Arc<Connection>)| Some((one.idle().filter(|_| which(one))?, *number));
        let mut idle: Vec<_> = self.connections.iter().filter_map(idle).collect();
        idle.sort_unstable();
        idle
    }

    /// Ends the oldest idle connections of an address that has as many as it may, unless they are younger than this.
    fn bound_idle(&mut self, address: IpAddr, most: usize, before: u64) {
        let idle = self.idle(|one| one.address == Some(address));
        if let Some(surplus) = (idle.len() + part(most)).checked_sub(most).filter(|_| idle.len() >= most) {
            self.end(idle.into_iter().take(surplus).filter(|(since, _)| *since <= before));
        }
    }

    /// Ends the oldest idle connections of all, so that a few more have room.
    fn make_room(&mut self, most: usize) {
        let surplus = self.staying().saturating_sub(most) + part(most);
        let idle = self.idle(|one| one.address.is_some());
        self.end(idle.into_iter().take(surplus));
    }

    fn end(&mut self, idle: impl Iterator<Item = (u64, u64)>) {
        for (_, number) in idle {
            self.ending += usize::from(self.connections.get(&number).is_some_and(|connection| connection.give_way()));
        }
    }
}

/// How many give way at once, so that not each connection that comes has to look for one.
fn part(most: usize) -> usize {
    most.div_ceil(PART)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(BUSY - 1)
}
