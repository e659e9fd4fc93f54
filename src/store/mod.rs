//! Read queries over SeaORM, one file per noun, and the way the databases are opened.
//!
//! It never writes and never begins a transaction: that is the writer's. Lists are keyset pages; nothing is read
//! without a bound.

mod cart;
mod log;
mod open;
mod order;
mod page;
mod product;
mod snapshot;
mod sqlite;
mod upkeep;

pub(crate) mod postgres;
pub(crate) mod rows;

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

use crate::error::Error;

pub use log::{LogCursor, LogFilter};
pub use log::{LogPlace, LogRows};
pub use open::{Databases, Kind, migrate, open, open_read_only, shown};
pub use order::{OrderCursor, OrderFilter};
pub use page::{MAX_PAGE, Page, PageRequest};
pub use postgres::{Bell, Change, Changed, Look, Postgres};
pub use product::{ProductCursor, ProductFilter};
pub use snapshot::{OrderPage, Snapshot};
pub use sqlite::SqliteFile;

/// Read queries. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: DatabaseConnection,
}

impl Store {
    /// Reads from this database.
    #[must_use]
    pub const fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    /// Looks at the feed between replicas for the first time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(&self) -> Result<Look, Error> {
        Ok(Look::first(&self.db).await?)
    }

    /// What became visible since an earlier look, or `None` when that cannot be told any more, and the new look.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn changes_since(&self, earlier: &Look) -> Result<(Option<Vec<Change>>, Look), Error> {
        Ok(earlier.again(&self.db).await?)
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
