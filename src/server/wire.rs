//! How much the wire carries and how long it waits: who may open it from a browser, how many at once, how long for what,
//! and how much of it one person may have. It never looks at what is said over it.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::LimitSettings;

use super::answer_memory::{AnswerMemory, AnswerMemoryLimits};
use super::connections::{ConnectionBounds, ConnectionLimiter};
use super::rate::{Rate, Rates};
use super::seats::Seats;

pub use crate::config::{SizeLimits, Timeouts};

/// Time for which a connection is idle before it is closed in favour of others of its address.
const IDLE_GRACE: Duration = Duration::from_secs(5);

/// Time for which a client has read nothing of an answer before its connection may be closed in favour of others.
const READ_GRACE: Duration = Duration::from_secs(1);

/// What may come in over the wire.
#[derive(Debug, Clone)]
pub struct Wire {
    /// Origins other than our own host whose pages may use the API.
    pub origins: Vec<String>,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Vec<IpNet>,
    /// How long it waits for what.
    pub times: Timeouts,
    /// How large a thing may be.
    pub room: SizeLimits,
    /// TCP connections that are open.
    pub connections: ConnectionLimiter,
    /// Answers that are made and not sent yet.
    pub answer_memory: AnswerMemory,
    /// Requests that are being executed.
    pub requests: Places,
    /// Websockets and event streams that are open.
    pub sockets: Places,
    /// The same, of each person.
    pub seats: Seats,
    /// What each person may still ask for.
    pub rates: Rates,
}

impl Wire {
    /// A wire with these limits, for the pages of these origins.
    #[must_use]
    pub fn new(limits: &LimitSettings, origins: Vec<String>) -> Self {
        let LimitSettings { clients, staff, trusted_proxies, sizes, timeouts, .. } = limits;
        let bounds = ConnectionBounds {
            open: sizes.connections,
            idle_per_address: clients.connections_per_address,
            grace: IDLE_GRACE,
        };
        Self {
            origins,
            proxies: trusted_proxies.clone(),
            times: *timeouts,
            room: *sizes,
            connections: ConnectionLimiter::new(bounds, trusted_proxies.clone()),
            answer_memory: AnswerMemory::new(AnswerMemoryLimits {
                total: sizes.unsent,
                per_client: clients.unsent_per_client,
                grace: READ_GRACE,
            }),
            requests: Places::new(sizes.in_flight),
            sockets: Places::new(sizes.sockets),
            seats: Seats::new(clients.sockets_per_user, clients.sockets_per_address, staff.sockets_per_staff),
            rates: Rates::new(
                Rate::of_points(clients.rate, clients.rate_burst),
                staff.rate_staff.map(|rate| Rate::of_points(rate, rate.saturating_mul(2))),
            )
            .with_cart_rows(Rate::of_points(clients.cart_rows, clients.cart_rows)),
        }
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::new(&LimitSettings::default(), Vec::new())
    }
}

/// A bounded number of places, and who waits until all are free again.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    taken: TaskTracker,
}

/// A place that is taken. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    _token: TaskTrackerToken,
}

impl Places {
    /// So many places.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), taken: TaskTracker::new() }
    }

    /// Takes a place, if one is free.
    #[must_use]
    pub fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Place { _permit: permit, _token: self.taken.token() })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Waits until none is taken.
    pub async fn all_free(&self) {
        self.taken.close();
        self.taken.wait().await;
    }
}
