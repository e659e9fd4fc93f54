//! How many units shoppers want, as it is counted and, for `verify`, as it is.

use std::collections::BTreeMap;

use entity::{cart, cart_item, order, order_item, stock_demand};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, JoinType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::database::error::Error;
use domain::cart::Status as CartStatus;
use domain::demand::Demand;
use domain::id::ProductId;
use domain::order::{PaymentStatus, Status};

use super::{Snapshot, Store};

impl Store {
    /// The demand for each of these products for which there is, or was, one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn demand(&self, ids: &[ProductId]) -> Result<Vec<(ProductId, Demand)>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let query = counted().filter(self.among(stock_demand::Column::ProductId, &ids));
        Ok(query.into_tuple().all(&self.db).await?.into_iter().map(demand).collect())
    }
}

impl Snapshot {
    /// What differs between the demand that is counted and what carts and orders have, as sentences.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn demand_differences(&self) -> Result<Vec<String>, Error> {
        let counted: Vec<(Uuid, i64, i64)> = counted().into_tuple().all(&self.0).await?;
        let in_carts: Vec<(Uuid, i64)> = in_carts().into_tuple().all(&self.0).await?;
        let in_orders: Vec<(Uuid, i64)> = in_unpaid_orders().into_tuple().all(&self.0).await?;
        let mut products: BTreeMap<ProductId, (Demand, Demand)> = BTreeMap::new();
        for (product, demand) in counted.into_iter().map(demand) {
            products.entry(product).or_default().0 = demand;
        }
        for (product, units) in in_carts {
            products.entry(ProductId(product)).or_default().1.in_carts = units;
        }
        for (product, units) in in_orders {
            products.entry(ProductId(product)).or_default().1.in_unpaid_orders = units;
        }
        let differ = products.into_iter().filter(|(_, (counted, there))| counted != there);
        Ok(differ
            .map(|(product, (counted, there))| {
                format!(
                    "{product}: {} units in carts and {} in unpaid orders are counted, there are {} and {}",
                    counted.in_carts, counted.in_unpaid_orders, there.in_carts, there.in_unpaid_orders
                )
            })
            .collect())
    }
}

fn demand((product, in_carts, in_unpaid_orders): (Uuid, i64, i64)) -> (ProductId, Demand) {
    (ProductId(product), Demand { in_carts, in_unpaid_orders })
}

/// A sum that has the type of what it adds up on every database.
fn sum<C: ColumnTrait>(column: C) -> Expr {
    column.into_expr().sum().cast_as("bigint")
}

/// The demand that is counted, by product.
fn counted() -> Select<stock_demand::Entity> {
    use stock_demand::Column::{InCarts, InUnpaidOrders, ProductId};
    let query = stock_demand::Entity::find().select_only().column(ProductId);
    query.expr_as(sum(InCarts), "in_carts").expr_as(sum(InUnpaidOrders), "in_unpaid_orders").group_by(ProductId)
}

/// Units in open carts, by product.
fn in_carts() -> Select<cart_item::Entity> {
    use cart_item::Column::{CartId, ProductId, Quantity};
    let is_of = CartId.into_expr().equals((cart::Entity, cart::Column::Id));
    let mut query = cart_item::Entity::find().select_only().column(ProductId).expr_as(sum(Quantity), "units");
    QueryTrait::query(&mut query).join(JoinType::InnerJoin, cart::Entity, is_of);
    query.filter(cart::Column::Status.eq(CartStatus::Open.as_str())).group_by(ProductId)
}

/// Units in unpaid orders, by product.
fn in_unpaid_orders() -> Select<order_item::Entity> {
    use order_item::Column::{OrderId, ProductId, Quantity};
    let is_of = OrderId.into_expr().equals((order::Entity, order::Column::Id));
    let mut query = order_item::Entity::find().select_only().column(ProductId).expr_as(sum(Quantity), "units");
    QueryTrait::query(&mut query).join(JoinType::InnerJoin, order::Entity, is_of);
    query
        .filter(order::Column::Payment.eq(PaymentStatus::Unpaid.as_str()))
        .filter(order::Column::Status.ne(Status::Cancelled.as_str()))
        .group_by(ProductId)
}
