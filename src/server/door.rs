//! The door: open from the first moment of the process to the last. Before there is anything to serve, and when a shutdown
//! has begun, whoever comes is told so and to come back; in between the router answers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, map_request};
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::{ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::app::App;
use crate::supervision::owned;

use super::listen::Listening;
use super::origin::Origins;
use super::wire::{Places, Wire};
use super::{Front, assets, health, listen, metrics, origin, refusal, trace};

/// A listener that answers already.
#[derive(Debug)]
#[must_use = "it is shut when it is dropped"]
pub struct Door {
    entrance: Entrance,
    server: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Door {
    /// Begins to answer: that there is nothing yet, or nothing any more.
    pub fn open(listener: TcpListener, wire: &Wire, stop: CancellationToken) -> Self {
        let origins = Origins::new(&wire.origins);
        let entrance = Entrance { inside: Arc::default(), origins, stop: stop.clone() };
        let (connections, sockets) = (wire.connections.clone(), wire.sockets.clone());
        let listening = Listening { router: entrance.router(), times: wire.times, connections, sockets };
        let server = owned(listen::listen(listener, listening, stop.clone()));
        Self { entrance, server, stop }
    }

    /// Lets in whoever comes from now on.
    ///
    /// # Errors
    /// When the schema is not valid.
    pub fn let_in(self, app: App, front: Front) -> anyhow::Result<Serving> {
        let Self { entrance, server, stop } = self;
        metrics::install();
        let (sockets, drain) = (front.wire.sockets.clone(), front.wire.times.drain);
        let inside = super::router(super::served(app.clone(), front, entrance.origins.clone(), stop.clone())?);
        // The door is used up here, so nothing was set before.
        let _ = entrance.inside.set(inside);
        Ok(Serving { app, sockets, drain, server, stop })
    }
}

/// A server that answers what it is asked.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Serving {
    app: App,
    sockets: Places,
    drain: Duration,
    server: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Serving {
    /// Serves until the shutdown begins, then drains: sockets are told to come back, and what was begun is finished, all
    /// within the time that a drain may take.
    ///
    /// # Errors
    /// When the server panics.
    pub async fn until_drained(self) -> anyhow::Result<()> {
        let Self { app, sockets, drain, mut server, stop } = self;
        // In this order: without connections, the server ends as soon as it is told to stop, and that is no fault.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            ended = &mut server => return ended.context("the server panicked"),
        }
        let deadline = Instant::now() + drain;
        app.tasks.close();
        if timeout_at(deadline, &mut server).await.is_err() {
            tracing::warn!("some requests or sockets did not end in time");
            server.abort();
        }
        if timeout_at(deadline, sockets.all_free()).await.is_err() {
            tracing::warn!("some sockets did not close in time");
        }
        if timeout_at(deadline, app.tasks.wait()).await.is_err() {
            tracing::warn!(
                "some payments or mutations did not end in time; recovery takes payments up at the next start"
            );
        }
        Ok(())
    }
}

/// Who answers just now.
#[derive(Debug, Clone)]
struct Entrance {
    inside: Arc<OnceLock<Router>>,
    origins: Origins,
    stop: CancellationToken,
}

impl Entrance {
    /// From the outside in: a request gets an id, what is logged about it bears the id, and the answer tells it; pages of
    /// allowed origins may read it, whatever it is; and what panics is answered.
    fn router(&self) -> Router {
        let (entrance, outside) = (self.clone(), self.outside());
        let answer = service_fn(move |request: Request| {
            let inside = entrance.inside.get().filter(|_| !entrance.stop.is_cancelled());
            inside.unwrap_or(&outside).clone().oneshot(request)
        });
        let trace = TraceLayer::new_for_http().make_span_with(trace::span).on_request(()).on_response(trace::finished);
        let answered = Router::new().fallback_service(answer).layer(from_fn(refusal::bound_head));
        let answered = answered.layer(CatchPanicLayer::custom(refusal::panicked));
        Router::new()
            // For every page, allowed or not: it says so itself.
            .route_service(assets::BADGE_PATH, answered.clone().into_service())
            .fallback_service(answered.layer(self.origins.cors()))
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(trace.on_body_chunk(()).on_eos(()).on_failure(()))
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(map_request(trace::drop_unfit_id))
            .layer(map_request(origin::name_host))
    }

    /// What answers when nobody is let in.
    fn outside(&self) -> Router {
        Router::new()
            .route("/health/live", get(health::live))
            .route("/health/ready", get(not_ready))
            .fallback(come_back)
            .with_state(self.stop.clone())
    }
}

async fn not_ready(State(stop): State<CancellationToken>) -> (StatusCode, &'static str) {
    let why = if stop.is_cancelled() { "draining\n" } else { "migrating\n" };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

async fn come_back(State(stop): State<CancellationToken>) -> Response {
    let when = if stop.is_cancelled() { "The server is going away." } else { "The server is starting." };
    refusal::unavailable(&format!("{when} Nothing was executed; try again soon."))
}
