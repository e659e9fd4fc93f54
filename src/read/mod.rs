//! Read queries over SeaORM, one file per noun.
//!
//! It never writes and never begins a transaction: that is the writer's. Lists are keyset pages; nothing is read
//! without a bound.

mod allocation;
mod cart;
mod demand;
mod idempotency_key;
mod log_range;
mod log_stream;
mod missing;
mod nested;
mod order;
mod page;
mod payment;
mod product;
mod scan;
mod shipment;
mod snapshot;
mod stock;
mod stock_history;
mod transaction;
mod webhook;

use std::time::Duration;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter};

use crate::database::bounded::Bounded;
use crate::database::bulk::among;
use crate::database::error::Error;
use crate::database::{Databases, PoolUse};

use scan::Scanner;

pub use allocation::{Allocation, AllocationCursor};
pub use log_stream::{LogPosition, LogRows};
pub use order::{OrderCursor, OrderFilter};
pub use page::{MAX_PAGE, Page, PageRequest};
pub use product::{ProductCursor, ProductFilter};
pub use scan::{MAX_SCAN_COST, MAX_SCANS, MAX_WAITING_SCANS};
pub use snapshot::{OrderPage, Snapshot};
pub use transaction::{LogCursor, LogFilter};
pub use webhook::DeliveryCursor;

/// Timeout of each statement of a query: more than PostgreSQL itself lets one take, so that only a network that has
/// fallen silent is given up. A request has a shorter deadline of its own.
const READ_TIMEOUT: Duration = Duration::from_secs(6);

/// The same where PostgreSQL lets a statement take an hour.
const LONG_READ_TIMEOUT: Duration = Duration::from_mins(61);

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
    pub fn without_deadline(db: DatabaseConnection) -> Self {
        Self::bounded(Bounded::new(db, LONG_READ_TIMEOUT))
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

    /// Whether a column has one of these ids. Callers bound the ids.
    fn among<C: ColumnTrait>(&self, column: C, ids: &[Uuid]) -> Expr {
        among(self.db.get_database_backend(), column, ids)
    }

    /// All rows whose column has one of these ids. Callers bound the ids.
    async fn rows_by<E: EntityTrait>(
        &self,
        column: E::Column,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<Vec<E::Model>, Error> {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        Ok(E::find().filter(self.among(column, &ids)).all(&self.db).await?)
    }
}
