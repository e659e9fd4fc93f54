//! The configuration of the transport: sizes, timeouts, and the limiters that all connections share. It knows nothing of
//! what is sent over them.

use std::time::Duration;

use ipnet::IpNet;

use crate::config::LimitSettings;

use super::answer_memory::{AnswerMemory, AnswerMemoryLimits};
use super::concurrency::ConcurrencyLimit;
use super::connections::{ConnectionLimiter, ConnectionLimits};
use super::rate::{Rate, RateLimits};
use super::socket_limiter::SocketLimiter;

pub use crate::config::{SizeLimits, Timeouts};

/// Time for which a connection is idle before it is closed in favour of others of its address.
const IDLE_GRACE: Duration = Duration::from_secs(5);

/// Time for which a client has read nothing of an answer before its connection may be closed in favour of others.
const READ_GRACE: Duration = Duration::from_secs(1);

/// Sizes, timeouts and limiters of the transport. Clones share the limiters.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Origins besides the server's own whose pages may use the API.
    pub origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Timeouts of connections, requests and sockets.
    pub timeouts: Timeouts,
    /// Maximum sizes of bodies, messages and answers.
    pub sizes: SizeLimits,
    /// Limits the open TCP connections.
    pub connections: ConnectionLimiter,
    /// Limits the memory of answers that are not sent yet.
    pub answer_memory: AnswerMemory,
    /// Limits the requests that are executed at the same time.
    pub requests: ConcurrencyLimit,
    /// Limits the open websockets and event streams.
    pub sockets: ConcurrencyLimit,
    /// Limits the open websockets and event streams of each client.
    pub client_sockets: SocketLimiter,
    /// Limits the rate of requests of each client.
    pub rates: RateLimits,
}

impl TransportConfig {
    /// Returns the configuration with these limits, open to the pages of these origins.
    #[must_use]
    pub fn new(limits: &LimitSettings, origins: Vec<String>) -> Self {
        let LimitSettings { clients, staff, trusted_proxies, sizes, timeouts, .. } = limits;
        let connections = ConnectionLimits {
            open: sizes.connections,
            idle_per_address: clients.connections_per_address,
            grace: IDLE_GRACE,
        };
        let answers =
            AnswerMemoryLimits { total: sizes.unsent, per_client: clients.unsent_per_client, grace: READ_GRACE };
        let shoppers = Rate::of_points(clients.rate, clients.rate_burst);
        let staff_rate = staff.rate_staff.map(|rate| Rate::of_points(rate, rate.saturating_mul(2)));
        let cart_rows = Rate::of_points(clients.cart_rows, clients.cart_rows);
        Self {
            origins,
            trusted_proxies: trusted_proxies.clone(),
            timeouts: *timeouts,
            sizes: *sizes,
            connections: ConnectionLimiter::new(connections, trusted_proxies.clone()),
            answer_memory: AnswerMemory::new(answers),
            requests: ConcurrencyLimit::new(sizes.in_flight),
            sockets: ConcurrencyLimit::new(sizes.sockets),
            client_sockets: SocketLimiter::new(
                clients.sockets_per_user,
                clients.sockets_per_address,
                staff.sockets_per_staff,
            ),
            rates: RateLimits::new(shoppers, staff_rate).with_cart_rows(cart_rows),
        }
    }
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self::new(&LimitSettings::default(), Vec::new())
    }
}
