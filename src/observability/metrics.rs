//! The metrics, each with its name and description, in one place.
//!
//! A label must never hold a value that clients choose freely: the number of series is bounded.

use std::time::Duration;

pub use metrics::Counter;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::clock::Clock;
use domain::codes;

/// Open TCP connections.
const CONNECTIONS: &str = "onhand_connections_open";

/// Open websockets.
const SOCKETS: &str = "onhand_sockets_open";

/// Operations on websockets and event streams.
const OPERATIONS: &str = "onhand_operations_open";

/// Operations over HTTP.
const ANSWERS_SHARED: &str = "onhand_answers_shared_total";
const REQUESTS: &str = "onhand_requests_total";

/// Kinds of operations over HTTP.
const KINDS: [&str; 2] = ["query", "mutation"];

/// Results of requests to outgoing webhooks.
const WEBHOOK_RESULTS: [&str; 2] = ["accepted", "failed"];

/// Errors that clients were answered with.
const REFUSALS: &str = "onhand_refusals_total";

/// Calls of gateways.
const GATEWAY_RESULTS: &str = "onhand_gateway_results_total";

/// Amounts that a gateway told and that were not those it was asked for.
const GATEWAY_MISMATCHES: &str = "onhand_gateway_mismatches_total";

/// Notices that payment providers pushed to this server.
const NOTICES: &str = "onhand_payment_notices_total";

/// Refunds that failed for good.
const REFUNDS_FAILED: &str = "onhand_refunds_failed_total";

/// The age of the feed between replicas.
const FEED_AGE: &str = "onhand_feed_age_seconds";

/// Tokens that were refused, by reason.
const TOKENS_REFUSED: &str = "onhand_tokens_refused_total";

/// Requests to outgoing webhooks.
const WEBHOOK_ATTEMPTS: &str = "onhand_webhook_attempts_total";

/// Deliveries to outgoing webhooks that were given up.
const WEBHOOK_GIVEN_UP: &str = "onhand_webhook_deliveries_given_up_total";

/// Outgoing webhooks that were switched off.
const WEBHOOKS_SWITCHED_OFF: &str = "onhand_webhooks_switched_off_total";

/// Failures to read the key set.
const KEY_SET_FAILURES: &str = "onhand_key_set_failures_total";

/// Lines of the log that were dropped.
const LOG_LINES_DROPPED: &str = "onhand_log_lines_dropped_total";

/// Carts that expired.
const CARTS_EXPIRED: &str = "onhand_carts_expired_total";

/// Unpaid orders that expired.
const ORDERS_EXPIRED: &str = "onhand_orders_expired_total";

codes! {
    /// Why a token is refused.
    TokenFault {
        /// The header or the token has the wrong form.
        Malformed = "malformed",
        /// The token is longer than the maximum.
        TooLong = "too_long",
        /// The key set was never read.
        NoKeys = "no_keys",
        /// The token names a key that is not in the set.
        UnknownKey = "unknown_key",
        /// The token names an algorithm that is not that of its key.
        Algorithm = "algorithm",
        /// The signature is not valid.
        Signature = "signature",
        /// The token has expired.
        Expired = "expired",
        /// The token is not valid yet.
        NotYetValid = "not_yet_valid",
        /// The token is from another issuer.
        Issuer = "issuer",
        /// The token is for another audience.
        Audience = "audience",
        /// A claim is missing or malformed.
        Claims = "claims",
        /// The subject has characters that a log must not have.
        Subject = "subject",
        /// The role is unknown.
        Role = "role",
        /// The token may read metrics and nothing else.
        MetricsOnly = "metrics_only",
    }
}

/// Describes every metric.
pub fn describe() {
    describe_gauge!("onhand_writer_queue", "Commands that wait for the writer");
    describe_histogram!("onhand_writer_batch_commands", "Commands in one transaction");
    describe_histogram!("onhand_writer_batch_seconds", "From the beginning of a transaction to its end");
    describe_counter!(GATEWAY_RESULTS, "How calls of gateways ended, by gateway and result");
    describe_counter!(GATEWAY_MISMATCHES, "Amounts that gateways told and that were not asked for, by gateway");
    describe_counter!(NOTICES, "Notices of payment providers, by gateway and by what became of them");
    describe_counter!(REFUNDS_FAILED, "Refunds that a gateway refused for good: the money is still due");
    describe_counter!(REQUESTS, "Queries and mutations, by kind");
    describe_counter!(REFUSALS, "Errors of both kinds, by code");
    describe_gauge!(CONNECTIONS, "Open TCP connections, those of websockets among them");
    describe_gauge!(FEED_AGE, "Time since the feed last told what other replicas changed");
    describe_gauge!(SOCKETS, "Open websockets");
    describe_gauge!(OPERATIONS, "Operations that run on websockets and event streams");
    describe_counter!("onhand_events_sent_total", "Results that were sent to subscribers");
    describe_counter!(
        ANSWERS_SHARED,
        "Queries that were answered with an execution for others who asked at the same time"
    );
    describe_counter!("onhand_states_merged_total", "States of stock that a slow reader skipped");
    describe_counter!(
        "onhand_slow_readers_total",
        "Connections that were ended because they did not read their answers"
    );
    describe_counter!(TOKENS_REFUSED, "Tokens that were not good, by reason");
    describe_gauge!("onhand_key_set_age_seconds", "Time since the key set was read");
    describe_gauge!("onhand_key_set_keys", "Keys of the key set; 0 until it was read");
    describe_counter!(KEY_SET_FAILURES, "How often the key set could not be read");
    describe_gauge!("onhand_database_connections", "Connections to the database, by pool and state: open, idle");
    describe_gauge!("onhand_database_waiting", "Statements that wait for a connection to PostgreSQL, by pool");
    describe_counter!(CARTS_EXPIRED, "Carts that expired because nobody came back for them");
    describe_counter!(ORDERS_EXPIRED, "Orders that were cancelled because nobody paid them");
    describe_counter!(LOG_LINES_DROPPED, "Lines of the log that were dropped because nobody read them");
    describe_counter!(WEBHOOK_ATTEMPTS, "Requests to outgoing webhooks, by result: accepted, failed");
    describe_counter!(WEBHOOK_GIVEN_UP, "Deliveries to outgoing webhooks that were given up");
    describe_counter!(WEBHOOKS_SWITCHED_OFF, "Outgoing webhooks that were switched off because they accepted nothing");
    describe_gauge!("onhand_build_info", "Always 1; its label tells the version");
    describe_gauge!("process_open_fds", "Open files and sockets");
    describe_gauge!("process_max_fds", "How many files and sockets may be open");
    describe_gauge!("process_start_time_seconds", "When the process began, in seconds since 1970");
    // A series exists from the start, before its first event.
    for name in ["onhand_writer_queue", CONNECTIONS, SOCKETS, OPERATIONS] {
        gauge!(name).set(0.0);
    }
    for name in [
        REFUNDS_FAILED,
        KEY_SET_FAILURES,
        LOG_LINES_DROPPED,
        CARTS_EXPIRED,
        ORDERS_EXPIRED,
        "onhand_events_sent_total",
        ANSWERS_SHARED,
        "onhand_states_merged_total",
        "onhand_slow_readers_total",
        WEBHOOK_GIVEN_UP,
        WEBHOOKS_SWITCHED_OFF,
    ] {
        counter!(name).absolute(0);
    }
    for result in WEBHOOK_RESULTS {
        counter!(WEBHOOK_ATTEMPTS, "result" => result).absolute(0);
    }
    for fault in TokenFault::ALL {
        counter!(TOKENS_REFUSED, "reason" => fault.as_str()).absolute(0);
    }
    for kind in KINDS {
        counter!(REQUESTS, "kind" => kind).absolute(0);
    }
    gauge!("onhand_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let started = Clock::system().now().timestamp_millis();
    // Milliseconds since 1970 are far from what a float does not keep exactly.
    #[expect(clippy::cast_precision_loss, reason = "a time is far below 2^52 milliseconds")]
    gauge!("process_start_time_seconds").set(started as f64 / 1_000.0);
}

/// Begins every counter with a label at 0, for each value of the label.
pub fn begin(codes: impl IntoIterator<Item = &'static str>, gateways: &[&'static str], results: &[&'static str]) {
    for code in codes {
        counter!(REFUSALS, "code" => code).absolute(0);
    }
    for (gateway, result) in gateways.iter().flat_map(|gateway| results.iter().map(move |result| (*gateway, *result))) {
        counter!(GATEWAY_RESULTS, "gateway" => gateway, "result" => result).absolute(0);
    }
}

/// Counts carts that expired.
pub fn carts_expired(count: usize) {
    counter!(CARTS_EXPIRED).increment(count as u64);
}

/// Counts unpaid orders that expired.
pub fn orders_expired(count: usize) {
    counter!(ORDERS_EXPIRED).increment(count as u64);
}

/// Begins the counters of what providers tell at 0.
pub fn begin_notices(gateways: &[&'static str], receipts: &[&'static str]) {
    for gateway in gateways {
        counter!(GATEWAY_MISMATCHES, "gateway" => *gateway).absolute(0);
        for receipt in receipts {
            counter!(NOTICES, "gateway" => *gateway, "receipt" => *receipt).absolute(0);
        }
    }
}

/// Counts an amount that a gateway told and that it was not asked for.
pub fn gateway_mismatch(gateway: &str) {
    counter!(GATEWAY_MISMATCHES, "gateway" => gateway.to_owned()).increment(1);
}

/// Counts a notice of a payment provider, by what became of it.
pub fn notice(gateway: &'static str, receipt: &'static str) {
    counter!(NOTICES, "gateway" => gateway, "receipt" => receipt).increment(1);
}

/// Counts a token that was refused.
pub fn token_refused(fault: TokenFault) {
    counter!(TOKENS_REFUSED, "reason" => fault.as_str()).increment(1);
}

/// Sets the age of the key set, its number of keys, and how often it could not be read.
pub fn key_set(age: Duration, keys: usize, failures: u64) {
    counter!(KEY_SET_FAILURES).absolute(failures);
    gauge!("onhand_key_set_age_seconds").set(age.as_secs_f64());
    gauge!("onhand_key_set_keys").set(f64::from(u32::try_from(keys).unwrap_or(u32::MAX)));
}

/// Sets how many connections of a pool are open and idle, and how many statements wait for one, if that is known.
pub fn database_connections(pool: &'static str, open: u32, idle: u32, waiting: Option<u32>) {
    for (state, count) in [("open", open), ("idle", idle)] {
        gauge!("onhand_database_connections", "pool" => pool, "state" => state).set(f64::from(count));
    }
    if let Some(waiting) = waiting {
        gauge!("onhand_database_waiting", "pool" => pool).set(f64::from(waiting));
    }
}

/// Sets the number of log lines that were dropped, and of files that are open and may be open.
pub fn process(dropped_lines: u64, (open, most): (Option<u64>, Option<u64>)) {
    counter!(LOG_LINES_DROPPED).absolute(dropped_lines);
    for (name, files) in [("process_open_fds", open), ("process_max_fds", most)] {
        if let Some(files) = files {
            gauge!(name).set(f64::from(u32::try_from(files).unwrap_or(u32::MAX)));
        }
    }
}

/// Sets the number of commands that wait for the writer.
pub fn queued(commands: usize) {
    // A queue holds a few thousand at the most, which a float keeps exactly.
    gauge!("onhand_writer_queue").set(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
}

/// Sets the number of open TCP connections.
pub fn connections(open: usize) {
    gauge!(CONNECTIONS).set(f64::from(u32::try_from(open).unwrap_or(u32::MAX)));
}

/// Sets the age of the feed between replicas.
pub fn feed_age(age: Duration) {
    gauge!(FEED_AGE).set(age.as_secs_f64());
}

/// Records a batch that was committed, or that the database refused.
pub fn batch(commands: usize, took: Duration) {
    histogram!("onhand_writer_batch_commands").record(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
    histogram!("onhand_writer_batch_seconds").record(took);
}

/// Counts a call of a gateway, by its result.
pub fn gateway(name: &str, result: &'static str) {
    counter!(GATEWAY_RESULTS, "gateway" => name.to_owned(), "result" => result).increment(1);
}

/// Counts a refund that failed for good.
pub fn refund_failed() {
    counter!(REFUNDS_FAILED).increment(1);
}

/// Counts a request to an outgoing webhook.
pub fn webhook_attempt(is_accepted: bool) {
    let [accepted, failed] = WEBHOOK_RESULTS;
    counter!(WEBHOOK_ATTEMPTS, "result" => if is_accepted { accepted } else { failed }).increment(1);
}

/// Counts a delivery to an outgoing webhook that is given up.
pub fn webhook_given_up() {
    counter!(WEBHOOK_GIVEN_UP).increment(1);
}

/// Counts an outgoing webhook that is switched off.
pub fn webhook_switched_off() {
    counter!(WEBHOOKS_SWITCHED_OFF).increment(1);
}

/// Counts an operation with one answer, whatever the transport.
pub fn request(kind: &'static str) {
    counter!(REQUESTS, "kind" => kind).increment(1);
}

/// Counts an error that a client was answered with.
pub fn refusal(code: &'static str) {
    counter!(REFUSALS, "code" => code).increment(1);
}

/// Counts a query that was answered with the execution of another.
pub fn answer_shared() {
    counter!(ANSWERS_SHARED).increment(1);
}

/// Returns the counter of results that were sent to subscribers.
pub fn events() -> Counter {
    counter!("onhand_events_sent_total")
}

/// Counts states that a slow reader skipped.
pub fn merged(states: u64) {
    if states == 0 {
        return;
    }
    counter!("onhand_states_merged_total").increment(states);
}

/// Counts a connection that was ended because its client did not read.
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
