//! An index that finds products by a part of their SKU or name, where PostgreSQL has what it needs for that: the extension
//! pg_trgm, and a role that may create it. Without it the search looks at every product, which it does on SQLite, too.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENT: &str = "DO $$ BEGIN \
     CREATE EXTENSION IF NOT EXISTS pg_trgm; \
     CREATE INDEX product_search ON product USING gin (sku_key gin_trgm_ops, name_key gin_trgm_ops); \
     EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN \
     RAISE WARNING 'the search has no index: %', SQLERRM; \
     END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All of it or nothing, also on SQLite: a process may be ended at any moment.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(STATEMENT).await?;
        }
        Ok(())
    }
}
