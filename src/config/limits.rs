//! The limits that an operator may set: each is declared once, with its default, its range, its flag, its variable and its
//! meaning. What they bound is bounded elsewhere; what is part of the contract of the API, such as the longest name, is no
//! setting.

use std::ops::RangeInclusive;

use clap::Args;
use ipnet::IpNet;

use super::documents::DocumentLimits;
use super::timeouts::Timeouts;
use super::values::{network, shown, within};

/// Declares a struct of limits, which clap reads.
///
/// A line is `field: type = default, range, "flag", "VARIABLE";`. The comment above it is what `--help` and the tables of
/// the README say: its first paragraph what is bounded, its second what happens beyond that. What is `fixed` is no setting.
macro_rules! limits {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$meaning:meta])* $field:ident: $type:ty = $default:expr, $range:expr, $flag:literal, $variable:literal;)*
        }
        $(fixed { $($(#[$what:meta])* $constant:ident: $kind:ty = $value:expr;)* })?
    ) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
        $(#[$about])*
        pub struct $name {
            $(
                $(#[$meaning])*
                #[arg(
                    id = $flag, long = $flag, env = $variable, global = true, hide_short_help = true,
                    default_value = $crate::config::values::Limit::written(&Self::DEFAULT.$field),
                    value_name = $crate::config::values::shown::<$type>(&($range)),
                    value_parser = $crate::config::values::within::<$type>($range),
                )]
                pub $field: $type,
            )*
            $($($(#[$what])* #[arg(skip = $value)] pub $constant: $kind,)*)?
        }

        impl $name {
            /// The limits unless they are set otherwise.
            pub const DEFAULT: Self = Self { $($field: $default,)* $($($constant: $value,)*)? };
        }

        impl Default for $name {
            fn default() -> Self {
                Self::DEFAULT
            }
        }
    };
}

pub(super) use limits;

/// Rates that can be set for one of the staff.
const RATES: RangeInclusive<u32> = 1..=1_000_000;
/// Numbers of sockets that can be set for one of the staff.
const SOCKETS: RangeInclusive<usize> = 1..=100_000;

/// Every limit that is a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct LimitSettings {
    /// Limits of a document.
    #[command(flatten)]
    pub documents: DocumentLimits,

    /// Limits of one client.
    #[command(flatten)]
    pub clients: ClientLimits,

    /// Limits of one of the staff.
    #[command(flatten)]
    pub staff: StaffLimits,

    /// Proxies whose `X-Forwarded-For` is believed: addresses or networks such as `10.0.0.0/8`, separated by commas.
    #[arg(long, env = "ONHAND_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network, global = true, help_heading = "Server")]
    pub trusted_proxies: Vec<IpNet>,

    /// Limits of the server.
    #[command(flatten)]
    pub sizes: SizeLimits,

    /// Timeouts.
    #[command(flatten)]
    pub timeouts: Timeouts,
}

limits! {
    /// What one client may ask for: a customer, or all guests at one address. Nothing of it holds in development.
    #[command(next_help_heading = "Limits of one client")]
    pub struct ClientLimits {
        /// Points that a customer, or all guests at one address, get back in a second. A request costs one point, a
        /// thousandth more for each of its cost, and a tenth more for each row that it writes.
        ///
        /// A request beyond that is refused: 429 with `Retry-After`, `RATE_LIMITED`.
        rate: u32 = 50, 1..=1_000_000, "rate", "ONHAND_RATE";

        /// Maximum number of points that they have at once.
        ///
        /// The same; `LIMIT_EXCEEDED` for a single request that costs more.
        rate_burst: u32 = 100, 2..=1_000_000, "rate-burst", "ONHAND_RATE_BURST";

        /// Maximum number of rows of carts, with their items, that customers and guests at one address write in a second.
        ///
        /// A request beyond that is refused: 429 with `Retry-After`, `RATE_LIMITED`; `LIMIT_EXCEEDED` for a single
        /// request that writes more.
        cart_rows: u32 = 500, 1..=1_000_000, "cart-rows", "ONHAND_CART_ROWS";

        /// Maximum number of websockets and event streams of a customer that are open at the same time.
        ///
        /// A further websocket is closed with 4429; a further event stream gets 429, `RATE_LIMITED`.
        sockets_per_user: usize = 10, 1..=100_000, "sockets-per-user", "ONHAND_SOCKETS_PER_USER";

        /// The same of all guests at one address, and of clients there that have not sent a token yet.
        ///
        /// A further one gets 429, `RATE_LIMITED`.
        sockets_per_address: usize = 100, 1..=100_000, "sockets-per-address", "ONHAND_SOCKETS_PER_ADDRESS";

        /// Maximum number of idle TCP connections from one address: no request is under way on them, and they are no
        /// websockets. Those of trusted proxies are not counted.
        ///
        /// The oldest ones are closed, once they were idle for 5 s.
        connections_per_address: usize = 1_000, 1..=100_000, "connections-per-address", "ONHAND_CONNECTIONS_PER_ADDRESS";

        /// Maximum size of the answers to one user, or to all guests at one address, that are made and not sent yet, in
        /// bytes. At most `ONHAND_MAX_UNSENT`. Not counted in development.
        ///
        /// Their connection that has read nothing for longest ends, after 1 s; otherwise `RATE_LIMITED`.
        unsent_per_client: usize = 32 * 1_024 * 1_024, 65_536..=68_719_476_736, "unsent-per-client", "ONHAND_UNSENT_PER_CLIENT";
    }
}

/// What one of the staff may ask for. Without a value there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Limits of one client")]
pub struct StaffLimits {
    /// Points that one of the staff gets back in a second, with twice as many at most. Without it there is no such limit.
    ///
    /// A request beyond that is refused: 429 with `Retry-After`, `RATE_LIMITED`.
    #[arg(long, env = "ONHAND_RATE_STAFF", value_name = shown(&RATES), value_parser = within(RATES), global = true, hide_short_help = true)]
    pub rate_staff: Option<u32>,

    /// Maximum number of websockets and event streams of one of the staff that are open at the same time. Without it there
    /// is no such limit.
    ///
    /// A further websocket is closed with 4429; a further event stream gets 429, `RATE_LIMITED`.
    #[arg(long, env = "ONHAND_SOCKETS_PER_STAFF", value_name = shown(&SOCKETS), value_parser = within(SOCKETS), global = true, hide_short_help = true)]
    pub sockets_per_staff: Option<usize>,
}

limits! {
    /// How much may come in, and how much of it at once.
    #[command(next_help_heading = "Limits of the server (of each replica)")]
    pub struct SizeLimits {
        /// Maximum size of the body of a request, in bytes. At least `ONHAND_MAX_VARIABLES_SIZE`.
        ///
        /// A larger one is refused: 413, `LIMIT_EXCEEDED`.
        body: usize = 256 * 1_024, 1_024..=16_777_216, "max-body", "ONHAND_MAX_BODY";

        /// Maximum size of a message of a client over a websocket, in bytes.
        ///
        /// The websocket is closed with 1009.
        message: usize = 64 * 1_024, 1_024..=1_048_576, "max-message", "ONHAND_MAX_MESSAGE";

        /// Maximum number of operations that run on one websocket.
        ///
        /// A further one is refused: `LIMIT_EXCEEDED`.
        operations: usize = 50, 1..=1_000, "max-socket-operations", "ONHAND_MAX_SOCKET_OPERATIONS";

        /// Maximum size of an answer, in bytes: as JSON, and while it is made, with 32 bytes for each field besides its text.
        /// At most `ONHAND_UNSENT_PER_CLIENT`.
        ///
        /// `LIMIT_EXCEEDED`; a subscription ends.
        answer: usize = 4 * 1_024 * 1_024, 65_536..=67_108_864, "max-answer", "ONHAND_MAX_ANSWER";

        /// Maximum size of all answers of more than 4 kB that are made and not sent yet, in bytes.
        ///
        /// The connection that has read nothing for longest ends, after 1 s; otherwise `OVERLOADED`.
        unsent: usize = 256 * 1_024 * 1_024, 1_048_576..=68_719_476_736, "max-unsent", "ONHAND_MAX_UNSENT";

        /// Maximum number of TCP connections that are open at the same time, those of websockets among them. There are fewer
        /// where the process may not open 512 files more than that.
        ///
        /// The oldest idle ones are closed, but none of a trusted proxy; otherwise the new one gets 503.
        connections: usize = 16_000, 16..=1_000_000, "max-connections", "ONHAND_MAX_CONNECTIONS";

        /// Maximum number of requests that are executed at the same time.
        ///
        /// A further one is refused: 503 with `Retry-After`, `OVERLOADED`.
        in_flight: usize = 512, 1..=100_000, "max-in-flight", "ONHAND_MAX_IN_FLIGHT";

        /// Maximum number of websockets and event streams that are open at the same time.
        ///
        /// A further one is refused: 503 with `Retry-After`, `OVERLOADED`.
        sockets: usize = 12_000, 1..=1_000_000, "max-sockets", "ONHAND_MAX_SOCKETS";

        /// Maximum number of mutations that wait for the writer.
        ///
        /// A further one is refused: `OVERLOADED`.
        queued: usize = 4_096, 1..=100_000, "max-queued", "ONHAND_MAX_QUEUED";
    }
}

impl LimitSettings {
    /// Checks that the limits fit together.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self) -> Result<(), String> {
        let Self { documents, clients, sizes, .. } = self;
        if clients.unsent_per_client < sizes.answer || sizes.unsent < clients.unsent_per_client {
            return Err(
                "ONHAND_MAX_ANSWER is at most ONHAND_UNSENT_PER_CLIENT, and that at most ONHAND_MAX_UNSENT".to_owned()
            );
        }
        if sizes.body < documents.variables_size {
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
            ["--max-depth", "17"],
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
        assert!(check(&["--max-body", "2048"]).is_err());
        assert!(check(&["--max-answer", "33554433"]).is_err());
        assert!(check(&["--max-unsent", "1048576"]).is_err());
    }

    #[test]
    fn limits_are_their_defaults_unless_set() {
        assert_eq!(CommandLine::parse_from(["onhand"]).limits, LimitSettings::default());
    }
}
