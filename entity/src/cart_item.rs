//! So many units of one product in a cart.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

/// So many units of one product in a cart.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "cart_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub cart_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// Place in the cart.
    pub line: i32,
    pub quantity: i32,
}

impl ActiveModelBehavior for ActiveModel {}
