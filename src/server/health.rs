//! Whether the server lives, and whether it wants requests. It tells nothing else about itself.

use axum::extract::State;
use axum::http::StatusCode;

use super::Served;

/// The process is there.
pub async fn live() -> &'static str {
    "live\n"
}

/// Requests are welcome: the database answers, and no shutdown has begun.
pub async fn ready(State(served): State<Served>) -> (StatusCode, &'static str) {
    if served.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match served.app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
        }
    }
}
