//! What is logged and traced about a request: its id, method and path, and at its end its status and how long it took.
//!
//! Never its query string, its headers or its body, which may hold tokens and people's data.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Request, Response};
use opentelemetry_http::HeaderExtractor;
use tracing::{Span, field};

use crate::observability::traces;

use super::{API_PATH, API_PATH_WITH_SLASH};

/// Where the id of a request stands.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id of a request that is taken from outside, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// An id that came from outside is kept when it is short and plain; otherwise the request gets one of ours.
pub async fn drop_unfit_id<B>(mut request: Request<B>) -> Request<B> {
    let is_fit = |id: &HeaderValue| id.len() <= MAX_REQUEST_ID && id.as_bytes().iter().all(u8::is_ascii_graphic);
    if request.headers().get(&REQUEST_ID).is_some_and(|id| !is_fit(id)) {
        request.headers_mut().remove(&REQUEST_ID);
    }
    request
}

/// The span of a request; the child of the caller's own, when spans are sent and the caller names it.
pub fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (method, path) = (request.method(), request.uri().path());
    let span = tracing::info_span!("request", id, %method, path, otel.name = field::Empty, otel.kind = field::Empty);
    traces::adopt(&span, &HeaderExtractor(request.headers()));
    // The collector groups by name, so only a path that is ours is in it.
    let known = if matches!(path, API_PATH | API_PATH_WITH_SLASH) { API_PATH } else { "" };
    traces::name(&span, || format!("{method} {known}").trim_end().to_owned());
    span
}

/// Told at the end of a request; where our own failures are told, so is that.
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
