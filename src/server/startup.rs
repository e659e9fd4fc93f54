//! The start and the end of the server: it listens from the first moment of the process to the last. Before the application
//! is ready and once the shutdown has begun, requests are answered with 503 and `Retry-After`.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::supervision::owned;

use super::concurrency::ConcurrencyLimit;
use super::listen::{self, HttpServer};
use super::origin::Origins;
use super::service::{Application, HttpService};
use super::transport::TransportConfig;
use super::{HttpConfig, ServerState, error_response, health, metrics, router};

/// A server that listens and answers 503 until the application is ready.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Startup {
    service: HttpService,
    origins: Origins,
    server: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Startup {
    /// Starts to answer requests on this listener.
    pub fn open(listener: TcpListener, transport: &TransportConfig, stop: CancellationToken) -> Self {
        let origins = Origins::new(&transport.origins);
        let service = HttpService::new(starting_router(stop.clone()), &origins, stop.clone());
        let server = HttpServer {
            service: service.clone(),
            timeouts: transport.timeouts,
            connections: transport.connections.clone(),
            sockets: transport.sockets.clone(),
        };
        let server = owned(listen::listen(listener, server, stop.clone()));
        Self { service, origins, server, stop }
    }

    /// Answers with the application from now on.
    ///
    /// # Errors
    /// When the schema is not valid.
    pub fn serve(self, app: App, config: HttpConfig) -> anyhow::Result<RunningServer> {
        let Self { service, origins, server, stop } = self;
        metrics::install();
        let (sockets, drain) = (config.transport.sockets.clone(), config.transport.timeouts.drain);
        let is_loopback_only = config.authenticator.is_development();
        let state = ServerState::new(app.clone(), config, origins, stop.clone())?;
        service.start(Application { router: router::router(state), is_loopback_only });
        Ok(RunningServer { app, sockets, drain, server, stop })
    }
}

/// A server that answers with the application.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct RunningServer {
    app: App,
    sockets: ConcurrencyLimit,
    drain: Duration,
    server: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl RunningServer {
    /// Serves until the shutdown begins, then drains within the drain timeout: closes the sockets so that their clients
    /// reconnect elsewhere, and finishes the requests, mutations and payments that are under way.
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
        if timeout_at(deadline, sockets.all_released()).await.is_err() {
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

/// Returns the routes that answer while there is no application.
fn starting_router(stop: CancellationToken) -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(not_ready))
        .fallback(unavailable)
        .with_state(stop)
}

async fn not_ready(State(stop): State<CancellationToken>) -> (StatusCode, &'static str) {
    let why = if stop.is_cancelled() { "draining\n" } else { "migrating\n" };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

async fn unavailable(State(stop): State<CancellationToken>) -> Response {
    let why = if stop.is_cancelled() { "The server is going away." } else { "The server is starting." };
    error_response::unavailable(&format!("{why} Nothing was executed; try again soon."))
}
