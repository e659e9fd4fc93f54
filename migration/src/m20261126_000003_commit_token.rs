//! Commit tokens: how the writer learns whether a transaction was committed when the answer to its COMMIT was lost. The
//! number of a transaction does not tell: after a crash PostgreSQL gives numbers out again.

use sea_orm_migration::prelude::*;

use crate::columns::{Columns, key};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All of it or nothing, also on SQLite: a process may be ended at any moment.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let c = Columns(manager.get_database_backend());
        let token = [key(c.uuid("token")), c.flag("is_barred"), c.time("created_at")];
        manager.create_table(c.table("commit_token", token)).await
    }
}
