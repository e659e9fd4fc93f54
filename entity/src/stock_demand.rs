//! Units of a product that shoppers want: the sum of its rows.

use sea_orm::entity::prelude::*;

/// Units of a product that shoppers want, as one batch of the writer changed them, or many batches together.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock_demand")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// Which batch; nil where many are added up.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch: Uuid,
    /// Units in open carts.
    pub in_carts: i64,
    /// Units in unpaid orders.
    pub in_unpaid_orders: i64,
}

impl ActiveModelBehavior for ActiveModel {}
