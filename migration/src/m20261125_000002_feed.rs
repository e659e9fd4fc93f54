//! What replicas on one PostgreSQL tell each other: which stock and which orders changed, and in which transaction. Rows
//! of the log carry their transaction, too, so that whoever follows the log misses none that was committed late.
//!
//! SQLite has one process and one writer, and needs none of it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The log is append-only, whoever writes to the database. Only the numbers of transactions may be written anew: they are
/// the cluster's own, and after a restore into another cluster those that came with the rows mean nothing.
const STATEMENTS: [&str; 7] = [
    "CREATE TABLE change (kind text NOT NULL, id uuid NOT NULL, version integer NOT NULL, \
     xid xid8 NOT NULL DEFAULT pg_current_xact_id(), created_at timestamptz NOT NULL DEFAULT clock_timestamp(), \
     CHECK (kind IN ('stock', 'order')))",
    "CREATE INDEX change_by_transaction ON change (xid)",
    "CREATE INDEX change_by_time ON change (created_at)",
    "ALTER TABLE stock_transaction ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX stock_transaction_by_transaction ON stock_transaction (xid)",
    "CREATE FUNCTION refuse_to_change_the_log() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$",
    "CREATE TRIGGER stock_transaction_append_only BEFORE DELETE OR TRUNCATE OR UPDATE OF position, id, product_id, sequence, \
     action, quantity, total_delta, allocated_delta, available_delta, total_after, allocated_after, available_after, reason, \
     note, reference, actor, order_id, operation_id, created_at ON stock_transaction \
     EXECUTE FUNCTION refuse_to_change_the_log()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All of it or nothing, also on SQLite: a process may be ended at any moment.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in STATEMENTS {
                manager.get_connection().execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}
