//! The writer's one connection, and a new one in its place after anything went wrong on it.
//!
//! A transaction begins only on a connection whose last transaction was acknowledged as committed or rolled back: after
//! a failed COMMIT or ROLLBACK it may still be open, and what follows would run inside it and never be stored. Nothing
//! here is waited for without a bound where there is a network in between.

use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::time::timeout;

use crate::database::{Databases, Kind, Postgres, SqliteFile};
use crate::faults::{self, Transaction};

/// Longest time for the statements of a batch, for its commit and for its rollback, each: more than PostgreSQL itself
/// lets a statement take.
const BATCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time that a connection may take to close before the next one is opened without waiting for it.
const MAX_CLOSING: Duration = Duration::from_secs(1);

/// The connection that only the writer uses.
#[derive(Debug)]
pub struct Connection {
    db: Option<DatabaseConnection>,
    source: Source,
    /// Whether no transaction can be open on it.
    is_clean: bool,
}

/// Where a new connection comes from.
#[derive(Debug, Clone)]
enum Source {
    Sqlite(SqliteFile),
    Postgres(Postgres),
}

impl Connection {
    /// Returns the connection that writes. Where there is none yet it connects when it is used first.
    #[must_use]
    pub fn of(databases: &Databases) -> Self {
        let source = match &databases.kind {
            Kind::Sqlite(file) => Source::Sqlite(file.clone()),
            Kind::Postgres(postgres) => Source::Postgres(postgres.clone()),
        };
        Self { db: databases.write.clone(), source, is_clean: databases.write.is_some() }
    }

    /// Returns one more connection to a database that several may write to at once; `None` for a file. It connects when
    /// it is used first.
    pub fn another(&self) -> Option<Self> {
        match &self.source {
            Source::Sqlite(_) => None,
            Source::Postgres(_) => Some(Self { db: None, source: self.source.clone(), is_clean: false }),
        }
    }

    /// Where connections of their own can be made; a file has none.
    pub const fn postgres(&self) -> Option<&Postgres> {
        match &self.source {
            Source::Sqlite(_) => None,
            Source::Postgres(postgres) => Some(postgres),
        }
    }

    /// Whether other processes write to the same database.
    pub const fn is_shared(&self) -> bool {
        matches!(self.source, Source::Postgres(_))
    }

    /// Why the database is not the one that was opened any more; `None` while it is.
    pub fn replaced(&self) -> Option<String> {
        match &self.source {
            Source::Sqlite(file) => file.replaced(),
            Source::Postgres(_) => None,
        }
    }

    /// Returns the connection for a statement outside a transaction.
    ///
    /// # Errors
    /// When a new connection is needed and cannot be made.
    pub async fn db(&mut self) -> Result<&DatabaseConnection, DbErr> {
        let usable = self.db.take_if(|_| self.is_clean);
        if let Some(doubtful) = self.db.take() {
            // It may hold the locks of an open transaction until it is closed.
            close(doubtful).await;
        }
        let db = match (usable, &self.source) {
            (Some(db), _) => db,
            (None, Source::Postgres(postgres)) => postgres.new_writer().await?,
            (None, Source::Sqlite(file)) => file.new_writer().await?,
        };
        self.is_clean = true;
        Ok(self.db.insert(db))
    }

    /// Begins the only kind of transaction there is: one that may write from its first statement on. A deferred one would
    /// fail as busy when it turns from reading to writing.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::disallowed_methods, reason = "this is the writer")]
    pub async fn begin(&mut self) -> Result<Transaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        faults::database_call()?;
        let begun = self.db().await?.begin_with_options(options).await;
        // Only an acknowledged end makes it clean again.
        self.is_clean = false;
        begun.map(faults::transaction)
    }

    /// Commits. When it fails, the connection is not used again.
    ///
    /// # Errors
    /// When the commit is refused, or its answer does not come in time: the transaction may have been committed.
    pub async fn commit(&mut self, transaction: Transaction) -> Result<(), DbErr> {
        match timeout(self.batch_timeout(), transaction.commit()).await {
            Ok(Ok(())) => {
                self.is_clean = true;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.give_up_connection()),
        }
    }

    /// Rolls back. When that is not acknowledged, the connection is not used again.
    pub async fn roll_back(&mut self, transaction: Transaction) {
        match timeout(self.batch_timeout(), transaction.rollback()).await {
            Ok(Ok(())) => self.is_clean = true,
            Ok(Err(error)) => tracing::warn!(%error, "a rollback failed; the writer connects anew"),
            Err(_) => drop(self.give_up_connection()),
        }
    }

    /// Longest time for the statements of a batch. A file answers, or the machine does not.
    pub const fn batch_timeout(&self) -> Duration {
        if matches!(self.source, Source::Postgres(_)) { BATCH_TIMEOUT } else { Duration::MAX }
    }

    /// Gives the connection up, and returns the error of whoever waited for it.
    pub fn give_up_connection(&mut self) -> DbErr {
        tracing::error!("the database does not answer; the writer connects anew");
        self.is_clean = false;
        DbErr::Conn(RuntimeErr::Internal("the database does not answer".to_owned()))
    }

    /// Closes it.
    pub async fn close(self) {
        if let Some(db) = self.db {
            close(db).await;
        }
    }
}

/// What hangs on a connection that cannot be closed ends when the kernel gives it up.
async fn close(db: DatabaseConnection) {
    if !matches!(timeout(MAX_CLOSING, db.close()).await, Ok(Ok(()))) {
        tracing::debug!("a connection of the writer did not close in time");
    }
}
