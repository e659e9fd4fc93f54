//! Units that orders hold for a time although they are not paid: how many of them are in the stock of a product, and an index of
//! the orders whose time may be over.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::columns::index_beside_writers;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A rule of the inventory: what is held for a time is allocated, and not what staff allocated.
const HELD: &str = "held >= 0 AND by_hand + held <= allocated";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// PostgreSQL builds no index beside writers within a transaction. Each step can be made again.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if !manager.has_column("stock", "held").await? {
            let column = if manager.get_database_backend() == DbBackend::Sqlite {
                format!("INTEGER NOT NULL DEFAULT 0 CHECK ({HELD})")
            } else {
                format!("integer NOT NULL DEFAULT 0 CONSTRAINT stock_held_in_range CHECK ({HELD})")
            };
            db.execute_unprepared(&format!("ALTER TABLE stock ADD COLUMN held {column}")).await?;
        }
        index_beside_writers(db, "order_held", "\"order\"", "held_until", "WHERE held_until IS NOT NULL").await
    }
}
