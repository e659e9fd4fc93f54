//! Orders with everything that belongs to them.

use entity::{order, order_item, payment, shipment, shipment_item};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult,
    QuerySelect, QueryTrait, Select,
};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use domain::Time;
use domain::id::{CartId, OrderId, OrderItemId};
use domain::order::{OrderRecord, PaymentStatus, ShippingStatus, Status};
use domain::payment::Payment;

use super::nested::{decode, rows_as_json};
use super::page::{Page, PageRequest, Sorted, moment, page, restrict};
use crate::database::rows;

use super::Store;

/// Which orders are wanted; an empty list wants all.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// Of this owner; of anybody when `None`.
    pub owner: Option<String>,
    /// Any of these.
    pub status: Vec<Status>,
    /// Any of these.
    pub payment: Vec<PaymentStatus>,
    /// Any of these.
    pub shipping: Vec<ShippingStatus>,
}

/// A place in the list of orders, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCursor(#[serde(deserialize_with = "moment")] Time, OrderId);

impl OrderCursor {
    /// The place of this order.
    #[must_use]
    pub const fn of(record: &OrderRecord) -> Self {
        Self(record.order.placed_at, record.order.id)
    }
}

impl Store {
    /// One order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderRecord>, Error> {
        Ok(self.orders(&[id]).await?.pop())
    }

    /// These orders, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders(&self, ids: &[OrderId]) -> Result<Vec<OrderRecord>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        self.records(order::Entity::find().filter(self.among(order::Column::Id, &ids))).await
    }

    /// The versions of these orders, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order_versions(&self, ids: &[OrderId]) -> Result<Vec<(OrderId, i32)>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let query = order::Entity::find().filter(self.among(order::Column::Id, &ids));
        let query = query.select_only().columns([order::Column::Id, order::Column::Version]);
        let found: Vec<(Uuid, i32)> = query.into_tuple().all(&self.db).await?;
        Ok(found.into_iter().map(|(id, version)| (OrderId(id), version)).collect())
    }

    /// The orders that these carts became.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_carts(&self, carts: &[CartId]) -> Result<Vec<OrderRecord>, Error> {
        let carts: Vec<Uuid> = carts.iter().map(|id| id.0).collect();
        self.records(order::Entity::find().filter(self.among(order::Column::CartId, &carts))).await
    }

    /// The orders that these items belong to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_items(&self, items: &[OrderItemId]) -> Result<Vec<OrderRecord>, Error> {
        let ids = items.iter().map(|id| id.0);
        self.records(parents::<order_item::Entity>(order_item::Column::OrderId, order_item::Column::Id, ids)).await
    }

    /// Orders, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order_page(
        &self,
        filter: &OrderFilter,
        request: &PageRequest<OrderCursor>,
    ) -> Result<Page<OrderRecord>, Error> {
        let mut query = order::Entity::find();
        if let Some(owner) = &filter.owner {
            query = query.filter(order::Column::Owner.eq(owner.as_str()));
        }
        if !filter.status.is_empty() {
            query = query.filter(order::Column::Status.is_in(filter.status.iter().map(|s| s.as_str())));
        }
        if !filter.payment.is_empty() {
            query = query.filter(order::Column::Payment.is_in(filter.payment.iter().map(|s| s.as_str())));
        }
        if !filter.shipping.is_empty() {
            query = query.filter(order::Column::Shipping.is_in(filter.shipping.iter().map(|s| s.as_str())));
        }
        let sorted = Sorted { columns: &[order::Column::PlacedAt, order::Column::Id], order: false };
        let key = |cursor: &OrderCursor| vec![cursor.0.into(), cursor.1.0.into()];
        Ok(page(self.records(restrict(query, sorted, request, key)).await?, request))
    }

    /// The orders that a query finds, in its order, each with everything that belongs to it. It is one statement: a
    /// payment that settles in between would show an order beside payments and allocations of another moment.
    pub(super) async fn records(&self, query: Select<order::Entity>) -> Result<Vec<OrderRecord>, Error> {
        let found = with_parts(query, self.db.get_database_backend()).into_model::<OrderParts>().all(&self.db).await?;
        Ok(found.into_iter().map(OrderParts::into_record).collect::<Result<_, _>>()?)
    }
}

/// The orders that rows of another table belong to.
pub(super) fn parents<E: EntityTrait>(
    parent: E::Column,
    id: E::Column,
    ids: impl IntoIterator<Item = Uuid>,
) -> Select<order::Entity> {
    let of = E::find().select_only().column(parent).filter(id.is_in(ids)).into_query();
    order::Entity::find().filter(order::Column::Id.in_subquery(of))
}

/// Adds to a query of orders, in columns of their own, the rows of other tables that belong to each.
fn with_parts(query: Select<order::Entity>, backend: DbBackend) -> Select<order::Entity> {
    let of_order = |column: Expr| Condition::all().add(column.equals((order::Entity, order::Column::Id)));
    let shipments = shipment::Entity::find()
        .select_only()
        .column(shipment::Column::Id)
        .filter(of_order(shipment::Column::OrderId.into_expr()))
        .into_query();
    let in_shipments = Condition::all().add(shipment_item::Column::ShipmentId.in_subquery(shipments));
    query
        .expr_as(rows_as_json::<order_item::Entity>(backend, of_order(order_item::Column::OrderId.into_expr())), ITEMS)
        .expr_as(rows_as_json::<payment::Entity>(backend, of_order(payment::Column::OrderId.into_expr())), PAYMENTS)
        .expr_as(rows_as_json::<shipment::Entity>(backend, of_order(shipment::Column::OrderId.into_expr())), SHIPMENTS)
        .expr_as(rows_as_json::<shipment_item::Entity>(backend, in_shipments), SHIPMENT_ITEMS)
}

/// Columns of [`with_parts`].
const ITEMS: &str = "items";
const PAYMENTS: &str = "payments";
const SHIPMENTS: &str = "shipments";
const SHIPMENT_ITEMS: &str = "shipment_items";

/// The rows that make an [`OrderRecord`].
struct OrderParts {
    order: order::Model,
    items: Vec<order_item::Model>,
    payments: Vec<payment::Model>,
    shipments: Vec<shipment::Model>,
    shipment_items: Vec<shipment_item::Model>,
}

impl FromQueryResult for OrderParts {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            order: order::Model::from_query_result(row, prefix)?,
            items: decode(row, ITEMS)?,
            payments: decode(row, PAYMENTS)?,
            shipments: decode(row, SHIPMENTS)?,
            shipment_items: decode(row, SHIPMENT_ITEMS)?,
        })
    }
}

impl OrderParts {
    fn into_record(self) -> Result<OrderRecord, DbErr> {
        let payments: Vec<Payment> = self.payments.into_iter().map(rows::payment).collect::<Result<_, _>>()?;
        let mut items = rows::group(self.shipment_items, |item| item.shipment_id);
        let shipments = self.shipments.into_iter().map(|row| {
            let items = items.remove(&row.id).unwrap_or_default();
            rows::shipment(row, items)
        });
        Ok(OrderRecord::new(rows::order(self.order, self.items)?, payments, shipments.collect()))
    }
}
