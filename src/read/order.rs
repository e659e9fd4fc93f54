//! Orders with everything that belongs to them.

use entity::order::Column;
use entity::{order, order_item, payment, payment_operation, shipment, shipment_item};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityName, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, QueryTrait, Select,
};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use domain::Time;
use domain::id::{CartId, OrderId, OrderItemId};
use domain::order::{OrderRecord, PaymentStatus, ShippingStatus, Status};
use domain::payment::Payment;

use super::nested::{decode, rows_as_json};
use super::page::{MAX_LOOKED_AT, Page, PageRequest, Sorted, between, moment, ordered, page, page_up_to, read_limit};
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// Orders, newest first. A page that is filtered by their states ends early when many orders were looked through.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order_page(
        &self,
        filter: &OrderFilter,
        request: &PageRequest<OrderCursor>,
    ) -> Result<Page<OrderRecord, OrderCursor>, Error> {
        let all = in_page(filter, request);
        let Some(states) = filter.states() else {
            return Ok(page(self.records(all.limit(read_limit(request))).await?, request));
        };
        // The limit within keeps the database from reading on until it has found enough of a rare state.
        let looked_at = all.clone().limit(MAX_LOOKED_AT).into_query();
        let mut found = order::Entity::find();
        QueryTrait::query(&mut found).from_clear().from_subquery(looked_at, order::Entity.table_name());
        let found = ordered(found.filter(states), SORTED, request).limit(read_limit(request));
        let found = self.records(found).await?;
        if u64::try_from(found.len()).is_ok_and(|count| count >= read_limit(request)) {
            return Ok(page(found, request));
        }
        let last = all.select_only().columns(SORTED.columns.iter().copied()).limit(1).offset(MAX_LOOKED_AT - 1);
        let last: Option<(Time, Uuid)> = last.into_tuple().one(&self.db).await?;
        Ok(page_up_to(found, request, last.map(|(at, id)| OrderCursor(at, OrderId(id))), OrderCursor::of))
    }

    /// Unpaid orders that did not change since, those that were left longest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn untouched_unpaid_orders(&self, since: Time, limit: u64) -> Result<Vec<OrderId>, Error> {
        // Constants, so that a database knows that the partial index has all of them.
        let is = |column: Column, code: &str| column.into_expr().eq(Expr::Constant(code.into()));
        let query = order::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(is(Column::Payment, PaymentStatus::Unpaid.as_str()))
            .filter(is(Column::Status, Status::Incomplete.as_str()))
            // What holds units is left until that is over, and must not stand in the way of the others.
            .filter(Column::HeldUntil.is_null())
            .filter(Column::UpdatedAt.lt(since))
            .order_by_asc(Column::UpdatedAt)
            .limit(limit);
        Ok(query.into_tuple().all(&self.db).await?.into_iter().map(OrderId).collect())
    }

    /// The orders that a query finds, in its order, each with everything that belongs to it. It is one statement: a
    /// payment that settles in between would show an order beside payments and allocations of another moment.
    pub(super) async fn records(&self, query: Select<order::Entity>) -> Result<Vec<OrderRecord>, Error> {
        let found = with_parts(query, self.db.get_database_backend()).into_model::<OrderParts>().all(&self.db).await?;
        Ok(found.into_iter().map(OrderParts::into_record).collect::<Result<_, _>>()?)
    }
}

/// The order of the list.
const SORTED: Sorted<'static, Column> = Sorted { columns: &[Column::PlacedAt, Column::Id], order: false };

/// The orders between the cursors, in whatever state, in the order of the page.
fn in_page(filter: &OrderFilter, request: &PageRequest<OrderCursor>) -> Select<order::Entity> {
    let key = |cursor: &OrderCursor| vec![cursor.0.into(), cursor.1.0.into()];
    let owner = filter.owner.as_deref();
    let query = order::Entity::find().filter(between(SORTED, request, key));
    let query = query.filter(Condition::all().add_option(owner.map(|owner| Column::Owner.eq(owner))));
    ordered(query, SORTED, request)
}

impl OrderFilter {
    /// The states that are wanted, if not all are.
    fn states(&self) -> Option<Condition> {
        fn any<S>(column: Column, states: &[S], code: impl Fn(&S) -> &'static str) -> Option<Expr> {
            (!states.is_empty()).then(|| column.is_in(states.iter().map(code)))
        }
        let states = Condition::all()
            .add_option(any(Column::Status, &self.status, |status| status.as_str()))
            .add_option(any(Column::Payment, &self.payment, |payment| payment.as_str()))
            .add_option(any(Column::Shipping, &self.shipping, |shipping| shipping.as_str()));
        (!states.is_empty()).then_some(states)
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
        .expr_as(
            rows_as_json::<payment_operation::Entity>(
                backend,
                of_order(payment_operation::Column::OrderId.into_expr()),
            ),
            OPERATIONS,
        )
}

/// Columns of [`with_parts`].
const ITEMS: &str = "items";
const PAYMENTS: &str = "payments";
const SHIPMENTS: &str = "shipments";
const SHIPMENT_ITEMS: &str = "shipment_items";
const OPERATIONS: &str = "operations";

/// The rows that make an [`OrderRecord`].
struct OrderParts {
    order: order::Model,
    items: Vec<order_item::Model>,
    payments: Vec<payment::Model>,
    shipments: Vec<shipment::Model>,
    shipment_items: Vec<shipment_item::Model>,
    operations: Vec<payment_operation::Model>,
}

impl FromQueryResult for OrderParts {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            order: order::Model::from_query_result(row, prefix)?,
            items: decode(row, ITEMS)?,
            payments: decode(row, PAYMENTS)?,
            shipments: decode(row, SHIPMENTS)?,
            shipment_items: decode(row, SHIPMENT_ITEMS)?,
            operations: decode(row, OPERATIONS)?,
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
        let (order, shipments) = (rows::order(self.order, self.items)?, shipments.collect());
        let operations = self.operations.into_iter().map(|row| rows::operation(row, order.total.currency));
        let operations = operations.collect::<Result<_, _>>()?;
        Ok(OrderRecord::new(order, payments, shipments, operations))
    }
}
