//! Goods of one order that left the warehouse together. A shipment is never changed once it is made.

use super::Time;
use super::id::{OrderId, OrderItemId, ShipmentId};

/// Units of one order item in a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Which item.
    pub order_item: OrderItemId,
    /// How many units: at least 1.
    pub quantity: i32,
}

/// A shipment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    /// Its id.
    pub id: ShipmentId,
    /// Whose goods.
    pub order: OrderId,
    /// What is in it.
    pub items: Vec<Item>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's number for it.
    pub tracking_number: Option<String>,
    /// When it left.
    pub shipped_at: Time,
}
