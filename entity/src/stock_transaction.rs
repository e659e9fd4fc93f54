//! One row of the append-only log.

use sea_orm::entity::prelude::*;

/// One row of the append-only log.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_transaction")]
pub struct Model {
    /// Order of writing.
    #[sea_orm(primary_key)]
    pub position: i64,
    pub id: Uuid,
    pub product_id: Uuid,
    /// Number in the log of its product, without gaps.
    pub sequence: i32,
    pub action: String,
    pub quantity: i32,
    pub total_delta: i32,
    pub allocated_delta: i32,
    pub available_delta: i32,
    pub total_after: i32,
    pub allocated_after: i32,
    pub available_after: i32,
    pub reason: String,
    pub note: Option<String>,
    /// A document outside this system.
    pub reference: Option<String>,
    /// A subject, or `system`.
    pub actor: String,
    /// The order that caused it.
    pub order_id: Option<Uuid>,
    /// Shared by all rows of one operation.
    pub operation_id: Uuid,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
