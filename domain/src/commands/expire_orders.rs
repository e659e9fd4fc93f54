//! Cancels orders that nobody pays. They hold no units, so no stock moves: one that still holds some for a time is left until that
//! is over, and one whose payment is in progress, whatever becomes of it.

use crate::Time;
use crate::actor::Actor;
use crate::id::OrderId;
use crate::order::{CancelReason, PaymentStatus, Status};
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Cancels those of these orders that are still unpaid and untouched. Whoever begins to pay in between wins.
#[derive(Debug)]
pub struct ExpireOrders {
    /// The orders, as somebody has read them.
    pub orders: Vec<OrderId>,
    /// Changed last before this: placed, or a payment declined.
    pub untouched_since: Time,
}

impl Command for ExpireOrders {
    /// Those that were cancelled.
    type Answer = Vec<OrderId>;

    fn footprint(&self) -> Footprint {
        Footprint { orders_without_stock: self.orders.clone(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        self.orders.len()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Vec<OrderId>, Rejections> {
        let mut expired = Vec::new();
        for id in &self.orders {
            let Ok(order) = world.order(*id, &Actor::System) else { continue };
            let is_unpaid = order.payment == PaymentStatus::Unpaid && order.status != Status::Cancelled;
            let holds_nothing = order.items.iter().all(|item| item.allocated == 0);
            if is_unpaid && holds_nothing && order.updated_at < self.untouched_since {
                let mut order = order.clone();
                order.cancel(CancelReason::Expired, None);
                order.touch(context.now);
                world.put_order(order);
                expired.push(*id);
            }
        }
        Ok(expired)
    }
}
