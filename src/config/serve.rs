//! The settings of the server besides its limits: where it listens, for whom, and what it logs. It opens nothing.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::gateways::GatewaySettings;
use super::holds::HoldSettings;
use super::listen::{self, ListenAddress};
use super::origin;
use super::payment::PaymentTimeouts;
use super::values::{log_filter, shown, switch, within};
use super::webhooks::WebhookSettings;

/// Lifetimes of a cart that can be set, in days.
const CART_DAYS: RangeInclusive<u32> = 1..=3_650;
/// Lifetimes of an unpaid order that can be set.
const ORDER_EXPIRY: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(30 * 24);

/// Settings of the server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub struct Serve {
    /// Where the server listens: an address or a name, and a port; `8001` alone is that port of 127.0.0.1, `:8001` of every
    /// address. In development everybody is staff, so only loopback addresses are accepted. Port 0 takes any free one.
    #[arg(long, env = "ONHAND_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8000", value_parser = listen::listen, global = true)]
    pub listen: ListenAddress,

    /// Origins whose pages may use the API besides the server's own, separated by commas: `https://shop.example`,
    /// `capacitor://localhost`.
    #[arg(long, env = "ONHAND_ALLOWED_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin::entry, global = true)]
    pub allowed_origins: Vec<String>,

    /// Whether an empty catalogue is filled with a dozen demo products. Without a value: in development only.
    #[arg(long, env = "ONHAND_DEMO", value_name = "BOOL", value_parser = switch, global = true)]
    pub demo: Option<bool>,

    /// What is logged to standard error: a level, or modules with theirs, such as `info` or `onhand=debug,sea_orm=info,warn`.
    #[arg(long, env = "ONHAND_LOG", value_name = "FILTER", default_value = "onhand=info,warn", value_parser = log_filter, global = true)]
    pub log: String,

    /// Format of the log: `text` for people, or `json`, one object a line, for collectors.
    #[arg(
        long,
        env = "ONHAND_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        ignore_case = true,
        global = true
    )]
    pub log_format: LogFormat,

    /// The OpenTelemetry collector that spans are sent to, over HTTP (OTLP): `http://127.0.0.1:4318`. Without it none are sent.
    #[arg(long, env = "ONHAND_OTLP", value_name = "URL", value_parser = collector, hide_env_values = true, global = true)]
    pub otlp: Option<String>,

    /// Days without a change after which a cart expires. A week later it is deleted.
    #[arg(long, env = "ONHAND_CART_DAYS", value_name = shown(&CART_DAYS), default_value_t = 30, value_parser = within(CART_DAYS), global = true)]
    pub cart_days: u32,

    /// Time without a change after which an unpaid order is cancelled, with the reason `EXPIRED`: since it was placed, or since
    /// a payment of it failed. One whose payment is in progress never is. Without a value: never.
    #[arg(long, env = "ONHAND_UNPAID_ORDER_EXPIRY", value_name = shown(&ORDER_EXPIRY), value_parser = within(ORDER_EXPIRY), global = true)]
    pub unpaid_order_expiry: Option<Duration>,
    /// Which payment gateways there are.
    #[command(flatten)]
    pub gateways: GatewaySettings,

    /// The release whose servers still run on the same database during a rolling upgrade. Nothing is then written that it cannot
    /// read: authorizing, capturing, voiding, refunding and shipping in parts are refused. Unset once all servers are of this release.
    #[arg(long, env = "ONHAND_COMPATIBLE_WITH", value_name = "RELEASE", global = true)]
    pub compatible_with: Option<EarlierRelease>,

    /// How long paying may take.
    #[command(flatten)]
    pub payment: PaymentTimeouts,

    /// Which orders hold their units before they are paid.
    #[command(flatten)]
    pub holds: HoldSettings,

    /// How outgoing webhooks are sent.
    #[command(flatten)]
    pub webhooks: WebhookSettings,
}

/// A release whose servers may run beside those of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EarlierRelease {
    /// Release 0.1.
    #[value(name = "0.1")]
    V0_1,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads the address of a collector, without the path that every collector has.
fn collector(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let is_address = ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#'));
    if is_address && is_plain {
        Ok(text.to_owned())
    } else {
        Err("a collector looks like http://127.0.0.1:4318".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_are_read() {
        assert_eq!(collector("http://127.0.0.1:4318/").as_deref(), Ok("http://127.0.0.1:4318"));
        assert_eq!(collector("https://otel.example/tenant").as_deref(), Ok("https://otel.example/tenant"));
        for bad in ["", "http://", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://a b", "http://a?b"] {
            assert!(collector(bad).is_err(), "{bad:?}");
        }
    }
}
