//! Where the writer's prunes run: on PostgreSQL over a connection of their own, so that nobody who sells waits for them.
//! On SQLite there is only one connection that writes, and the writer itself runs them between two batches.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::database::Postgres;
use crate::database::prune::{Prune, Pruned};

/// Timeout for one statement across a network: more than PostgreSQL itself lets a statement take.
const MAX_STATEMENT: Duration = Duration::from_secs(10);

/// Something to be pruned by the writer itself, and where the result is sent.
pub type Request = (Prune, oneshot::Sender<Result<Pruned, DbErr>>);

/// The connection that is for nothing else. It is made when it is needed first, and anew after it failed.
#[derive(Debug)]
pub struct Maintenance {
    postgres: Postgres,
    db: Mutex<Option<DatabaseConnection>>,
}

impl Maintenance {
    /// Connections to this database.
    pub fn new(postgres: Postgres) -> Self {
        Self { postgres, db: Mutex::default() }
    }

    /// Runs one statement, see [`Prune::run`].
    ///
    /// # Errors
    /// When the database does not answer, or the role may not.
    pub async fn run(&self, prune: Prune) -> Result<Pruned, DbErr> {
        let mut kept = self.db.lock().await;
        let db = match kept.take() {
            Some(db) => db,
            None => self.postgres.maintenance().await?,
        };
        let silent =
            || Err(DbErr::Conn(RuntimeErr::Internal("the maintenance connection has fallen silent".to_owned())));
        let pruned = timeout(MAX_STATEMENT, prune.run(&db)).await.unwrap_or_else(|_| silent())?;
        *kept = Some(db);
        Ok(pruned)
    }
}
