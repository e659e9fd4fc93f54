//! Which error tells of a declined payment: the gateway declined, or refused the request itself. Whoever reads the payment
//! later is then told the same as whoever waited for it. Older payments have none, and were declined.

use sea_orm_migration::prelude::*;

use crate::columns::{Columns, nullable};

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
        let code = &mut nullable(c.text("decline_code"));
        manager.alter_table(Table::alter().table("payment").add_column(code).take()).await
    }
}
