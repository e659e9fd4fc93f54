//! `/metrics`, in the text format of Prometheus. In production it is for staff, and for holders of the metrics token, which
//! is valid for nothing else.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::graphql::Code;
use crate::observability::{lines, metrics as telemetry};
use crate::payment::gateway::Receipt;
use crate::payment::{CallResult, gateway_names};
use domain::actor::Actor;
use domain::rejection;

use super::auth::InvalidToken;
use super::error_response::{error_response, unauthorized};
use super::{Identity, ServerState};

/// The media type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets for times, in seconds: from a fast disk to the request timeout.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Upper bounds of the buckets for commands in a batch.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Installs the recorder, once per process.
pub fn install() {
    handle();
}

/// Returns the recorder; `None` if the process has another one already.
fn handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS));
        let handle = builder.and_then(PrometheusBuilder::install_recorder).ok();
        telemetry::describe();
        let codes = Code::ALL.iter().map(|code| code.as_str());
        let rejections = rejection::Code::ALL.iter().map(|code| code.as_str());
        let gateways: Vec<_> = gateway_names().collect();
        let results: Vec<_> = CallResult::ALL.iter().map(|result| result.as_str()).collect();
        let receipts: Vec<_> = Receipt::ALL.iter().map(|receipt| receipt.as_str()).collect();
        telemetry::begin_notices(&gateways, &receipts);
        telemetry::begin(codes.chain(rejections), &gateways, &results);
        handle
    };
    HANDLE.get_or_init(install).as_ref()
}

/// Returns all metrics.
pub async fn metrics(State(state): State<Arc<ServerState>>, headers: HeaderMap) -> Response {
    let authenticator = &state.config.authenticator;
    if !authenticator.may_read_metrics(&headers) {
        match authenticator.authenticate(&headers) {
            Ok(identity) if identity.actor.is_staff() => {}
            Ok(Identity { actor: Actor::Guest, .. }) => return unauthorized("Metrics are for staff; send a token."),
            Ok(_) => return error_response(StatusCode::FORBIDDEN, Code::Forbidden, "Metrics are for staff."),
            Err(InvalidToken) => return state.invalid_token(&headers),
        }
    }
    let Some(handle) = handle() else { return StatusCode::NOT_FOUND.into_response() };
    if let Some(age) = state.app.feed_age.age() {
        telemetry::feed_age(age);
    }
    if let Some(set) = authenticator.key_set() {
        telemetry::key_set(set.age(), set.size(), set.failures());
    }
    for (pool, used) in state.app.store.connections() {
        telemetry::database_connections(pool, used.open, used.idle, used.waiting);
    }
    telemetry::process(lines::dropped(), files());
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], handle.render()).into_response()
}

/// Returns how many files the process has open, if the platform tells it, and how many it may open.
fn files() -> (Option<u64>, Option<u64>) {
    let open = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    // One of them is the listing itself.
    let open = open.ok().map(|files| (files.count() as u64).saturating_sub(1));
    (open, rlimit::Resource::NOFILE.get_soft().ok())
}
