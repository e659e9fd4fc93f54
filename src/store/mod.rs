//! Read queries over SeaORM, one file per noun, and the way the databases are opened.
//!
//! It never writes and never begins a transaction: that is the writer's. Lists are keyset pages; nothing is read
//! without a bound.

mod bounded;
mod cart;
mod live_log;
mod log;
mod missing;
mod nested;
mod open;
mod order;
mod page;
mod product;
mod scan;
mod snapshot;
mod sqlite;
mod sqlite_place;
mod upkeep;

pub(crate) mod postgres;
pub(crate) mod rows;

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

use crate::error::Error;

use bounded::Bounded;
use scan::Scanner;

pub use bounded::PoolUse;
pub use live_log::{LogPlace, LogRows};
pub use log::{LogCursor, LogFilter};
pub use open::{Databases, Kind, check_output, faults, is_file, migrate, open, open_read_only, shown};
pub use order::{OrderCursor, OrderFilter, OrderRecord};
pub use page::{MAX_PAGE, Page, PageRequest};
pub use postgres::{Bell, Change, Changed, FeedConnection, News, Poll, Postgres};
pub use product::{ProductCursor, ProductFilter, ProductRecord};
pub use scan::{MAX_SCAN_COST, MAX_SCANS, MAX_WAITING_SCANS};
pub use snapshot::{OrderPage, Snapshot};
pub use sqlite::{SqliteFile, damage};

/// Timeout of each statement of a query: more than PostgreSQL itself lets one take, so that only a network that has
/// fallen silent is given up. A request has a shorter deadline of its own.
const READ_TIMEOUT: Duration = Duration::from_secs(6);

/// The same where PostgreSQL lets a statement take an hour.
const PATIENT_READ_TIMEOUT: Duration = Duration::from_mins(61);

/// Read queries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Bounded,
    scanner: Scanner,
}

impl Store {
    /// Reads from this database.
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self::bounded(Bounded::new(db, READ_TIMEOUT))
    }

    /// Reads over the connections of a server, and scans over others.
    #[must_use]
    pub fn of(databases: &Databases) -> Self {
        let bounded = |db: &DatabaseConnection| Bounded::new(db.clone(), READ_TIMEOUT);
        Self { db: bounded(&databases.read), scanner: Scanner::new(bounded(&databases.scan)) }
    }

    /// Reads from this database, however long it takes: for a command that nobody else waits for.
    #[must_use]
    pub fn patient(db: DatabaseConnection) -> Self {
        Self::bounded(Bounded::new(db, PATIENT_READ_TIMEOUT))
    }

    /// Reads over this connection, with its timeout.
    pub(crate) fn bounded(db: Bounded) -> Self {
        Self { scanner: Scanner::new(db.clone()), db }
    }

    /// How the connections are used, by the name of their pool.
    #[must_use]
    pub fn connections(&self) -> [(&'static str, PoolUse); 2] {
        [("read", self.db.used()), ("scan", self.scanner.used())]
    }

    /// What so many reads that look at every product cost, and so many that an index may help with, where a field costs 1.
    #[must_use]
    pub fn scan_cost(&self, whole: u64, indexable: u64) -> u64 {
        self.scanner.cost(whole, indexable)
    }

    /// Looks whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.db.ping().await?)
    }

    /// All rows whose column has one of these ids. Callers bound the ids.
    async fn rows_by<E: EntityTrait>(
        &self,
        column: E::Column,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<Vec<E::Model>, Error> {
        Ok(E::find().filter(column.is_in(ids)).all(&self.db).await?)
    }
}
