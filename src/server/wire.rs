//! How much the wire carries and how long it waits: who may open it from a browser, how many at once, how long for what.
//!
//! The limits that hold for every connection, each a constant and a field, so that a test can wait for a short one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

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
/// Most requests that are executed at the same time.
const MAX_IN_FLIGHT: usize = 512;
/// Most websockets and event streams that are open at the same time.
const MAX_SOCKETS: usize = 12_000;

/// What may come in over the wire.
#[derive(Debug, Clone)]
pub struct Wire {
    /// Origins other than our own host whose pages may use the API.
    pub origins: Vec<String>,
    /// How long it waits for what.
    pub times: Times,
    /// Requests that are being executed.
    pub requests: Places,
    /// Websockets and event streams that are open.
    pub sockets: Places,
}

impl Default for Wire {
    fn default() -> Self {
        let (requests, sockets) = (Places::new(MAX_IN_FLIGHT), Places::new(MAX_SOCKETS));
        Self { origins: Vec::new(), times: Times::default(), requests, sockets }
    }
}

/// How long the wire waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The head of a request, from its first byte on.
    pub head: Duration,
    /// The next request on a connection.
    pub idle: Duration,
    /// A request: its body, and its execution.
    pub request: Duration,
    /// A websocket's hello.
    pub init: Duration,
    /// Between two pings of a websocket.
    pub ping: Duration,
    /// A frame of a websocket's client.
    pub silence: Duration,
    /// What is written, until it is taken.
    pub write: Duration,
    /// Between two comments of an event stream.
    pub comment: Duration,
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
        }
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
