//! Indexes that answer the filters of the log: by action and reason, and by product with times and cursors.
//!
//! A log that has rows is written to meanwhile: PostgreSQL builds the indexes beside its writers, outside a transaction. What
//! an interrupted build left over is replaced by the next one.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::index_beside_writers;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Each index with its columns. NULLS FIRST is what tells these from other indexes with the same order: no time is NULL.
const INDEXES: [(&str, &str); 2] = [
    ("stock_transaction_by_kind", "action, reason, created_at NULLS FIRST, product_id, sequence"),
    ("stock_transaction_by_product", "product_id, created_at NULLS FIRST, sequence"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// PostgreSQL builds no index beside writers within a transaction. Each index is all there or not.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_sqlite = manager.get_database_backend() == DbBackend::Sqlite;
        for (name, columns) in INDEXES {
            // SQLite has NULL first anyway, and lets no index say so.
            let columns = if is_sqlite { columns.replace(" NULLS FIRST", "") } else { columns.to_owned() };
            index_beside_writers(db, name, "stock_transaction", &columns, "").await?;
        }
        Ok(())
    }
}
