//! Whether the server lives, and whether it wants requests. It tells nothing else about itself.

use axum::extract::State;
use axum::http::StatusCode;

use super::Served;

/// The process is there.
pub async fn live() -> &'static str {
    "live\n"
}

/// Requests are welcome: the database answers, as far as is known. It is not asked for this, so the answer comes at once.
pub async fn ready(State(served): State<Served>) -> (StatusCode, &'static str) {
    if served.readiness.is_there() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    }
}
