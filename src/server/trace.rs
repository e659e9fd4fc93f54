//! What is logged and traced about a request: its id, method and path, and at its end its status and how long it took.
//!
//! Never its query string, its headers or its body, which may hold tokens and personal data.

use std::time::Duration;

use axum::http::{HeaderValue, Request, Response};
use opentelemetry_http::HeaderExtractor;
use tracing::{Span, field};

use crate::observability::traces;

use super::{API_PATH, API_PATH_WITH_SLASH};

/// Returns the span of a request; the child of the caller's own if spans are exported and the caller names one.
pub fn span<B>(request: &Request<B>, id: &HeaderValue) -> Span {
    let id = id.to_str().unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!("request", id, %method, path, otel.name = field::Empty, otel.kind = field::Empty);
    traces::adopt(&span, &HeaderExtractor(request.headers()));
    // The collector groups by name, so the name has only paths of the API in it.
    let known = if matches!(path, API_PATH | API_PATH_WITH_SLASH) { API_PATH } else { "" };
    traces::name(&span, || format!("{method} {known}").trim_end().to_owned());
    span
}

/// Logs the end of a request: at `info` if the server failed, at `debug` otherwise.
pub fn finished<B>(response: &Response<B>, took: Duration, span: &Span) {
    let status = response.status();
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    traces::tell(span, "http.response.status_code", status.as_u16().into());
    if status.is_server_error() {
        tracing::info!(status = status.as_u16(), millis, "answered");
    } else {
        tracing::debug!(status = status.as_u16(), millis, "answered");
    }
}
