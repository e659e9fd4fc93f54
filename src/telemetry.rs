//! What an operator sees in numbers: the name of each metric, in one place.
//!
//! A label never holds anything that a client can choose freely, so the number of series is bounded.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Open TCP connections.
const CONNECTIONS: &str = "onhand_connections_open";

/// Open websockets.
const SOCKETS: &str = "onhand_sockets_open";

/// Operations on websockets and event streams.
const OPERATIONS: &str = "onhand_operations_open";

/// The age of the feed between replicas.
const FEED_AGE: &str = "onhand_feed_age_seconds";

/// Describes every metric, for those who read them.
pub fn describe() {
    describe_gauge!("onhand_writer_queue", "Commands that wait for the writer");
    describe_histogram!("onhand_writer_batch_commands", "Commands in one transaction");
    describe_histogram!("onhand_writer_batch_seconds", "From the beginning of a transaction to its end");
    describe_counter!("onhand_gateway_results_total", "How calls of gateways ended, by gateway and result");
    describe_counter!("onhand_requests_total", "Queries and mutations, by kind");
    describe_counter!("onhand_refusals_total", "Errors of both kinds, by code");
    describe_gauge!(CONNECTIONS, "Open TCP connections, those of websockets among them");
    describe_gauge!(FEED_AGE, "Time since the feed last told what other replicas changed");
    describe_gauge!(SOCKETS, "Open websockets");
    describe_gauge!(OPERATIONS, "Operations that run on websockets and event streams");
    describe_counter!("onhand_events_sent_total", "Results that were sent to subscribers");
    describe_counter!("onhand_states_merged_total", "States of stock that a slow reader skipped");
    describe_counter!(
        "onhand_slow_readers_total",
        "Connections that were ended because they did not read their answers"
    );
    // What is named to operators is there from the start.
    for name in ["onhand_writer_queue", CONNECTIONS, SOCKETS, OPERATIONS] {
        gauge!(name).set(0.0);
    }
}

/// How many commands wait.
pub fn queued(commands: usize) {
    // A queue holds a few thousand at the most, which a float keeps exactly.
    gauge!("onhand_writer_queue").set(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
}

/// How many TCP connections are open.
pub fn connections(open: usize) {
    gauge!(CONNECTIONS).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
}

/// How late the feed between replicas is.
pub fn feed_age(age: Duration) {
    gauge!(FEED_AGE).set(age.as_secs_f64());
}

/// A batch went through, or was refused by the database.
pub fn batch(commands: usize, took: Duration) {
    histogram!("onhand_writer_batch_commands").record(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
    histogram!("onhand_writer_batch_seconds").record(took);
}

/// A call of a gateway ended.
pub fn gateway(name: &str, result: &'static str) {
    counter!("onhand_gateway_results_total", "gateway" => name.to_owned(), "result" => result).increment(1);
}

/// An operation with one answer came, over whatever.
pub fn request(kind: &'static str) {
    counter!("onhand_requests_total", "kind" => kind).increment(1);
}

/// An error of either kind was told.
pub fn refusal(code: &'static str) {
    counter!("onhand_refusals_total", "code" => code).increment(1);
}

/// A result was sent to a subscriber.
pub fn event() {
    counter!("onhand_events_sent_total").increment(1);
}

/// A reader skipped so many states.
pub fn merged(states: u64) {
    counter!("onhand_states_merged_total").increment(states);
}

/// A connection was ended because its answer was not read.
pub fn slow_reader() {
    counter!("onhand_slow_readers_total").increment(1);
}

/// Counts something that is open for as long as this lives.
#[derive(Debug)]
pub struct Open(&'static str);

impl Open {
    /// A websocket.
    #[must_use]
    pub fn socket() -> Self {
        Self::count(SOCKETS)
    }

    /// An operation on a websocket or an event stream.
    #[must_use]
    pub fn operation() -> Self {
        Self::count(OPERATIONS)
    }

    fn count(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}
