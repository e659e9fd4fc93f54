//! What is logged and how it looks: lines on standard error, as text or as JSON, and spans to a collector if one is named.
//!
//! No line may hold a token, a query string, a body or anything of a person: whoever logs names what they log, field by
//! field, and nobody logs a request as it came. Nobody waits for who reads the log: see [`crate::observability::lines`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::clock::Clock;
use crate::config::{LogFormat, Serve};
use crate::observability::lines::Lines;
use crate::observability::traces::{self, Sent};

/// How long the end of the process waits for whoever reads the log.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// What libraries log below these levels holds tokens, passwords or what clients sent: no setting asks for it. Messages of
/// websockets, headers of requests, addresses of collectors and keys with their passwords, values of statements.
const MOST: [(&str, LevelFilter); 9] = [
    ("tungstenite", LevelFilter::DEBUG),
    ("tokio_tungstenite", LevelFilter::DEBUG),
    // And what begins with the same letters, such as hyper_util and sqlx_core.
    ("hyper", LevelFilter::INFO),
    ("h2", LevelFilter::INFO),
    ("reqwest", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("opentelemetry", LevelFilter::INFO),
    ("sea_orm", LevelFilter::DEBUG),
    ("sqlx", LevelFilter::DEBUG),
];

/// The pool of connections, as the log calls it.
const POOL: &str = "sqlx_core::pool";

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    format: LogFormat,
    sent: Sent,
}

impl Log {
    /// A log to which nothing but the reason of an end is written.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn bare(format: LogFormat) -> io::Result<Self> {
        let notice = match format {
            LogFormat::Text => |lost: u64| format!("onhand: {lost} lines of the log were dropped: nobody read them\n"),
            LogFormat::Json => {
                |lost: u64| json_line("WARN", &format!("{lost} lines of the log were dropped: nobody read them"))
            }
        };
        Ok(Self { lines: Lines::to(io::stderr(), notice)?, format, sent: Sent::none() })
    }

    /// Begins to log, once per process; sends spans, too, if this process `serves` and a collector is named.
    ///
    /// # Errors
    /// When spans cannot be sent to what is named as a collector, or somebody logs in this process already.
    pub fn start(&mut self, settings: &Serve, serves: bool) -> anyhow::Result<()> {
        let most = Targets::new().with_default(LevelFilter::TRACE).with_targets(MOST);
        let filter = EnvFilter::builder().parse_lossy(quiet(&settings.log)).and(most);
        let lines = self.lines.clone();
        let lines = fmt::layer().with_writer(move || lines.clone());
        let lines = match self.format {
            LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).with_filter(filter).boxed(),
            LogFormat::Json => {
                lines.json().with_ansi(false).flatten_event(true).with_current_span(false).with_filter(filter).boxed()
            }
        };
        let (layer, sent) = match settings.otlp.as_deref().filter(|_| serves) {
            Some(collector) => traces::send_to(collector).map(|(layer, sent)| (Some(layer), sent))?,
            None => (None, Sent::none()),
        };
        self.sent = sent;
        tracing_subscriber::registry().with(lines).with(layer).try_init().context("cannot log")?;
        log_panics();
        Ok(())
    }

    /// Says why the process ends, whatever is logged otherwise.
    pub fn end_with(&self, reason: &str) {
        let line = match self.format {
            LogFormat::Text => format!("onhand: {reason}\n"),
            LogFormat::Json => json_line("ERROR", reason),
        };
        self.lines.send(line.into_bytes());
    }

    /// Writes and sends what still waits. It takes a few seconds at the most, whether or not anybody reads it.
    pub async fn finish(self) {
        self.sent.flush().await;
        self.lines.flush(FLUSH_WAIT);
    }
}

/// What to log, without the lines of the pool of connections unless they are asked for: it says the same many times a second
/// while connections lead to a standby, and our own line tells it once.
fn quiet(settings: &str) -> String {
    format!("{POOL}=off,{settings}")
}

/// A line of the log that no subscriber makes.
fn json_line(level: &str, message: &str) -> String {
    let timestamp = Clock::system().now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let line = json!({ "timestamp": timestamp, "level": level, "message": message, "target": "onhand" });
    format!("{line}\n")
}

/// A panic is a line like any other. Its message is left out, because it may quote what a client sent; with
/// `RUST_BACKTRACE=1` it tells how it came about.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(place, %backtrace, "a panic");
        } else {
            tracing::error!(place, "a panic");
        }
    }));
}
