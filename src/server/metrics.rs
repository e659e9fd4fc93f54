//! `/metrics`: what an operator watches, in the text format of Prometheus. In production it is for staff and for who has
//! the token of metrics, which is good for nothing else.

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::graphql::Code;
use crate::observability::{lines, metrics as telemetry};
use crate::payment::{GATEWAYS, RESULTS};
use domain::actor::Actor;
use domain::rejection;

use super::auth::BadToken;
use super::refusal::{refuse, unauthorized};
use super::{Identity, Served};

/// The media type of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds of the buckets for times, in seconds: from a fast disk to a caller's patience.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Bounds of the buckets for commands in a batch.
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Begins to count, once per process.
pub fn install() {
    handle();
}

/// `None` when somebody else counts in this process already.
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
        telemetry::begin(codes.chain(rejections), &GATEWAYS, &RESULTS);
        handle
    };
    HANDLE.get_or_init(install).as_ref()
}

/// Everything that was counted since the start.
pub async fn metrics(State(served): State<Served>, headers: HeaderMap) -> Response {
    let gate = &served.front.gate;
    if !gate.may_read_metrics(&headers) {
        match gate.admit_headers(&headers) {
            Ok(identity) if identity.actor.is_staff() => {}
            Ok(Identity { actor: Actor::Guest, .. }) => return unauthorized("Metrics are for staff; send a token."),
            Ok(_) => return refuse(StatusCode::FORBIDDEN, Code::Forbidden, "Metrics are for staff."),
            Err(BadToken) => return served.bad_token(&headers),
        }
    }
    let Some(handle) = handle() else { return StatusCode::NOT_FOUND.into_response() };
    if let Some(age) = served.app.feed_age.age() {
        telemetry::feed_age(age);
    }
    if let Some(set) = gate.key_set() {
        telemetry::key_set(set.age(), set.size(), set.failures());
    }
    for (pool, used) in served.app.store.connections() {
        telemetry::database_connections(pool, used.open, used.idle, used.waiting);
    }
    telemetry::process(lines::dropped(), files());
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], handle.render()).into_response()
}

/// How many files the process has open, where that can be told, and how many it may.
fn files() -> (Option<u64>, Option<u64>) {
    let open = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    // One of them is the listing itself.
    let open = open.ok().map(|files| (files.count() as u64).saturating_sub(1));
    (open, rlimit::Resource::NOFILE.get_soft().ok())
}
