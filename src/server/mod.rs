//! The server: everything of HTTP, server-sent events and websockets, from the first byte to the drain at shutdown.
//!
//! The only module that knows axum. It decides nothing about the shop.

mod assets;
mod caching;
mod events;
mod health;
mod http;
mod line;
mod listen;
mod operation;
mod origin;
mod persisted;
mod refusal;
mod socket;
mod wire;

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::from_fn;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::graphql::{ApiSchema, schema};

use self::persisted::Persisted;

pub use wire::{Places, Times, Wire};

/// Largest body of a request, in bytes.
const MAX_BODY: usize = 256 * 1_024;

/// How long a shutdown waits for what was begun. Payments that take longer are recovery's at the next start.
const MAX_DRAIN: Duration = Duration::from_secs(8);

/// What every handler has at hand.
#[derive(Clone)]
struct Served {
    app: App,
    schema: ApiSchema,
    persisted: Persisted,
    wire: Wire,
    stop: CancellationToken,
}

impl FromRef<Served> for App {
    fn from_ref(served: &Served) -> Self {
        served.app.clone()
    }
}

fn router(served: Served) -> Router {
    let api = get(http::get).post(http::post).layer(origin::cors(&served.wire.origins));
    let router = Router::new()
        .route("/graphql", api)
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/", get(assets::index))
        .route("/assets/{name}", get(assets::asset));
    // Server-sent events are not compressed: each is sent as it comes.
    let router = router.layer(CompressionLayer::new());
    let router = if served.wire.only_loopback { router.layer(from_fn(origin::only_loopback)) } else { router };
    router.layer(CatchPanicLayer::custom(refusal::panicked)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(served)
}

/// Serves until `stop` is cancelled, then drains: no new connections, sockets are told to come back, and what was begun
/// is finished, all within [`MAX_DRAIN`].
///
/// # Errors
/// When the server panics.
pub async fn serve(app: App, wire: Wire, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let (times, sockets) = (wire.times, wire.sockets.clone());
    let schema = schema(app.clone());
    let served = Served { schema, app: app.clone(), persisted: Persisted::default(), wire, stop: stop.clone() };
    let mut server = tokio::spawn(listen::listen(listener, router(served), times, stop.clone()));
    tokio::select! {
        ended = &mut server => return ended.context("the server panicked"),
        () = stop.cancelled() => {}
    }
    let deadline = Instant::now() + MAX_DRAIN;
    app.tasks.close();
    if timeout_at(deadline, &mut server).await.is_err() {
        tracing::warn!("some requests did not end in time");
        server.abort();
    }
    if timeout_at(deadline, sockets.all_free()).await.is_err() {
        tracing::warn!("some sockets did not close in time");
    }
    if timeout_at(deadline, app.tasks.wait()).await.is_err() {
        tracing::warn!("some payments did not end in time; recovery takes them up at the next start");
    }
    Ok(())
}
