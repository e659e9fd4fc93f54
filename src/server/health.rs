//! Whether the server lives, and whether it wants requests. It tells nothing else about itself.

use axum::extract::State;
use axum::http::StatusCode;

use super::Served;

/// The process is there.
pub async fn live() -> &'static str {
    "live\n"
}

/// Requests are welcome: the database answers and takes changes, as far as is known. It is not asked for this, so the
/// answer comes at once.
pub async fn ready(State(served): State<Served>) -> (StatusCode, String) {
    match served.readiness.obstacle() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")),
    }
}
