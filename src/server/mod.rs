//! The server: everything of HTTP, server-sent events and websockets, from the first byte to the drain at shutdown.
//!
//! The only module that knows axum. It decides nothing about the shop.

mod answer_memory;
mod assets;
mod auth;
pub mod bind;
mod caching;
mod caller;
mod connections;
mod door;
mod encode;
mod end;
mod events;
mod execution;
mod health;
mod http;
mod key_set;
mod line;
mod listen;
mod message;
mod metrics;
mod operation;
mod origin;
mod persisted;
mod person;
mod rate;
mod readiness;
mod refusal;
mod seats;
mod socket;
mod spelling;
mod trace;
mod wire;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::graphql::{ApiSchema, Documents, Limits, SharedReads, Viewer, schema};

use self::origin::Origins;
use self::persisted::Persisted;
use self::readiness::Readiness;

pub use answer_memory::{AnswerMemory, AnswerMemoryLimits};
pub use auth::{Gate, Identity, token};
pub use connections::{ConnectionBounds, ConnectionLimiter};
pub use door::{Door, Serving};
pub use person::Person;
pub use rate::{Rate, Rates};
pub use seats::Seats;
pub use wire::{Places, SizeLimits, Timeouts, Wire};

/// Where the API is.
const API_PATH: &str = "/graphql";
/// The same.
const API_PATH_WITH_SLASH: &str = "/graphql/";

/// Who is let in, and what they find.
#[derive(Clone, Debug)]
pub struct Front {
    /// Checks tokens.
    pub gate: Gate,
    /// Whether there is introspection, the page to explore the API and the demo shop, and errors suggest names of the schema.
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
    shared_reads: Arc<SharedReads>,
    readiness: Readiness,
    origins: Origins,
    stop: CancellationToken,
}

impl Served {
    /// Waits until a token expires, or its key is withdrawn; for ever without one.
    async fn expiry(&self, identity: Option<&Identity>) {
        let Some((identity, at)) = identity.and_then(|identity| Some((identity, identity.expires_at?))) else {
            return std::future::pending().await;
        };
        // A token that has expired already is over at once.
        let left = (at - self.app.clock.now()).to_std().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = self.front.gate.withdrawn(identity) => {}
        }
    }

    /// What somebody sees.
    fn viewer(&self, identity: Identity, person: Person) -> Viewer {
        Viewer { actor: identity.actor, client: person, public_stock: self.app.public_stock }
    }
}

fn router(served: Served) -> Router {
    let max_body = DefaultBodyLimit::max(served.front.wire.room.body);
    let api = get(http::get).post(http::post).fallback(http::no_such_method);
    let router = Router::new()
        .route(API_PATH, api.clone())
        // As some clients and proxies complete it.
        .route(API_PATH_WITH_SLASH, api)
        .route("/metrics", get(metrics::metrics))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/", get(assets::index))
        .route("/assets/{name}", get(assets::asset))
        .route("/demo", get(assets::demo))
        .route("/demo/", get(assets::demo_with_slash))
        .route("/demo/assets/{name}", get(assets::demo_asset))
        .route(assets::BADGE_PATH, get(assets::badge).fallback(assets::badge_is_only_read))
        .fallback(http::no_such_path)
        .method_not_allowed_fallback(http::no_such_method_here);
    // Server-sent events are not compressed: each is sent as it comes.
    let router = router.layer(CompressionLayer::new());
    let router = if served.front.gate.is_development() { router.layer(from_fn(origin::only_loopback)) } else { router };
    router.layer(max_body).with_state(served)
}

/// What every handler has at hand, with a watch on the database beside them.
fn served(app: App, front: Front, origins: Origins, stop: CancellationToken) -> anyhow::Result<Served> {
    let readiness = Readiness::default();
    app.supervisor.spawn("the readiness check", &stop, readiness.clone().watch(app.clone(), stop.clone()));
    Ok(Served {
        schema: schema(app.clone(), front.explore),
        documents: Documents::new(front.documents.clone())
            .context("the schema is not valid")?
            .suggesting(front.explore),
        front,
        app,
        persisted: Persisted::default(),
        shared_reads: Arc::default(),
        readiness,
        origins,
        stop,
    })
}
