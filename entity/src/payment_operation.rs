//! A capture, a void or a refund of a payment.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// A capture, a void or a refund of a payment.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "payment_operation")]
pub struct Model {
    /// The key under which the gateway is asked.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub payment_id: Uuid,
    pub kind: String,
    pub status: String,
    /// Minor units, in the currency of the payment.
    pub amount: i64,
    /// JSON: which units come back into stock.
    pub restock: Option<String>,
    /// The gateway's own.
    pub reference: Option<String>,
    pub failure_reason: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Nobody else asks the gateway about it before this.
    pub leased_until: DateTimeUtc,
    /// When recovery repeats it next.
    pub look_at: DateTimeUtc,
    /// How often recovery has.
    pub looks: i32,
    /// The idempotency key it was begun under.
    pub key_scope: Option<String>,
    pub key: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
