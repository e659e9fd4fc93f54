//! Spans for an OpenTelemetry collector: a request, the operation in it, and the batches of the writer. Off unless a
//! collector is named.
//!
//! A span tells names, kinds, times and the status, never variables, headers or what was logged. Sending never holds
//! anybody up: spans wait in a bounded queue that one thread empties, and what does not fit, or finds no collector, is
//! dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Most spans that wait to be sent; more are dropped.
const MAX_WAITING: usize = 4_096;

/// Most spans that are sent at once.
const MAX_SENT: usize = 512;

/// How often they are sent.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// How long the collector may take to take them.
const SEND_WAIT: Duration = Duration::from_secs(2);

/// How long the end of the process waits for the last of them.
const FLUSH_WAIT: Duration = Duration::from_secs(3);

/// Largest answer of a collector that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1_024;

/// Whether spans are sent at all: only then are they given the names and parents that a collector wants.
static ARE_SENT: AtomicBool = AtomicBool::new(false);

/// What is left to be sent at the end.
#[derive(Debug)]
pub struct Sent(Option<SdkTracerProvider>);

impl Sent {
    /// Nothing is sent.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Sends what still waits. It takes a few seconds at the most, whether or not there is a collector.
    pub async fn flush(self) {
        let Some(provider) = self.0 else { return };
        let flushed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WAIT));
        if !matches!(timeout(FLUSH_WAIT, flushed).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans may not have been sent");
        }
    }
}

/// A layer that takes the spans of this crate, and none of its log, to the collector at this address.
///
/// # Errors
/// When the address is none.
pub fn send_to<S>(collector: &str) -> anyhow::Result<(impl Layer<S> + use<S>, Sent)>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let http = reqwest::Client::builder().timeout(SEND_WAIT).redirect(reqwest::redirect::Policy::none()).build()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Courier { http, runtime: Handle::current(), is_away: AtomicBool::new(false) })
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{collector}/v1/traces"))
        .with_timeout(SEND_WAIT)
        .with_retry_policy(RetryPolicy::default().with_max_retries(0))
        .build()
        .context("spans cannot be sent to this collector")?;
    let bounds = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_WAITING)
        .with_max_export_batch_size(MAX_SENT)
        .with_scheduled_delay(SEND_EVERY)
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(bounds).build())
        .with_resource(Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).build())
        .build();
    ARE_SENT.store(true, Ordering::Relaxed);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_ours));
    Ok((layer, Sent(Some(provider))))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(env!("CARGO_PKG_NAME"))
}

/// Names a span for the collector. It must have been made with the field `otel.name`.
pub fn name(span: &Span, name: impl FnOnce() -> String) {
    if ARE_SENT.load(Ordering::Relaxed) {
        span.record("otel.name", name());
    }
}

/// Makes a span that somebody else's request caused the child of theirs, if its headers tell which (`traceparent`). It
/// must not have been entered, and must have been made with the field `otel.kind`.
pub fn adopt(span: &Span, headers: &dyn Extractor) {
    if !ARE_SENT.load(Ordering::Relaxed) {
        return;
    }
    span.record("otel.kind", "server");
    let parent = TraceContextPropagator::new().extract(headers);
    if parent.span().span_context().is_valid() {
        // A span that nobody collects has no parent either.
        let _ = span.set_parent(parent);
    }
}

/// Tells the collector something about a span.
pub fn tell(span: &Span, what: &'static str, value: i64) {
    if ARE_SENT.load(Ordering::Relaxed) {
        span.set_attribute(what, value);
    }
}

/// Carries spans to the collector. The thread that waits for it is not the runtime's.
#[derive(Debug)]
struct Courier {
    http: reqwest::Client,
    runtime: Handle,
    /// Told once, not for each batch that is lost.
    is_away: AtomicBool,
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, request) = (self.http.clone(), request.try_into()?);
        // Even its timer has to be made where the runtime is.
        let answer = self.runtime.spawn(async move { answer(http.execute(request).await?).await }).await?;
        let is_away = !answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        if is_away && !self.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!("the collector takes no spans; they are dropped until it does");
        } else if !is_away {
            self.is_away.store(false, Ordering::Relaxed);
        }
        answer
    }
}

async fn answer(answer: reqwest::Response) -> Result<Response<Bytes>, HttpError> {
    let is_short = answer.content_length().is_some_and(|length| length <= MAX_ANSWER);
    let status = answer.status();
    let body = if is_short { answer.bytes().await? } else { Bytes::new() };
    Ok(Response::builder().status(status).body(body)?)
}
