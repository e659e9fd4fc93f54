//! How long the server waits for a client: what an operator may set, and the times beside it that are no settings. Nothing is
//! waited for here.

use std::time::Duration;

use clap::Args;

use super::limits::limits;

/// Shortest timeout that can be set.
const MIN_WAIT: Duration = Duration::from_millis(100);
/// Longest timeout that can be set.
const MAX_WAIT: Duration = Duration::from_hours(1);

/// Timeout for `connection_init` on a websocket.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two pings of a websocket.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Timeout for any frame of a websocket's client.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(40);
/// Timeout for a client to take what is written to it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two comments of an event stream. Without them a proxy would take the connection for dead.
pub const COMMENT_INTERVAL: Duration = Duration::from_secs(12);

/// A client that answers each ping is never silent for too long.
const _: () = assert!(SILENCE_TIMEOUT.as_secs() > PING_INTERVAL.as_secs());

limits! {
    /// How long the server waits for a client.
    #[command(next_help_heading = "Timeouts")]
    pub struct Timeouts {
        /// Timeout for reading the headers of a request, from its first byte on.
        ///
        /// The connection ends.
        head: Duration = Duration::from_secs(2), MIN_WAIT..=MAX_WAIT, "wait-head", "ONHAND_WAIT_HEAD";

        /// Time that a connection is kept open for its next request.
        ///
        /// The connection ends.
        idle: Duration = Duration::from_secs(75), MIN_WAIT..=MAX_WAIT, "wait-idle", "ONHAND_WAIT_IDLE";

        /// Timeout for a request: for its body to arrive, and for its operation to be executed; for a query over a websocket
        /// or as an event stream, too.
        ///
        /// 408, `LIMIT_EXCEEDED`, not executed; 504, `TIMEOUT`; over a websocket or as an event stream `TIMEOUT`.
        request: Duration = Duration::from_secs(5), MIN_WAIT..=MAX_WAIT, "wait-request", "ONHAND_WAIT_REQUEST";

        /// Time that a shutdown waits for what was begun.
        ///
        /// It is cut off; payments go on at the next start.
        drain: Duration = Duration::from_secs(8), MIN_WAIT..=MAX_WAIT, "wait-drain", "ONHAND_WAIT_DRAIN";
    }
    fixed {
        /// See [`INIT_TIMEOUT`].
        init: Duration = INIT_TIMEOUT;
        /// See [`PING_INTERVAL`].
        ping: Duration = PING_INTERVAL;
        /// See [`SILENCE_TIMEOUT`].
        silence: Duration = SILENCE_TIMEOUT;
        /// See [`WRITE_TIMEOUT`].
        write: Duration = WRITE_TIMEOUT;
        /// See [`COMMENT_INTERVAL`].
        comment: Duration = COMMENT_INTERVAL;
    }
}
