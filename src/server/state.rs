//! What every handler shares: the application, the schema, and the limits. It is made once, at the start.

use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::graphql::{ApiSchema, Documents, Limits, SharedReads, Viewer, schema};
use domain::client::ClientKey;

use super::auth::{Authenticator, Identity};
use super::origin::Origins;
use super::persisted::PersistedQueries;
use super::readiness::Readiness;
use super::shared_answers::SharedAnswers;
use super::shared_results::SharedResults;
use super::transport::TransportConfig;

/// The configuration of the server.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Checks tokens.
    pub authenticator: Authenticator,
    /// Whether there are introspection, GraphiQL and the demo shop, and errors suggest names of the schema.
    pub explore: bool,
    /// Limits of a document.
    pub documents: Limits,
    /// Sizes, timeouts and limiters of the transport.
    pub transport: TransportConfig,
}

/// What every handler shares.
pub struct ServerState {
    /// The application.
    pub app: App,
    /// The configuration of the server.
    pub config: HttpConfig,
    /// The schema of the API.
    pub schema: ApiSchema,
    /// Checks documents.
    pub documents: Documents,
    /// Automatic persisted queries.
    pub persisted: PersistedQueries,
    /// Answers that queries share.
    pub shared_answers: Arc<SharedAnswers>,
    /// Results that subscriptions share.
    pub shared_results: Arc<SharedResults>,
    /// What operations read together.
    pub shared_reads: Arc<SharedReads>,
    /// Whether the server is ready.
    pub readiness: Readiness,
    /// The origins whose pages may use the API.
    pub origins: Origins,
    /// Cancelled when the shutdown begins.
    pub stop: CancellationToken,
}

impl ServerState {
    /// Returns the state of a server, and starts its readiness check.
    ///
    /// # Errors
    /// When the schema is not valid.
    pub fn new(app: App, config: HttpConfig, origins: Origins, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let readiness = Readiness::default();
        app.supervisor.spawn("the readiness check", &stop, readiness.clone().watch(app.clone(), stop.clone()));
        Ok(Arc::new(Self {
            schema: schema(app.clone(), config.explore),
            documents: Documents::new(config.documents).context("the schema is not valid")?.suggesting(config.explore),
            config,
            app,
            persisted: PersistedQueries::default(),
            shared_answers: Arc::default(),
            shared_results: Arc::default(),
            shared_reads: Arc::default(),
            readiness,
            origins,
            stop,
        }))
    }

    /// Waits until a token expires or its key is revoked; for ever without a token.
    pub async fn expiry(&self, identity: Option<&Identity>) {
        let Some((identity, at)) = identity.and_then(|identity| Some((identity, identity.expires_at?))) else {
            return std::future::pending().await;
        };
        // Zero if the token has expired already.
        let left = (at - self.app.clock.now()).to_std().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = self.config.authenticator.key_revoked(identity) => {}
        }
    }

    /// Returns who asks, and what they may see.
    pub fn viewer(&self, identity: Identity, client: ClientKey) -> Viewer {
        Viewer { actor: identity.actor, client, public_stock: self.app.public_stock }
    }
}
