//! The log: lines on standard error, as text or as JSON, and spans to a collector if one is named.
//!
//! No line may hold a token, a query string, a body or personal data: log calls name each field that they log, and never log a
//! whole request. Logging never blocks: see [`crate::observability::lines`].

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

/// Timeout for the last lines to be read when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The most verbose levels of libraries, whatever the settings ask for. More verbose lines hold tokens, passwords or data of
/// clients: messages of websockets, headers of requests, addresses with passwords, values of statements.
const MAX_LEVELS: [(&str, LevelFilter); 9] = [
    ("tungstenite", LevelFilter::DEBUG),
    ("tokio_tungstenite", LevelFilter::DEBUG),
    // A target is a prefix: these are also for hyper_util, sqlx_core and the like.
    ("hyper", LevelFilter::INFO),
    ("h2", LevelFilter::INFO),
    ("reqwest", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("opentelemetry", LevelFilter::INFO),
    ("sea_orm", LevelFilter::DEBUG),
    ("sqlx", LevelFilter::DEBUG),
];

/// The target of the lines of the connection pool.
const POOL: &str = "sqlx_core::pool";

/// The log of this process.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    format: LogFormat,
    sent: Sent,
}

impl Log {
    /// A log that takes only the reason why the process ends, until it is started.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn bare(format: LogFormat) -> io::Result<Self> {
        let notice = match format {
            LogFormat::Text => |lost: u64| format!("onhand: {lost} lines of the log were dropped: nobody read them\n"),
            LogFormat::Json => {
                |lost: u64| json_line("WARN", &format!("{lost} lines of the log were dropped: nobody read them"))
            }
        };
        Ok(Self { lines: Lines::to(io::stderr(), notice)?, format, sent: Sent::none() })
    }

    /// Starts logging, once per process. Also sends spans, if this process `serves` and a collector is named.
    ///
    /// # Errors
    /// When the address of the collector is not valid, or a logger is installed already.
    pub fn start(&mut self, settings: &Serve, serves: bool) -> anyhow::Result<()> {
        let most = Targets::new().with_default(LevelFilter::TRACE).with_targets(MAX_LEVELS);
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

    /// Logs why the process ends, whatever the filter.
    pub fn end_with(&self, reason: &str) {
        let line = match self.format {
            LogFormat::Text => format!("onhand: {reason}\n"),
            LogFormat::Json => json_line("ERROR", reason),
        };
        self.lines.send(line.into_bytes());
    }

    /// Writes and sends what is queued. Takes a few seconds at most, whether or not it is read.
    pub async fn finish(self) {
        self.sent.flush().await;
        self.lines.flush(FLUSH_TIMEOUT);
    }
}

/// Returns the filter without the lines of the connection pool, unless it asks for them: the pool repeats one line many times
/// a second while connections lead to a standby, and the database module logs that once.
fn quiet(settings: &str) -> String {
    format!("{POOL}=off,{settings}")
}

/// Returns a line of the JSON log that no subscriber formats.
fn json_line(level: &str, message: &str) -> String {
    let timestamp = Clock::system().now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let line = json!({ "timestamp": timestamp, "level": level, "message": message, "target": "onhand" });
    format!("{line}\n")
}

/// Logs panics. Their messages are left out, because they may quote data of clients; with `RUST_BACKTRACE=1` there is a
/// backtrace.
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
