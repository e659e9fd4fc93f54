//! The writer's one connection, and a new one in its place when a database across a network has fallen silent.
//!
//! A connection that is closed says so. One whose network swallows everything says nothing, and whoever waits for it waits
//! for ever; so nothing here is waited for without a bound where there is a network in between.

use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::store::postgres::Postgres;
use crate::store::{Databases, Kind};

/// How long the statements of a batch, and its commit, may take each: more than PostgreSQL itself lets a statement take.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// The way to the database that only the writer goes.
#[derive(Debug)]
pub struct Connection {
    db: DatabaseConnection,
    /// Where to connect to anew; a file needs no such thing.
    postgres: Option<Postgres>,
    is_silent: bool,
}

impl Connection {
    /// The one that writes.
    #[must_use]
    pub fn of(databases: &Databases) -> Self {
        let postgres = match &databases.kind {
            Kind::Sqlite(_) => None,
            Kind::Postgres(postgres) => Some(postgres.clone()),
        };
        Self { db: databases.write.clone(), postgres, is_silent: false }
    }

    /// Whether other processes write to the same database.
    pub fn is_shared(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }

    /// The connection for a question that is no transaction.
    ///
    /// # Errors
    /// When a new connection is needed and cannot be made.
    pub async fn db(&mut self) -> Result<&DatabaseConnection, DbErr> {
        if let (true, Some(postgres)) = (self.is_silent, &self.postgres) {
            // The old one is let go: what hangs on it ends when the kernel gives it up.
            self.db = postgres.new_writer().await?;
            self.is_silent = false;
        }
        Ok(&self.db)
    }

    /// Begins the only kind of transaction there is: one that may write from its first statement on. A deferred one would
    /// fail as busy when it turns from reading to writing.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::disallowed_methods, reason = "this is the writer")]
    pub async fn begin(&mut self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.db().await?.begin_with_options(options).await
    }

    /// How long the statements of a batch, and its commit, are waited for. A file answers, or the machine does not.
    pub const fn patience(&self) -> Duration {
        if self.postgres.is_some() { MAX_SILENCE } else { Duration::MAX }
    }

    /// Remembers that this connection is not to be waited for again, and says what is the matter.
    pub fn fell_silent(&mut self) -> DbErr {
        tracing::error!("the database has fallen silent; the writer connects anew");
        self.is_silent = true;
        DbErr::Conn(RuntimeErr::Internal("the database has fallen silent".to_owned()))
    }
}
