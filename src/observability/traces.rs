//! Spans for an OpenTelemetry collector: a request, the operation in it, and the batches of the writer. Off unless a
//! collector is named.
//!
//! A span has names, kinds, times and a status, never variables, headers or log lines. Sending never blocks: spans wait in a
//! bounded queue that one thread empties, and those that do not fit, or find no collector, are dropped.

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

/// Maximum number of spans that wait to be sent; more are dropped.
const MAX_WAITING: usize = 4_096;

/// Maximum number of spans in one export.
const MAX_SENT: usize = 512;

/// The interval between two exports.
const SEND_EVERY: Duration = Duration::from_secs(1);

/// Timeout for one export.
const SEND_WAIT: Duration = Duration::from_secs(2);

/// Timeout for the last export when the process ends.
const FLUSH_WAIT: Duration = Duration::from_secs(3);

/// Maximum size of an answer of the collector, in bytes.
const MAX_ANSWER: u64 = 64 * 1_024;

/// Whether spans are sent: only then they get the names and parents that a collector wants.
static ARE_SENT: AtomicBool = AtomicBool::new(false);

/// The spans that are still to be sent.
#[derive(Debug)]
pub struct Sent(Option<SdkTracerProvider>);

impl Sent {
    /// No spans are sent.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Sends what is queued. Takes a few seconds at most, whether or not there is a collector.
    pub async fn flush(self) {
        let Some(provider) = self.0 else { return };
        let flushed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WAIT));
        if !matches!(timeout(FLUSH_WAIT, flushed).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last spans may not have been sent");
        }
    }
}

/// Returns a layer that sends the spans of this crate, and none of its log lines, to the collector at this address.
///
/// # Errors
/// When the address is not valid.
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

/// Names a span for the collector. The span must have been created with the field `otel.name`.
pub fn name(span: &Span, name: impl FnOnce() -> String) {
    if ARE_SENT.load(Ordering::Relaxed) {
        span.record("otel.name", name());
    }
}

/// Makes a span the child of the client's span, if the headers of the request name one (`traceparent`). The span must not have
/// been entered, and must have been created with the field `otel.kind`.
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

/// Adds an attribute to a span for the collector.
pub fn tell(span: &Span, what: &'static str, value: i64) {
    if ARE_SENT.load(Ordering::Relaxed) {
        span.set_attribute(what, value);
    }
}

/// Sends spans to the collector. The thread that waits for it is not one of the runtime.
#[derive(Debug)]
struct Courier {
    http: reqwest::Client,
    runtime: Handle,
    /// Logged once, not for each export that is lost.
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
