//! One payment at a time, also while the money is only authorized; and PostgreSQL validates the constraints that the change
//! before this one added, beside whoever writes.
//!
//! The new index is there before the old one goes, so that at no moment two payments of an order are possible.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::m20261128_000012_order_life::ADDED;

#[derive(DeriveMigrationName)]
pub struct Migration;

const NAME: &str = "payment_one_running";

const COLUMNS: &str =
    "ON payment (order_id) WHERE status IN ('in_progress', 'requires_action', 'authorized', 'succeeded')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// PostgreSQL builds no index beside writers within a transaction. Each step may be made again.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let mut how = "";
        if manager.get_database_backend() == DbBackend::Postgres {
            for (table, name, _) in ADDED {
                db.execute_unprepared(&format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")).await?;
            }
            if is_there(db, "SELECT 1 FROM payment LIMIT 1").await? {
                // It waits for transactions that are open, however long they are.
                db.execute_unprepared("SET lock_timeout = 0").await?;
                how = "CONCURRENTLY";
            }
            let broken = format!("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{NAME}') AND NOT indisvalid");
            if is_there(db, &broken).await? {
                db.execute_unprepared(&format!("DROP INDEX {how} {NAME}")).await?;
            }
        }
        db.execute_unprepared(&format!("CREATE UNIQUE INDEX {how} IF NOT EXISTS {NAME} {COLUMNS}")).await?;
        // Nobody who pays queues behind this one, while it waits for those who read.
        db.execute_unprepared(&format!("DROP INDEX {how} IF EXISTS payment_one_at_a_time")).await?;
        if !how.is_empty() {
            db.execute_unprepared("RESET lock_timeout").await?;
        }
        Ok(())
    }
}

async fn is_there(db: &impl ConnectionTrait, text: &str) -> Result<bool, DbErr> {
    Ok(db.query_one_raw(Statement::from_string(db.get_database_backend(), text)).await?.is_some())
}
