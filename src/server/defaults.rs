//! The limits of the wire unless set otherwise, each with a name: how much comes in, how much at once, how long for what,
//! and how much of it is one person's. Nothing is counted or waited for here.

use std::time::Duration;

use crate::config::{Room, Shares, Times};

/// Largest body of a request, in bytes.
pub const MAX_BODY: usize = 256 * 1_024;
/// Largest message of a client over a websocket, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1_024;
/// Most operations that run on one websocket.
pub const MAX_SOCKET_OPERATIONS: usize = 50;
/// Maximum number of TCP connections that are open at the same time, unless the process may open fewer files.
pub const MAX_CONNECTIONS: usize = 16_000;
/// Maximum number of idle TCP connections from one address that is not a trusted proxy's.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// How long a connection is idle before it gives way to others of its address.
pub const IDLE_GRACE: Duration = Duration::from_secs(5);
/// Maximum size of an answer, in bytes.
pub const MAX_ANSWER: usize = 4 * 1_024 * 1_024;
/// Maximum size of all answers that are made and not sent yet, in bytes.
pub const MAX_UNSENT: usize = 256 * 1_024 * 1_024;
/// The same of one client, in bytes.
pub const MAX_UNSENT_PER_CLIENT: usize = 32 * 1_024 * 1_024;
/// How long a client has read nothing of an answer before its connection may be ended for others.
pub const READ_GRACE: Duration = Duration::from_secs(1);
/// Most requests that are executed at the same time.
pub const MAX_IN_FLIGHT: usize = 512;
/// Most websockets and event streams that are open at the same time.
pub const MAX_SOCKETS: usize = 12_000;

/// How long the head of a request may take, from its first byte on.
const HEAD_WAIT: Duration = Duration::from_secs(2);
/// How long a connection is kept open for its next request.
const IDLE_WAIT: Duration = Duration::from_secs(75);
/// How long a request may take: its body to arrive, and its operation to be executed.
const REQUEST_WAIT: Duration = Duration::from_secs(5);
/// How long a client may take to say hello over a websocket.
const INIT_WAIT: Duration = Duration::from_secs(3);
/// How often the server pings a websocket.
const PING_EVERY: Duration = Duration::from_secs(15);
/// After so long without any frame the client of a websocket is gone.
const SILENCE: Duration = Duration::from_secs(40);
/// How long a client may take to take what is written to it.
const WRITE_WAIT: Duration = Duration::from_secs(30);
/// How often a comment is sent over server-sent events, so that nothing in between takes the connection for dead.
const COMMENT_EVERY: Duration = Duration::from_secs(12);
/// How long a shutdown waits for what was begun. Payments that take longer are recovery's at the next start.
const MAX_DRAIN: Duration = Duration::from_secs(8);

/// Points that a customer, or a guest's address, gets back in a second.
pub const RATE: u32 = 50;
/// Most points that they have.
pub const BURST: u32 = 100;
/// Maximum number of rows of carts (a cart, an item) that customers and guests at one address write in a second.
pub const CART_ROWS: u32 = 500;
/// Most websockets and event streams of a customer. With as many tabs, each has one.
pub const MAX_SOCKETS_PER_USER: usize = 10;
/// Most of them of the guests at one address. An office or a mobile network is many people behind one.
pub const MAX_SOCKETS_PER_ADDRESS: usize = 100;

impl Default for Room {
    fn default() -> Self {
        Self {
            body: MAX_BODY,
            message: MAX_MESSAGE,
            operations: MAX_SOCKET_OPERATIONS,
            answer: MAX_ANSWER,
            unsent: MAX_UNSENT,
            connections: MAX_CONNECTIONS,
            in_flight: MAX_IN_FLIGHT,
            sockets: MAX_SOCKETS,
            queued: crate::writer::MAX_QUEUED,
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: HEAD_WAIT,
            idle: IDLE_WAIT,
            request: REQUEST_WAIT,
            init: INIT_WAIT,
            ping: PING_EVERY,
            silence: SILENCE,
            write: WRITE_WAIT,
            comment: COMMENT_EVERY,
            drain: MAX_DRAIN,
        }
    }
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            rate: RATE,
            rate_burst: BURST,
            rate_staff: None,
            cart_rows: CART_ROWS,
            sockets_per_user: MAX_SOCKETS_PER_USER,
            sockets_per_address: MAX_SOCKETS_PER_ADDRESS,
            sockets_per_staff: None,
            connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            unsent_per_client: MAX_UNSENT_PER_CLIENT,
            trusted_proxies: Vec::new(),
        }
    }
}
