//! The start and the stop of everything that a command runs on which changes the shop: the database with its lock and its
//! schema, the app with its writer, and the feed between replicas. It must never leave a schema half migrated.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::database::{Databases, is_file, migrate, open};

/// Timeout for the writer to finish what is queued when the app stops.
const WRITER_TIMEOUT: Duration = Duration::from_secs(1);

/// A running app and what it runs on.
#[derive(Debug)]
pub struct Runtime {
    /// The app.
    pub app: App,
    writer: JoinHandle<()>,
    databases: Databases,
    /// Ends the tasks between replicas.
    background: CancellationToken,
}

impl Runtime {
    /// Opens the database, brings its schema up to date, and starts the app. Returns `None` if it is to stop meanwhile.
    ///
    /// # Errors
    /// When the database cannot be opened, migrated or read.
    pub async fn start(url: &str, settings: Settings, stop: &CancellationToken) -> anyhow::Result<Option<Self>> {
        let databases = if is_file(url) {
            // Nobody waits for a file.
            Some(open_and_migrate(url).await?)
        } else {
            // What waits for a server ends at once.
            tokio::select! {
                biased;
                databases = open_and_migrate(url) => Some(databases?),
                () = stop.cancelled() => None,
            }
        };
        let Some(databases) = databases else { return Ok(None) };
        let (app, writer) = App::start(&databases, settings, Clock::system());
        let background = CancellationToken::new();
        app.follow_replicas(&databases.kind, &background).await?;
        Ok(Some(Self { app, writer, databases, background }))
    }

    /// Lets the writer finish what is queued, closes the database and gives its lock back.
    pub async fn stop(self) {
        let Self { app, writer, databases, background } = self;
        background.cancel();
        drop(app);
        if timeout(WRITER_TIMEOUT, writer).await.is_err() {
            tracing::warn!("the writer did not end in time; closing the database");
        }
        databases.close().await;
    }
}

/// Opens the database and brings its schema up to date.
///
/// # Errors
/// When the database cannot be opened, or its schema cannot be brought up to date.
pub async fn open_and_migrate(url: &str) -> anyhow::Result<Databases> {
    let databases = open(url).await?;
    migrate(&databases).await?;
    Ok(databases)
}
