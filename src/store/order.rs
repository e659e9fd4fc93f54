//! Orders with their items, payments and shipments.

use entity::{order, order_item, payment, sandbox_charge, shipment, shipment_item};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::id::{CartId, OrderId, OrderItemId, PaymentId, ShipmentId};
use crate::domain::order::{Order, PaymentStatus, ShippingStatus, Status};
use crate::domain::payment::Payment;
use crate::domain::sandbox::Charge;
use crate::domain::shipment::Shipment;
use crate::error::Error;

use super::page::{Page, PageRequest, Sorted, moment, page, restrict};
use super::{Store, rows};

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
    pub const fn of(order: &Order) -> Self {
        Self(order.placed_at, order.id)
    }
}

impl Store {
    /// One order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, Error> {
        Ok(self.orders(&[id]).await?.pop())
    }

    /// These orders, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders(&self, ids: &[OrderId]) -> Result<Vec<Order>, Error> {
        let found = self.rows_by::<order::Entity>(order::Column::Id, ids.iter().map(|id| id.0)).await?;
        self.with_items(found).await
    }

    /// The orders that these carts became.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_carts(&self, carts: &[CartId]) -> Result<Vec<Order>, Error> {
        let found = self.rows_by::<order::Entity>(order::Column::CartId, carts.iter().map(|id| id.0)).await?;
        self.with_items(found).await
    }

    /// The orders that these items belong to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_items(&self, items: &[OrderItemId]) -> Result<Vec<Order>, Error> {
        let items = self.rows_by::<order_item::Entity>(order_item::Column::Id, items.iter().map(|id| id.0)).await?;
        let orders: Vec<_> = items.iter().map(|item| OrderId(item.order_id)).collect();
        self.orders(&orders).await
    }

    /// Orders, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order_page(
        &self,
        filter: &OrderFilter,
        request: &PageRequest<OrderCursor>,
    ) -> Result<Page<Order>, Error> {
        let mut query = order::Entity::find();
        if let Some(owner) = &filter.owner {
            query = query.filter(order::Column::Owner.eq(owner.as_str()));
        }
        if !filter.status.is_empty() {
            query = query.filter(order::Column::Status.is_in(filter.status.iter().map(|s| s.word())));
        }
        if !filter.payment.is_empty() {
            query = query.filter(order::Column::Payment.is_in(filter.payment.iter().map(|s| s.word())));
        }
        if !filter.shipping.is_empty() {
            query = query.filter(order::Column::Shipping.is_in(filter.shipping.iter().map(|s| s.word())));
        }
        let sorted = Sorted { columns: &[order::Column::PlacedAt, order::Column::Id], order: false };
        let key = |cursor: &OrderCursor| vec![cursor.0.into(), cursor.1.0.into()];
        let found = restrict(query, sorted, request, key).all(&self.db).await?;
        Ok(page(self.with_items(found).await?, request))
    }

    async fn with_items(&self, orders: Vec<order::Model>) -> Result<Vec<Order>, Error> {
        let ids = orders.iter().map(|order| order.id);
        let items = self.rows_by::<order_item::Entity>(order_item::Column::OrderId, ids).await?;
        let mut items = rows::group(items, |item| item.order_id);
        let with_items = orders.into_iter().map(|row| {
            let items = items.remove(&row.id).unwrap_or_default();
            rows::order(row, items)
        });
        Ok(with_items.collect::<Result<_, _>>()?)
    }

    /// These payments, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, Error> {
        let found = self.rows_by::<payment::Entity>(payment::Column::Id, ids.iter().map(|id| id.0)).await?;
        Ok(found.into_iter().map(rows::payment).collect::<Result<_, _>>()?)
    }

    /// All payments of these orders, the first attempt first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn payments_of(&self, orders: &[OrderId]) -> Result<Vec<Payment>, Error> {
        let found = self.rows_by::<payment::Entity>(payment::Column::OrderId, orders.iter().map(|id| id.0)).await?;
        let mut payments: Vec<Payment> = found.into_iter().map(rows::payment).collect::<Result<_, _>>()?;
        payments.sort_by_key(|payment| (payment.created_at, payment.id));
        Ok(payments)
    }

    /// These shipments, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shipments(&self, ids: &[ShipmentId]) -> Result<Vec<Shipment>, Error> {
        let found = self.rows_by::<shipment::Entity>(shipment::Column::Id, ids.iter().map(|id| id.0)).await?;
        self.with_shipped_items(found).await
    }

    /// All shipments of these orders, the first first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shipments_of(&self, orders: &[OrderId]) -> Result<Vec<Shipment>, Error> {
        let found = self.rows_by::<shipment::Entity>(shipment::Column::OrderId, orders.iter().map(|id| id.0)).await?;
        let mut shipments = self.with_shipped_items(found).await?;
        shipments.sort_by_key(|shipment| (shipment.shipped_at, shipment.id));
        Ok(shipments)
    }

    async fn with_shipped_items(&self, found: Vec<shipment::Model>) -> Result<Vec<Shipment>, Error> {
        let ids = found.iter().map(|shipment| shipment.id);
        let items = self.rows_by::<shipment_item::Entity>(shipment_item::Column::ShipmentId, ids).await?;
        let mut items = rows::group(items, |item| item.shipment_id);
        let with_items = found.into_iter().map(|row| {
            let items = items.remove(&row.id).unwrap_or_default();
            rows::shipment(row, items)
        });
        Ok(with_items.collect())
    }

    /// What the sandbox has in its journal under this key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn charge(&self, payment: PaymentId) -> Result<Option<Charge>, Error> {
        let found = sandbox_charge::Entity::find_by_id(payment.0).one(&self.db).await?;
        Ok(found.as_ref().map(rows::charge).transpose()?)
    }
}
