//! The journal of the sandbox gateway.

use sea_orm::entity::prelude::*;

/// The journal of the sandbox gateway.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_charge")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub payment_id: Uuid,
    pub fate: String,
    /// When the fate shows.
    pub due_at: DateTimeUtc,
    /// Minor units.
    pub amount: i64,
    /// How often the charge was asked for.
    pub requests: i32,
    /// What it was asked with: it says what becomes of captures and refunds.
    pub token: Option<String>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
