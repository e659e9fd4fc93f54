//! A line of an order, with name, SKU and price of the moment of check-out.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// A line of an order, with name, SKU and price of the moment of check-out.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "order_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    /// Place in the order.
    pub line: i32,
    pub product_id: Uuid,
    pub sku: String,
    pub name: String,
    /// Minor units, in the currency of the order.
    pub unit_amount: i64,
    pub quantity: i32,
    /// Units that the warehouse holds for it.
    pub allocated: i32,
    pub shipped: i32,
    pub cancelled: i32,
    /// Shipped units that came back into stock.
    pub returned: i32,
}

impl ActiveModelBehavior for ActiveModel {}
