//! The stock record of one product. Every product has one.

use sea_orm::entity::prelude::*;

/// The stock record of one product. Every product has one.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stock")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: Uuid,
    /// Whether stock is checked, allocated and shipped.
    pub managed: bool,
    /// 0 switches the warning off.
    pub low_stock_threshold: i32,
    /// Units in the warehouse.
    pub total: i32,
    /// Units of `total` that belong to somebody already.
    pub allocated: i32,
    /// Units of `allocated` that staff reserved by hand.
    pub by_hand: i32,
    /// Units of `allocated` that orders hold for a time although they are not paid.
    pub held: i32,
    /// Number of the newest row of the log; 0 before the first.
    pub sequence: i32,
    /// Rises with every change.
    pub version: i32,
    pub updated_at: DateTimeUtc,
    /// Rises when what the public sees changes.
    pub shown_version: i32,
    pub shown_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
