//! What the sandbox gateway was asked to capture and to refund.

use sea_orm::entity::prelude::*;

/// A capture or a refund in the journal of the sandbox gateway.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_operation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_id: Uuid,
    pub payment_id: Uuid,
    pub kind: String,
    pub fate: String,
    /// When the fate shows.
    pub due_at: DateTimeUtc,
    /// Minor units.
    pub amount: i64,
    /// How often it was asked for.
    pub requests: i32,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
