//! An order.

use sea_orm::entity::prelude::*;

/// An order.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Unique, for people.
    pub number: String,
    pub status: String,
    pub payment: String,
    pub shipping: String,
    /// Unique: a cart becomes one order.
    pub cart_id: Uuid,
    /// A subject; none for a guest.
    pub owner: Option<String>,
    pub customer_name: Option<String>,
    pub customer_email: Option<String>,
    /// Minor units.
    pub total_amount: i64,
    /// ISO 4217.
    pub total_currency: String,
    pub cancel_reason: Option<String>,
    pub cancel_note: Option<String>,
    /// Until when it holds units without being paid.
    pub held_until: Option<DateTimeUtc>,
    /// Rises with every change.
    pub version: i32,
    pub placed_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
