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
mod upkeep;

pub(crate) mod rows;

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

use crate::error::Error;

pub use log::{LogCursor, LogFilter};
pub use open::{Databases, migrate, open, open_read_only};
pub use order::{OrderCursor, OrderFilter};
pub use page::{MAX_PAGE, Page, PageRequest};
pub use product::{ProductCursor, ProductFilter};
pub use snapshot::{OrderPage, Snapshot};

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
