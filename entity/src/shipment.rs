//! Goods of one order that left together.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// Goods of one order that left together.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "shipment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub order_id: Uuid,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub shipped_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
