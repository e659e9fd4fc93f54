//! One attempt to pay an order.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// One attempt to pay an order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub gateway: String,
    pub method: String,
    pub status: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// The gateway's own.
    pub reference: Option<String>,
    pub decline_reason: Option<String>,
    /// The code of the error that tells of it.
    pub decline_code: Option<String>,
    /// What the shopper has to do.
    pub action_kind: Option<String>,
    pub action_url: Option<String>,
    pub action_secret: Option<String>,
    pub action_expires_at: Option<DateTimeUtc>,
    /// Nobody else asks the gateway about it before this.
    pub leased_until: DateTimeUtc,
    /// When recovery looks next.
    pub look_at: DateTimeUtc,
    /// How often it has looked.
    pub looks: i32,
    /// The idempotency key it was begun under.
    pub key_scope: Option<String>,
    pub key: Option<String>,
    /// Minor units that were refunded or are being refunded.
    pub refunded: i64,
    /// How many operations were begun on it.
    pub operations: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
