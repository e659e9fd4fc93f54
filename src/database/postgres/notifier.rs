//! LISTEN and NOTIFY between replicas: a notification says that something changed, and nothing else. Losing one costs time,
//! never a value, because every replica also polls.
//!
//! NOTIFY is sent after a commit, on a connection of its own: inside the transaction it would make commits queue up.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::sqlx::{self, Executor};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::bounded::{Bounded, silent};

use super::{Postgres, sql};

/// The name that replicas listen to.
const CHANNEL: &str = "onhand_change";

/// Pause between two notifications: more of them would say nothing new.
const NOTIFY_PAUSE: Duration = Duration::from_millis(5);

/// The pause before a lost connection is made anew.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Timeout of a NOTIFY. After it the connection is dropped and made anew.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(3);

/// A LISTEN connection over which nothing came for so long is asked whether it is alive.
const LISTEN_CHECK: Duration = Duration::from_secs(5);

/// Timeout of its answer, and of a LISTEN. After it the connection is dropped and made anew.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(3);

/// Notifies the other replicas, and is notified by them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    /// This replica has something to tell.
    out: Arc<Notify>,
    /// Another has.
    come: Arc<Notify>,
}

impl Notifier {
    /// Sends a notification soon. It never waits.
    pub fn notify(&self) {
        self.out.notify_one();
    }

    /// Waits for a notification of another replica.
    pub async fn notified(&self) {
        self.come.notified().await;
    }

    /// Sends and receives notifications until `stop`.
    pub async fn carry(self, postgres: Postgres, stop: CancellationToken) {
        tokio::select! {
            () = self.send(&postgres) => {}
            () = self.listen(&postgres) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn send(&self, postgres: &Postgres) {
        let mut db = None;
        loop {
            self.out.notified().await;
            if let Err(error) = send(postgres, &mut db).await {
                tracing::warn!(%error, "NOTIFY to other replicas failed; reconnecting");
                db = None;
                sleep(RECONNECT_PAUSE).await;
            }
            sleep(NOTIFY_PAUSE).await;
        }
    }

    async fn listen(&self, postgres: &Postgres) {
        loop {
            if let Err(error) = self.listen_once(postgres).await {
                tracing::warn!(%error, "lost the LISTEN connection; reconnecting");
            }
            sleep(RECONNECT_PAUSE).await;
        }
    }

    /// Listens until the connection is lost or silent.
    async fn listen_once(&self, postgres: &Postgres) -> Result<(), sqlx::Error> {
        let pool = postgres.listener();
        let mut listener = PgListener::connect_with(&pool).await?;
        // A lost connection is made anew here, within a bound.
        listener.eager_reconnect(false);
        within(LISTEN_TIMEOUT, listener.listen(CHANNEL)).await?;
        loop {
            // Something may have been missed while nobody listened, so a new connection counts as a notification.
            self.come.notify_one();
            loop {
                match timeout(LISTEN_CHECK, listener.try_recv()).await {
                    Ok(Ok(Some(_))) => break,
                    Ok(Ok(None)) => return Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into())),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => within(LISTEN_TIMEOUT, listener.execute("SELECT 1")).await.map(drop)?,
                }
            }
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(silent()))
}

async fn send(postgres: &Postgres, db: &mut Option<DatabaseConnection>) -> Result<(), DbErr> {
    let db = match db {
        Some(db) => db,
        None => db.insert(postgres.notify_connection().await?),
    };
    let db = Bounded::new(db.clone(), NOTIFY_TIMEOUT);
    db.execute_raw(sql("SELECT pg_notify($1, '')", [CHANNEL.into()])).await?;
    Ok(())
}
