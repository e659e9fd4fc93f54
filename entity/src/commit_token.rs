//! Commit tokens: one for each transaction whose outcome may have to be looked up.

use sea_orm::entity::prelude::*;

/// A commit token.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "commit_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: Uuid,
    /// Whether the row was written to keep the transaction from ever committing, and not by the transaction itself.
    pub is_barred: bool,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
