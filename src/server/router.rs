//! The routes of the application. What applies to every request, whatever its route, is in [`super::service`].

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};

use super::{API_PATH, API_PATH_WITH_SLASH, ServerState, assets, health, http, metrics, webhooks};

/// Minimum size of a body that is compressed, in bytes: smaller ones fit into one packet either way.
const MIN_COMPRESSED: u64 = 1_024;

/// Returns the routes of the application.
pub fn router(state: Arc<ServerState>) -> Router {
    // The predicate leaves out server-sent events: each is sent as it comes.
    let compressed = DefaultPredicate::new().and(SizeAbove::new(MIN_COMPRESSED));
    let max_body = DefaultBodyLimit::max(state.config.transport.sizes.body);
    let api = get(http::get).post(http::post).fallback(http::method_not_allowed).layer(max_body);
    Router::new()
        .route(API_PATH, api.clone())
        .route(API_PATH_WITH_SLASH, api)
        .route("/metrics", get(metrics::metrics))
        .route("/", get(assets::index))
        .route("/assets/{name}", get(assets::asset))
        .route("/demo", get(assets::demo))
        .route("/demo/", get(assets::demo_with_slash))
        .route("/demo/assets/{name}", get(assets::demo_asset))
        .route(assets::BADGE_PATH, get(assets::badge).fallback(assets::badge_is_only_read))
        .layer(CompressionLayer::new().compress_when(compressed))
        // Too small to be compressed.
        .route("/webhooks/{gateway}", post(webhooks::receive).layer(DefaultBodyLimit::max(webhooks::MAX_BODY)))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(http::unknown_path)
        .method_not_allowed_fallback(http::method_not_allowed_elsewhere)
        .with_state(state)
}
