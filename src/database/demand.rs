//! What a batch adds to the demand for products.
//!
//! On PostgreSQL every batch adds rows of its own, so that no writer ever waits for another because of them, and no row of
//! stock is touched; upkeep merges them. A file has one writer, which adds to the row of the product.

use entity::stock_demand::{Column, Entity, Model};
use sea_orm::DbErr;
use sea_orm::prelude::Uuid;

use domain::demand::Demands;
use domain::world::Tables;

use super::bulk::Bulk;

/// What can change of a demand.
pub const OF_DEMAND: [Column; 2] = [Column::InCarts, Column::InUnpaidOrders];

/// The batch of rows that are the sum of many.
pub const MERGED: Uuid = Uuid::nil();

/// Adds what this batch changed.
///
/// # Errors
/// When the database does not answer.
pub async fn save(bulk: &mut Bulk<'_>, tables: &Tables, batch: Uuid) -> Result<(), DbErr> {
    let batch = if bulk.is_postgres() { batch } else { MERGED };
    let changes = Demands::changed_by(tables);
    let rows = changes.iter().map(|(product, change)| Model {
        product_id: product.0,
        batch,
        in_carts: change.in_carts,
        in_unpaid_orders: change.in_unpaid_orders,
    });
    bulk.add::<Entity>(&OF_DEMAND, rows).await
}
