//! A shipment as clients see it.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::domain::shipment;
use crate::graphql::loaders::load;
use crate::graphql::scalars::DateTime;

use super::types::OrderItem;

/// Goods of one order that left together.
#[derive(Debug, Clone)]
pub struct Shipment(pub shipment::Shipment);

/// Goods of one order that left the warehouse together.
#[Object]
impl Shipment {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What is in it.
    async fn items(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ShipmentItem>> {
        let order = load(context, self.0.order).await?;
        let items = order.map(|order| order.items).unwrap_or_default();
        let of = |shipped: &shipment::Item| {
            let item = items.iter().find(|item| item.id == shipped.order_item)?;
            Some(ShipmentItem { order_item: OrderItem(item.clone()), quantity: shipped.quantity })
        };
        Ok(self.0.items.iter().filter_map(of).collect())
    }

    /// Who carries it.
    async fn carrier(&self) -> Option<&str> {
        self.0.carrier.as_deref()
    }

    /// The carrier's number for it.
    async fn tracking_number(&self) -> Option<&str> {
        self.0.tracking_number.as_deref()
    }

    /// When it left.
    async fn shipped_at(&self) -> DateTime {
        DateTime(self.0.shipped_at)
    }
}

/// Units of one order item in a shipment.
#[derive(Debug, SimpleObject)]
pub struct ShipmentItem {
    /// Which item.
    order_item: OrderItem,
    /// How many units.
    quantity: i32,
}
