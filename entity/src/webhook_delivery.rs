//! One event on its way to one webhook. No foreign key leads to the webhook: whoever sells never waits for whoever
//! deletes one.

use sea_orm::entity::prelude::*;

/// One event on its way to one webhook.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    /// Order of writing.
    #[sea_orm(primary_key)]
    pub position: i64,
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub event: String,
    /// The order or the product.
    pub thing: Uuid,
    /// JSON.
    pub data: String,
    pub status: String,
    pub attempts: i32,
    pub next_attempt_at: DateTimeUtc,
    pub attempted_at: Option<DateTimeUtc>,
    pub failing_since: Option<DateTimeUtc>,
    pub response_status: Option<i32>,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub delivered_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
