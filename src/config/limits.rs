//! The limits that an operator may set, each with a variable, a flag, a default and the range that makes sense. What they
//! bound is bounded elsewhere; what is part of the contract of the API, such as the longest name, is no setting.

use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use crate::graphql::document::limits as document;
use crate::server::defaults as wire;
use crate::writer::MAX_QUEUED;

use super::values::{network, wait, within, within_u32, within_u64};

/// Every limit that is a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct LimitSettings {
    /// What one document may ask for.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// What one person may ask for in a time.
    #[command(flatten)]
    pub shares: Shares,

    /// How much may come in, and how much of it at once.
    #[command(flatten)]
    pub room: Room,

    /// How long it is waited for what.
    #[command(flatten)]
    pub times: Times,
}

/// What one document may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits of a document")]
pub struct DocumentLimits {
    /// Longest document, in characters.
    #[arg(id = "max_length", value_name = "NUMBER", long = "max-length", env = "ONHAND_MAX_LENGTH", default_value_t = document::MAX_LENGTH, value_parser = within::<100, 100_000>, global = true, hide_short_help = true)]
    pub length: usize,

    /// Most tokens in a document.
    #[arg(id = "max_tokens", value_name = "NUMBER", long = "max-tokens", env = "ONHAND_MAX_TOKENS", default_value_t = document::MAX_TOKENS, value_parser = within::<50, 20_000>, global = true, hide_short_help = true)]
    pub tokens: usize,

    /// Longest name or number in a document, in characters.
    #[arg(id = "max_word", value_name = "NUMBER", long = "max-word", env = "ONHAND_MAX_WORD", default_value_t = document::MAX_WORD, value_parser = within::<40, 1_000>, global = true, hide_short_help = true)]
    pub word: usize,

    /// Deepest nesting of all kinds of brackets together, and of selections when fragments are put in their places. It
    /// can be lowered only.
    #[arg(id = "max_nesting", value_name = "NUMBER", long = "max-nesting", env = "ONHAND_MAX_NESTING", default_value_t = document::MAX_NESTING, value_parser = within::<8, { document::MAX_NESTING }>, global = true, hide_short_help = true)]
    pub nesting: usize,

    /// Largest variables, as JSON, in bytes.
    #[arg(id = "max_variables_size", value_name = "NUMBER", long = "max-variables-size", env = "ONHAND_MAX_VARIABLES_SIZE", default_value_t = document::MAX_VARIABLES_SIZE, value_parser = within::<1_024, 1_048_576>, global = true, hide_short_help = true)]
    pub variables_size: usize,

    /// Most operations in a document.
    #[arg(id = "max_operations", value_name = "NUMBER", long = "max-operations", env = "ONHAND_MAX_OPERATIONS", default_value_t = document::MAX_OPERATIONS, value_parser = within::<1, 100>, global = true, hide_short_help = true)]
    pub operations: usize,

    /// Most fragment definitions in a document.
    #[arg(id = "max_fragments", value_name = "NUMBER", long = "max-fragments", env = "ONHAND_MAX_FRAGMENTS", default_value_t = document::MAX_FRAGMENTS, value_parser = within::<1, 500>, global = true, hide_short_help = true)]
    pub fragments: usize,

    /// Most variable definitions in a document.
    #[arg(id = "max_variables", value_name = "NUMBER", long = "max-variables", env = "ONHAND_MAX_VARIABLES", default_value_t = document::MAX_VARIABLES, value_parser = within::<1, 1_000>, global = true, hide_short_help = true)]
    pub variables: usize,

    /// Most aliases in a document, as they are written.
    #[arg(id = "max_aliases", value_name = "NUMBER", long = "max-aliases", env = "ONHAND_MAX_ALIASES", default_value_t = document::MAX_ALIASES, value_parser = within::<1, 1_000>, global = true, hide_short_help = true)]
    pub aliases: usize,

    /// Most directives at one place.
    #[arg(id = "max_directives_per_place", value_name = "NUMBER", long = "max-directives-per-place", env = "ONHAND_MAX_DIRECTIVES_PER_PLACE", default_value_t = document::MAX_DIRECTIVES_PER_PLACE, value_parser = within::<1, 50>, global = true, hide_short_help = true)]
    pub directives_per_place: usize,

    /// Most directives in a document, as they are written.
    #[arg(id = "max_directives", value_name = "NUMBER", long = "max-directives", env = "ONHAND_MAX_DIRECTIVES", default_value_t = document::MAX_DIRECTIVES, value_parser = within::<1, 500>, global = true, hide_short_help = true)]
    pub directives: usize,

    /// Most fields in a document, when fragments are put in their places.
    #[arg(id = "max_fields", value_name = "NUMBER", long = "max-fields", env = "ONHAND_MAX_FIELDS", default_value_t = document::MAX_FIELDS, value_parser = within_u64::<10, 20_000>, global = true, hide_short_help = true)]
    pub fields: u64,

    /// Most fields at the root of an operation.
    #[arg(id = "max_root_fields", value_name = "NUMBER", long = "max-root-fields", env = "ONHAND_MAX_ROOT_FIELDS", default_value_t = document::MAX_ROOT_FIELDS, value_parser = within_u64::<1, 200>, global = true, hide_short_help = true)]
    pub root_fields: u64,

    /// Most mutations in one operation.
    #[arg(id = "max_mutations", value_name = "NUMBER", long = "max-mutations", env = "ONHAND_MAX_MUTATIONS", default_value_t = document::MAX_MUTATIONS, value_parser = within_u64::<1, 100>, global = true, hide_short_help = true)]
    pub mutations: u64,

    /// Fields inside fields.
    #[arg(id = "max_depth", value_name = "NUMBER", long = "max-depth", env = "ONHAND_MAX_DEPTH", default_value_t = document::MAX_DEPTH, value_parser = within::<3, { document::DEEPEST }>, global = true, hide_short_help = true)]
    pub depth: usize,

    /// Fields inside fields where the schema is asked about itself.
    #[arg(id = "max_introspection_depth", value_name = "NUMBER", long = "max-introspection-depth", env = "ONHAND_MAX_INTROSPECTION_DEPTH", default_value_t = document::MAX_INTROSPECTION_DEPTH, value_parser = within::<3, { document::DEEPEST_INTROSPECTION }>, global = true, hide_short_help = true)]
    pub introspection_depth: usize,

    /// What an operation of a shopper may cost: one for each field, times the rows it is asked for.
    #[arg(id = "max_cost", value_name = "NUMBER", long = "max-cost", env = "ONHAND_MAX_COST", default_value_t = document::MAX_COST_FOR_SHOPPERS, value_parser = within_u64::<10, 1_000_000>, global = true, hide_short_help = true)]
    pub cost_for_shoppers: u64,

    /// What an operation of staff may cost.
    #[arg(id = "max_cost_staff", value_name = "NUMBER", long = "max-cost-staff", env = "ONHAND_MAX_COST_STAFF", default_value_t = document::MAX_COST_FOR_STAFF, value_parser = within_u64::<10, 1_000_000>, global = true, hide_short_help = true)]
    pub cost_for_staff: u64,
}

/// What one person may ask for in a time. Nothing of it holds in development.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits of one person (each replica counts for itself; none in development)")]
pub struct Shares {
    /// Points a second of a customer, or of all guests at one address. A request is one point, a thousandth more for each
    /// of its cost, and a tenth more for each row that it writes.
    #[arg(long, env = "ONHAND_RATE", default_value_t = wire::RATE, value_parser = within_u32::<1, 1_000_000>, global = true, hide_short_help = true)]
    pub rate: u32,

    /// Points that may be spent at once after a while without requests.
    #[arg(long, env = "ONHAND_RATE_BURST", default_value_t = wire::BURST, value_parser = within_u32::<2, 1_000_000>, global = true, hide_short_help = true)]
    pub rate_burst: u32,

    /// Points a second of one of the staff, twice as many at once; unless given, there is no such limit.
    #[arg(long, env = "ONHAND_RATE_STAFF", value_parser = within_u32::<1, 1_000_000>, global = true, hide_short_help = true)]
    pub rate_staff: Option<u32>,

    /// Rows of carts, with their items, that customers and guests at one address write in a second.
    #[arg(long, env = "ONHAND_CART_ROWS", default_value_t = wire::CART_ROWS, value_parser = within_u32::<1, 1_000_000>, global = true, hide_short_help = true)]
    pub cart_rows: u32,

    /// Websockets and event streams of a customer that are open at the same time.
    #[arg(long, env = "ONHAND_SOCKETS_PER_USER", default_value_t = wire::MAX_SOCKETS_PER_USER, value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub sockets_per_user: usize,

    /// The same of all guests at one address, and of those there who have not said yet who they are.
    #[arg(long, env = "ONHAND_SOCKETS_PER_ADDRESS", default_value_t = wire::MAX_SOCKETS_PER_ADDRESS, value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub sockets_per_address: usize,

    /// The same of one of the staff; unless given, there is no such limit.
    #[arg(long, env = "ONHAND_SOCKETS_PER_STAFF", value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub sockets_per_staff: Option<usize>,

    /// Maximum number of idle TCP connections from one address that is not a trusted proxy's: no request is under way on
    /// them, and they are no websockets. Beyond that the oldest ones are closed.
    #[arg(long, env = "ONHAND_CONNECTIONS_PER_ADDRESS", default_value_t = wire::MAX_CONNECTIONS_PER_ADDRESS, value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub connections_per_address: usize,

    /// Maximum size of the answers to one user, or to all guests at one address, that are made and not sent yet, in bytes.
    #[arg(long, env = "ONHAND_UNSENT_PER_CLIENT", default_value_t = wire::MAX_UNSENT_PER_CLIENT, value_parser = within::<65_536, 68_719_476_736>, global = true, hide_short_help = true)]
    pub unsent_per_client: usize,

    /// Proxies whose X-Forwarded-For is believed: addresses or networks such as "10.0.0.0/8", with commas in between.
    #[arg(long, env = "ONHAND_TRUSTED_PROXIES", value_delimiter = ',', value_parser = network, global = true, hide_short_help = true)]
    pub trusted_proxies: Vec<IpNet>,
}

/// How much may come in, and how much of it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits of the server (of each replica)")]
pub struct Room {
    /// Largest body of a request, in bytes.
    #[arg(id = "max_body", value_name = "NUMBER", long = "max-body", env = "ONHAND_MAX_BODY", default_value_t = wire::MAX_BODY, value_parser = within::<1_024, 16_777_216>, global = true, hide_short_help = true)]
    pub body: usize,

    /// Largest message of a client over a websocket, in bytes.
    #[arg(id = "max_message", value_name = "NUMBER", long = "max-message", env = "ONHAND_MAX_MESSAGE", default_value_t = wire::MAX_MESSAGE, value_parser = within::<1_024, 1_048_576>, global = true, hide_short_help = true)]
    pub message: usize,

    /// Most operations that run on one websocket.
    #[arg(id = "max_socket_operations", value_name = "NUMBER", long = "max-socket-operations", env = "ONHAND_MAX_SOCKET_OPERATIONS", default_value_t = wire::MAX_SOCKET_OPERATIONS, value_parser = within::<1, 1_000>, global = true, hide_short_help = true)]
    pub operations: usize,

    /// Maximum size of an answer, in bytes: as JSON, and while it is made, with 32 bytes for each field besides its text.
    #[arg(id = "max_answer", value_name = "NUMBER", long = "max-answer", env = "ONHAND_MAX_ANSWER", default_value_t = wire::MAX_ANSWER, value_parser = within::<65_536, 67_108_864>, global = true, hide_short_help = true)]
    pub answer: usize,

    /// Maximum size of all answers that are made and not sent yet, in bytes.
    #[arg(id = "max_unsent", value_name = "NUMBER", long = "max-unsent", env = "ONHAND_MAX_UNSENT", default_value_t = wire::MAX_UNSENT, value_parser = within::<1_048_576, 68_719_476_736>, global = true, hide_short_help = true)]
    pub unsent: usize,

    /// Maximum number of TCP connections that are open at the same time. There are fewer where the process may not open as
    /// many files.
    #[arg(id = "max_connections", value_name = "NUMBER", long = "max-connections", env = "ONHAND_MAX_CONNECTIONS", default_value_t = wire::MAX_CONNECTIONS, value_parser = within::<16, 1_000_000>, global = true, hide_short_help = true)]
    pub connections: usize,

    /// Most requests that are executed at the same time.
    #[arg(id = "max_in_flight", value_name = "NUMBER", long = "max-in-flight", env = "ONHAND_MAX_IN_FLIGHT", default_value_t = wire::MAX_IN_FLIGHT, value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub in_flight: usize,

    /// Most websockets and event streams that are open at the same time.
    #[arg(id = "max_sockets", value_name = "NUMBER", long = "max-sockets", env = "ONHAND_MAX_SOCKETS", default_value_t = wire::MAX_SOCKETS, value_parser = within::<1, 1_000_000>, global = true, hide_short_help = true)]
    pub sockets: usize,

    /// Most mutations that wait for the writer.
    #[arg(id = "max_queued", value_name = "NUMBER", long = "max-queued", env = "ONHAND_MAX_QUEUED", default_value_t = MAX_QUEUED, value_parser = within::<1, 100_000>, global = true, hide_short_help = true)]
    pub queued: usize,
}

/// How long it is waited for what. Times like "4s" or "15m".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits of time")]
pub struct Times {
    /// For the head of a request, from its first byte on.
    #[arg(id = "wait_head", value_name = "TIME", long = "wait-head", env = "ONHAND_WAIT_HEAD", default_value = "2s", value_parser = wait, global = true, hide_short_help = true)]
    pub head: Duration,

    /// For the next request on a connection.
    #[arg(id = "wait_idle", value_name = "TIME", long = "wait-idle", env = "ONHAND_WAIT_IDLE", default_value = "75s", value_parser = wait, global = true, hide_short_help = true)]
    pub idle: Duration,

    /// For a request: its body to arrive, and its operation to be executed.
    #[arg(id = "wait_request", value_name = "TIME", long = "wait-request", env = "ONHAND_WAIT_REQUEST", default_value = "5s", value_parser = wait, global = true, hide_short_help = true)]
    pub request: Duration,

    /// For connection_init on a websocket.
    #[arg(id = "wait_init", value_name = "TIME", long = "wait-init", env = "ONHAND_WAIT_INIT", default_value = "3s", value_parser = wait, global = true, hide_short_help = true)]
    pub init: Duration,

    /// Between two pings of a websocket.
    #[arg(id = "wait_ping", value_name = "TIME", long = "wait-ping", env = "ONHAND_WAIT_PING", default_value = "15s", value_parser = wait, global = true, hide_short_help = true)]
    pub ping: Duration,

    /// For any frame of a websocket's client; longer than between two pings.
    #[arg(id = "wait_silence", value_name = "TIME", long = "wait-silence", env = "ONHAND_WAIT_SILENCE", default_value = "40s", value_parser = wait, global = true, hide_short_help = true)]
    pub silence: Duration,

    /// For a client to take what is written to it.
    #[arg(id = "wait_write", value_name = "TIME", long = "wait-write", env = "ONHAND_WAIT_WRITE", default_value = "30s", value_parser = wait, global = true, hide_short_help = true)]
    pub write: Duration,

    /// Between two comments of an event stream, which keep the connection alive.
    #[arg(id = "wait_comment", value_name = "TIME", long = "wait-comment", env = "ONHAND_WAIT_COMMENT", default_value = "12s", value_parser = wait, global = true, hide_short_help = true)]
    pub comment: Duration,

    /// At a shutdown, for what was begun.
    #[arg(id = "wait_drain", value_name = "TIME", long = "wait-drain", env = "ONHAND_WAIT_DRAIN", default_value = "8s", value_parser = wait, global = true, hide_short_help = true)]
    pub drain: Duration,
}

impl LimitSettings {
    /// Whether the settings fit together.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self) -> Result<(), String> {
        if self.times.silence <= self.times.ping {
            return Err("ONHAND_WAIT_SILENCE must be longer than ONHAND_WAIT_PING".to_owned());
        }
        if self.shares.unsent_per_client < self.room.answer || self.room.unsent < self.shares.unsent_per_client {
            return Err(
                "ONHAND_MAX_ANSWER is at most ONHAND_UNSENT_PER_CLIENT, and that at most ONHAND_MAX_UNSENT".to_owned()
            );
        }
        if self.room.body < self.documents.variables_size {
            return Err("ONHAND_MAX_BODY must be at least ONHAND_MAX_VARIABLES_SIZE".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::CommandLine;

    #[test]
    fn limits_are_numbers_and_times_within_reason() {
        let read = |arguments: &[&str]| CommandLine::try_parse_from([&["onhand"], arguments].concat());
        assert!(read(&["--max-depth", "3", "--wait-request", "100ms", "--rate", "1"]).is_ok());
        for bad in [
            ["--max-depth", "0"],
            ["--max-depth", "-1"],
            ["--max-nesting", "65"],
            ["--max-body", "1e6"],
            ["--max-body", "99999999999999999999"],
            ["--max-cost", "0"],
            ["--rate", "0"],
            ["--rate-burst", "1"],
            ["--rate-staff", "0"],
            ["--sockets-per-user", "0"],
            ["--wait-request", "0s"],
            ["--wait-request", "2h"],
        ] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        let check = |arguments: &[&str]| read(arguments).unwrap().limits.check();
        assert!(check(&[]).is_ok());
        assert!(check(&["--wait-ping", "40s"]).is_err());
        assert!(check(&["--max-body", "2048"]).is_err());
        assert!(check(&["--max-answer", "33554433"]).is_err());
        assert!(check(&["--max-unsent", "1048576"]).is_err());
    }

    /// The server's tests use the constants, and people the command line.
    #[test]
    fn limits_are_the_constants_unless_set() {
        assert_eq!(CommandLine::parse_from(["onhand"]).limits, LimitSettings::default());
    }
}
