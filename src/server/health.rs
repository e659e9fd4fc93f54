//! The health endpoints: whether the process lives, and whether it is ready for requests. They tell nothing else about it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::ServerState;

/// Answers that the process is alive.
pub async fn live() -> &'static str {
    "live\n"
}

/// Answers whether requests are welcome: whether the database answers and takes changes, as of the last check. It does not
/// query the database, so it answers at once.
pub async fn ready(State(state): State<Arc<ServerState>>) -> (StatusCode, String) {
    match state.readiness.obstacle() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")),
    }
}
