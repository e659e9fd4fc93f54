//! Which orders hold units of a product.

use std::collections::HashMap;

use entity::{order_item, stock_transaction};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityName, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use domain::Time;
use domain::id::{OrderId, OrderItemId, ProductId};
use domain::stock::Action;

use super::Store;
use super::page::{Page, PageRequest, Sorted, page, restrict};

/// Units of a product that an order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// The item that holds them.
    pub item: OrderItemId,
    /// Its order.
    pub order: OrderId,
    /// How many units.
    pub quantity: i32,
    /// When they were allocated.
    pub since: Time,
}

/// A place in the list of a product's allocations: items are numbered in the order of check-out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AllocationCursor(OrderItemId);

impl AllocationCursor {
    /// The place of this allocation.
    #[must_use]
    pub const fn of(allocation: &Allocation) -> Self {
        Self(allocation.item)
    }
}

/// Whether an item holds units. A literal, so that a database knows that the partial index, by product, has all of them: no
/// other index finds the items of a product.
pub(super) fn holds_units() -> Expr {
    order_item::Column::Allocated.into_expr().gt(Expr::Constant(0.into()))
}

/// An item that holds units.
#[derive(Debug, FromQueryResult)]
struct Holder {
    id: Uuid,
    order_id: Uuid,
    allocated: i32,
}

impl Store {
    /// The orders that hold units of a product, oldest first. It reads no more of the index of such items than the page has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn allocation_page(
        &self,
        product: ProductId,
        request: &PageRequest<AllocationCursor>,
    ) -> Result<Page<Allocation, AllocationCursor>, Error> {
        use order_item::Column::{Allocated, Id, OrderId as Order, ProductId as Product};
        let query = order_item::Entity::find().filter(Product.eq(product.0)).filter(holds_units());
        let query = restrict(query, Sorted { columns: &[Id], order: true }, request, |cursor| vec![cursor.0.0.into()]);
        let query = query.select_only().columns([Id, Order, Allocated]);
        let holders = query.into_model::<Holder>().all(&self.db).await?;
        let since = self.allocated_since(product, holders.iter().map(|holder| holder.order_id).collect()).await?;
        let allocations = holders.into_iter().filter_map(|holder| {
            let since = since.get(&holder.order_id).copied();
            if since.is_none() {
                tracing::error!(item = %OrderItemId(holder.id), "an item holds units, but the log has no allocation of its order");
            }
            let (item, order) = (OrderItemId(holder.id), OrderId(holder.order_id));
            Some(Allocation { item, order, quantity: holder.allocated, since: since? })
        });
        Ok(page(allocations.collect(), request))
    }

    /// When units of a product were last allocated for each of these orders. The limit within, which is none, keeps a database
    /// from looking for the rows by anything but the orders.
    async fn allocated_since(&self, product: ProductId, orders: Vec<Uuid>) -> Result<HashMap<Uuid, Time>, Error> {
        use stock_transaction::Column;
        if orders.is_empty() {
            return Ok(HashMap::new());
        }
        let caused = stock_transaction::Entity::find().filter(self.among(Column::OrderId, &orders));
        let caused = caused.limit(i64::MAX.unsigned_abs()).into_query();
        let mut query = stock_transaction::Entity::find();
        QueryTrait::query(&mut query).from_clear().from_subquery(caused, stock_transaction::Entity.table_name());
        let query = query
            .select_only()
            .column(Column::OrderId)
            .column_as(Column::CreatedAt.max(), "since")
            .filter(Column::ProductId.eq(product.0))
            .filter(Column::Action.eq(Action::Allocate.as_str()))
            .group_by(Column::OrderId);
        Ok(query.into_tuple::<(Uuid, Time)>().all(&self.db).await?.into_iter().collect())
    }
}
