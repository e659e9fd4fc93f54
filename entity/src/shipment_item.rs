//! Units of one order item in a shipment.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// Units of one order item in a shipment.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "shipment_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub shipment_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_item_id: Uuid,
    /// Place in the shipment.
    pub line: i32,
    pub quantity: i32,
}

impl ActiveModelBehavior for ActiveModel {}
