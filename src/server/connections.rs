//! Limits the open TCP connections, and evicts idle ones when there are too many. A connection is counted from the moment
//! that it is accepted until its file descriptor is closed, whatever protocol it carries.
//!
//! A connection is idle while it carries neither a request nor a websocket. Only idle connections are evicted, the one that
//! has been idle for longest first; and none of a trusted proxy, which could not tell its client what happened.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::observability::metrics;
use crate::supervision::detached;
use domain::client::network;

use super::client_address::is_proxy;
use super::outlet::{Outlet, Sent};

/// The value of `idle_since` of a connection that is not idle.
const BUSY: u64 = u64::MAX;

/// One in so many connections is evicted when a limit is reached, so that not every new connection has to look for one.
const EVICTED_FRACTION: usize = 64;

/// Limits on open TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum number of open connections.
    pub open: usize,
    /// Maximum number of idle connections from one address, unless they are younger than `grace`.
    pub idle_per_address: usize,
    /// How long a connection has to be idle before it is evicted for others of its address: clients open some ahead.
    pub grace: Duration,
}

/// Counts the open TCP connections. Clones count together.
#[derive(Debug, Clone)]
pub struct ConnectionLimiter(Arc<Limiter>);

#[derive(Debug)]
struct Limiter {
    limits: ConnectionLimits,
    trusted_proxies: Vec<IpNet>,
    started: Instant,
    open: Mutex<Table>,
    /// Notified of each connection that was closed.
    closed: Notify,
}

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireError {
    /// The limit is reached until the evicted connections have closed their file descriptors.
    Evicting,
    /// The limit is reached, and no connection can be evicted.
    Full,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// Number of evicted connections that are still open.
    evicted: usize,
    connections: HashMap<u64, Arc<Connection>>,
    /// Number of connections from each address that is not a trusted proxy's.
    per_address: HashMap<IpAddr, usize>,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Connection {
    peer: SocketAddr,
    /// What its connections are counted by; `None` for a trusted proxy.
    address: Option<IpAddr>,
    started: Instant,
    /// When it became idle, in milliseconds after `started`, or [`BUSY`].
    idle_since: AtomicU64,
    /// When its client last read something, in milliseconds after `started`.
    read_at: AtomicU64,
    is_evicted: AtomicBool,
    is_closing: AtomicBool,
    closing: Notify,
    outlet: Outlet,
}

impl Connection {
    /// The state of a connection that has just become idle.
    fn new(peer: SocketAddr, address: Option<IpAddr>, started: Instant, now: u64) -> Self {
        Self {
            peer,
            address,
            started,
            idle_since: AtomicU64::new(now),
            read_at: AtomicU64::new(0),
            is_evicted: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            closing: Notify::new(),
            outlet: Outlet::default(),
        }
    }

    /// Returns its way out.
    pub const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Sends a message of two parts, if that is possible without waiting: its client reads, and nothing else is being
    /// written. Returns whether it is. What the client does not take of it at once it takes within `most`.
    pub fn send_at_once(self: &Arc<Self>, message: [&[u8]; 2], most: Duration) -> bool {
        match self.outlet.send_at_once(message) {
            Sent::Nothing => return false,
            Sent::All => {}
            Sent::Part => {
                let connection = Arc::clone(self);
                // One for a connection, and no longer than that.
                detached(async move {
                    if !matches!(timeout(most, connection.outlet.finish()).await, Ok(Ok(()))) {
                        connection.outlet.give_up();
                        connection.close();
                    }
                });
            }
        }
        self.mark_read();
        true
    }

    /// Returns the address of the peer: of the client or of a proxy.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Marks that its client read some of what is sent.
    pub fn mark_read(&self) {
        self.read_at.store(millis(self.started.elapsed()), Ordering::Relaxed);
    }

    /// Returns for how long its client has read nothing.
    pub fn unread_for(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.read_at.load(Ordering::Relaxed)))
    }

    /// Marks that a request was received, or that another protocol takes over.
    pub fn mark_busy(&self) {
        self.idle_since.store(BUSY, Ordering::Release);
    }

    /// Marks that the response was sent.
    pub fn mark_idle(&self) {
        self.idle_since.store(millis(self.started.elapsed()), Ordering::Release);
    }

    /// Closes the connection at once, whatever it carries.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    /// Closes the connection to make room for others. Returns whether it had not been evicted before.
    fn evict(&self) -> bool {
        let is_first = !self.is_evicted.swap(true, Ordering::AcqRel);
        self.close();
        is_first
    }

    /// Returns whether the connection is being closed.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Waits until the connection is to be closed.
    pub async fn closed(&self) {
        // Before it looks: whoever closes it in between notifies this.
        let closing = self.closing.notified();
        if !self.is_closing() {
            closing.await;
        }
    }

    fn idle_since(&self) -> Option<u64> {
        let since = self.idle_since.load(Ordering::Acquire);
        (since != BUSY && !self.is_closing()).then_some(since)
    }
}

/// A counted connection. It is counted until this is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    limiter: ConnectionLimiter,
    number: u64,
    connection: Arc<Connection>,
}

impl ConnectionPermit {
    /// Returns the state of the connection.
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
    /// Returns a limiter with these limits. Connections of trusted proxies count towards the total only.
    #[must_use]
    pub fn new(limits: ConnectionLimits, trusted_proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Limiter {
            limits,
            trusted_proxies,
            started: Instant::now(),
            open: Mutex::default(),
            closed: Notify::new(),
        }))
    }

    /// Returns the number of open connections.
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

    /// Counts a connection that was just accepted, and evicts idle ones if a limit is reached.
    ///
    /// # Errors
    /// When the maximum number of connections is open.
    pub fn acquire(&self, peer: SocketAddr) -> Result<ConnectionPermit, AcquireError> {
        let Limiter { limits, trusted_proxies, started, .. } = &*self.0;
        let ip = peer.ip().to_canonical();
        let address = (!is_proxy(ip, trusted_proxies)).then(|| network(ip));
        let now = millis(started.elapsed());
        let mut table = self.lock();
        if let Some(address) = address
            && table.per_address.get(&address).is_some_and(|open| *open >= limits.idle_per_address)
        {
            let before = now.saturating_sub(millis(limits.grace));
            table.evict_idle_of(address, limits.idle_per_address, before);
        }
        if table.remaining() >= limits.open {
            table.evict_idle(limits.open);
        }
        if table.remaining() >= limits.open {
            return Err(AcquireError::Full);
        }
        // Evicted connections hold their file descriptors until they are closed.
        if table.connections.len() >= limits.open + evicted_at_once(limits.open) {
            return Err(AcquireError::Evicting);
        }
        let connection = Arc::new(Connection::new(peer, address, *started, now));
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
        self.evicted -= usize::from(removed.is_evicted.load(Ordering::Acquire));
        if let Some(address) = removed.address
            && let Some(open) = self.per_address.get_mut(&address)
        {
            *open -= 1;
            if *open == 0 {
                self.per_address.remove(&address);
            }
        }
    }

    /// Returns the number of open connections that are not evicted.
    fn remaining(&self) -> usize {
        self.connections.len().saturating_sub(self.evicted)
    }

    /// Returns the idle connections that match, each with when it became idle, oldest first.
    fn idle(&self, matches: impl Fn(&Connection) -> bool) -> Vec<(u64, u64)> {
        let idle =
            |(number, one): (&u64, &Arc<Connection>)| Some((one.idle_since().filter(|_| matches(one))?, *number));
        let mut idle: Vec<_> = self.connections.iter().filter_map(idle).collect();
        idle.sort_unstable();
        idle
    }

    /// Evicts the oldest idle connections of an address beyond `most`, if they became idle no later than `before`.
    fn evict_idle_of(&mut self, address: IpAddr, most: usize, before: u64) {
        let idle = self.idle(|one| one.address == Some(address));
        if let Some(surplus) = (idle.len() + evicted_at_once(most)).checked_sub(most).filter(|_| idle.len() >= most) {
            self.evict(idle.into_iter().take(surplus).filter(|(since, _)| *since <= before));
        }
    }

    /// Evicts the oldest idle connections beyond `most`, and a few more.
    fn evict_idle(&mut self, most: usize) {
        let surplus = self.remaining().saturating_sub(most) + evicted_at_once(most);
        let idle = self.idle(|one| one.address.is_some());
        self.evict(idle.into_iter().take(surplus));
    }

    fn evict(&mut self, idle: impl Iterator<Item = (u64, u64)>) {
        for (_, number) in idle {
            self.evicted += usize::from(self.connections.get(&number).is_some_and(|connection| connection.evict()));
        }
    }
}

/// Returns how many connections beyond a limit are evicted at once.
fn evicted_at_once(limit: usize) -> usize {
    limit.div_ceil(EVICTED_FRACTION)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(BUSY - 1)
}
