//! A shipment as clients see it.

use std::sync::Arc;

use async_graphql::{ID, Object, SimpleObject};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::scalars::DateTime;
use domain::order::OrderRecord;
use domain::shipment;

use super::item::OrderItem;

/// Goods of one order that left together.
#[derive(Debug, Clone)]
pub struct Shipment {
    /// The shipment.
    pub shipment: shipment::Shipment,
    /// Its order as of the same moment.
    pub of: Arc<OrderRecord>,
}

/// Goods of one order that left the warehouse together.
#[Object(guard = "Charged")]
impl Shipment {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.shipment.id.into()
    }

    /// What is in it.
    async fn items(&self) -> Vec<ShipmentItem> {
        let of = |shipped: &shipment::Item| {
            let item = self.of.order.items.iter().find(|item| item.id == shipped.order_item)?;
            Some(ShipmentItem { order_item: OrderItem(item.clone()), quantity: shipped.quantity })
        };
        self.shipment.items.iter().filter_map(of).collect()
    }

    /// Who carries it.
    async fn carrier(&self) -> Option<Text<&str>> {
        self.shipment.carrier.as_deref().map(Text)
    }

    /// The carrier's number for it.
    async fn tracking_number(&self) -> Option<Text<&str>> {
        self.shipment.tracking_number.as_deref().map(Text)
    }

    /// When it left.
    async fn shipped_at(&self) -> DateTime {
        DateTime(self.shipment.shipped_at)
    }
}

/// Units of one order item in a shipment.
#[derive(Debug, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct ShipmentItem {
    /// Which item.
    order_item: OrderItem,
    /// How many units.
    quantity: i32,
}
