//! What is logged and how it looks: lines on standard error, as text or as JSON, and spans to a collector if one is named.
//!
//! No line may hold a token, a query string, a body or anything of a person: whoever logs names what they log, field by
//! field, and nobody logs a request as it came.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogFormat, Serve};
use crate::spans::{self, Sent};

/// Begins to log, once per process; sends spans, too, if this process `serves` and a collector is named.
///
/// # Errors
/// When spans cannot be sent to what is named as a collector, or somebody logs in this process already.
pub fn start(settings: &Serve, serves: bool) -> anyhow::Result<Sent> {
    let filter = EnvFilter::builder().parse_lossy(&settings.log);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
        LogFormat::Json => {
            lines.json().with_ansi(false).flatten_event(true).with_current_span(false).with_filter(filter).boxed()
        }
    };
    let (layer, sent) = match settings.otlp.as_deref().filter(|_| serves) {
        Some(collector) => spans::send_to(collector).map(|(layer, sent)| (Some(layer), sent))?,
        None => (None, Sent::none()),
    };
    tracing_subscriber::registry().with(lines).with(layer).try_init().context("cannot log")?;
    log_panics();
    Ok(sent)
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
