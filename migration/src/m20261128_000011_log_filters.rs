//! Indexes that answer the filters of the log: by action and reason, and by product with times and cursors.
//!
//! A log that has rows is written to meanwhile: PostgreSQL builds the indexes beside its writers, outside a transaction. What
//! an interrupted build left over is replaced by the next one.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

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
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        let is_empty = db.query_one_raw(ask(db, "SELECT 1 FROM stock_transaction LIMIT 1")).await?.is_none();
        for (name, columns) in INDEXES {
            if !is_postgres {
                // Where SQLite has NULL first anyway, and lets no index say so.
                let columns = columns.replace(" NULLS FIRST", "");
                create(db, "", name, &columns).await?;
            } else if is_empty {
                create(db, "", name, columns).await?;
            } else {
                // It waits for transactions that are open, however long they are.
                db.execute_unprepared("SET lock_timeout = 0").await?;
                let broken =
                    format!("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid");
                if db.query_one_raw(ask(db, &broken)).await?.is_some() {
                    db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
                }
                create(db, "CONCURRENTLY", name, columns).await?;
                db.execute_unprepared("RESET lock_timeout").await?;
            }
        }
        Ok(())
    }
}

fn ask(db: &impl ConnectionTrait, text: &str) -> Statement {
    Statement::from_string(db.get_database_backend(), text)
}

async fn create(db: &impl ConnectionTrait, how: &str, name: &str, columns: &str) -> Result<(), DbErr> {
    let text = format!("CREATE INDEX {how} IF NOT EXISTS {name} ON stock_transaction ({columns})");
    db.execute_unprepared(&text).await.map(drop)
}
