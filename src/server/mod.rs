//! The server: everything of HTTP, server-sent events and websockets, from the first byte to the drain at shutdown.
//!
//! The only module that knows axum. It decides nothing about the shop.

mod assets;
mod auth;
mod caching;
mod caller;
pub mod defaults;
mod end;
mod events;
mod health;
mod http;
mod key_set;
mod line;
mod listen;
mod metrics;
mod operation;
mod origin;
mod persisted;
mod person;
mod rate;
mod refusal;
mod seats;
mod socket;
mod wire;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Request};
use axum::middleware::{from_fn, map_request};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::app::App;
use crate::graphql::{ApiSchema, Documents, Limits, Viewer, schema};

use self::persisted::Persisted;

pub use auth::{Gate, Identity, token};
pub use person::Person;
pub use rate::{Rate, Rates};
pub use seats::Seats;
pub use wire::{Places, Room, Times, Wire};

/// Where the id of a request stands.
const REQUEST_ID: &str = "x-request-id";

/// Longest id of a request that is taken from outside, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// Who is let in, and what they find.
#[derive(Clone, Debug)]
pub struct Front {
    /// Checks tokens.
    pub gate: Gate,
    /// Whether there is introspection, and the page to explore the API.
    pub explore: bool,
    /// What one document may ask for.
    pub documents: Limits,
    /// How much comes in at once, how long it may take, and from where.
    pub wire: Wire,
}

/// What every handler has at hand.
#[derive(Clone)]
struct Served {
    app: App,
    front: Front,
    schema: ApiSchema,
    documents: Documents,
    persisted: Persisted,
    stop: CancellationToken,
}

impl Served {
    /// Waits until a token expires; for ever without one.
    async fn expiry(&self, identity: Option<&Identity>) {
        match identity.and_then(|identity| identity.expires_at) {
            None => std::future::pending().await,
            Some(at) => {
                // A token that has expired already is over at once.
                let left = (at - self.app.clock.now()).to_std().unwrap_or_default();
                tokio::time::sleep(left).await;
            }
        }
    }

    /// What somebody sees.
    fn viewer(&self, identity: Identity) -> Viewer {
        Viewer { party: identity.party, public_stock: self.app.public_stock }
    }
}

fn router(served: Served) -> Router {
    let max_body = DefaultBodyLimit::max(served.front.wire.room.body);
    let api = get(http::get).post(http::post).layer(origin::cors(&served.front.wire.origins));
    let router = Router::new()
        .route("/graphql", api)
        .route("/metrics", get(metrics::metrics))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/", get(assets::index))
        .route("/assets/{name}", get(assets::asset))
        .route("/stock-badge.js", get(assets::badge));
    // Server-sent events are not compressed: each is sent as it comes.
    let router = router.layer(CompressionLayer::new());
    let router = if served.front.gate.is_development() { router.layer(from_fn(origin::only_loopback)) } else { router };
    // From the outside in: a request gets an id, what is logged about it bears the id, and the answer tells it.
    let router = router.layer(PropagateRequestIdLayer::x_request_id());
    let router = router.layer(TraceLayer::new_for_http().make_span_with(span));
    let router = router.layer(SetRequestIdLayer::x_request_id(MakeRequestUuid));
    let router = router.layer(map_request(drop_unfit_id));
    router.layer(CatchPanicLayer::custom(refusal::panicked)).layer(max_body).with_state(served)
}

/// An id that came from outside is kept when it is short and plain; otherwise the request gets one of ours.
async fn drop_unfit_id<B>(mut request: Request<B>) -> Request<B> {
    let is_fit = |id: &HeaderValue| id.len() <= MAX_REQUEST_ID && id.as_bytes().iter().all(u8::is_ascii_graphic);
    if request.headers().get(REQUEST_ID).is_some_and(|id| !is_fit(id)) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// What is logged about a request: its id, method and path. Never its query string, its headers or its body, which may
/// hold tokens and people's data.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// Serves until `stop` is cancelled, then drains: no new connections, sockets are told to come back, and what was begun
/// is finished, all within the time that a drain may take.
///
/// # Errors
/// When the server panics.
pub async fn serve(app: App, front: Front, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    metrics::install();
    let (times, sockets) = (front.wire.times, front.wire.sockets.clone());
    let served = Served {
        schema: schema(app.clone(), front.explore),
        documents: Documents::new(front.documents.clone()).context("the schema is not valid")?,
        front,
        app: app.clone(),
        persisted: Persisted::default(),
        stop: stop.clone(),
    };
    let mut server = tokio::spawn(listen::listen(listener, router(served), times, stop.clone()));
    tokio::select! {
        ended = &mut server => return ended.context("the server panicked"),
        () = stop.cancelled() => {}
    }
    let deadline = Instant::now() + times.drain;
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
