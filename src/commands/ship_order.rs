//! Takes the allocated units of a paid order out of the warehouse: total and allocated go down together in one
//! movement, so that available does not move and no badge flickers.

use crate::domain::id::{OrderId, ShipmentId};
use crate::domain::order::ShippingStatus;
use crate::domain::rejection::Refusal;
use crate::domain::shipment::{Item, Shipment};
use crate::domain::stock::{Action, Holder};
use crate::domain::text;
use crate::domain::transaction::Reason;
use crate::writer::world::World;

use super::ledger::{Cause, move_stock};
use super::{Command, Context, Footprint};

/// Ships a whole order.
#[derive(Debug)]
pub struct ShipOrder {
    order: OrderId,
    carrier: Option<String>,
    tracking_number: Option<String>,
}

impl ShipOrder {
    /// Checks what can be checked without looking at the order.
    ///
    /// # Errors
    /// A carrier or tracking number that is not acceptable.
    pub fn check(order: OrderId, carrier: Option<&str>, tracking_number: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self {
            order,
            carrier: text::optional_line("carrier", carrier, text::MAX_REFERENCE_LENGTH)?,
            tracking_number: text::optional_line("trackingNumber", tracking_number, text::MAX_REFERENCE_LENGTH)?,
        })
    }
}

impl Command for ShipOrder {
    type Answer = OrderId;

    fn footprint(&self) -> Footprint {
        Footprint { orders: vec![self.order], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<OrderId, Refusal> {
        let mut order = world.order(self.order, context.who).map_err(|r| r.at(["orderId"]))?.clone();
        order.must_be_shippable()?;
        let cause = Cause::order(Reason::OrderShipped, order.id);
        let mut shipped = Vec::new();
        for item in order.items.iter_mut().filter(|item| item.left_to_ship() > 0) {
            // What was not managed when it was paid is not counted, so it leaves without a row.
            if item.allocated > 0 {
                move_stock(world, context, item.product, (Action::Ship, item.allocated, Holder::Order), &cause)?;
            }
            shipped.push(Item { order_item: item.id, quantity: item.left_to_ship() });
            item.shipped += item.left_to_ship();
            item.allocated = 0;
        }
        let shipment = Shipment {
            id: ShipmentId(context.random.ordered_uuid(context.now)),
            order: order.id,
            items: shipped,
            carrier: self.carrier.clone(),
            tracking_number: self.tracking_number.clone(),
            shipped_at: context.now,
        };
        order.shipping = ShippingStatus::Fulfilled;
        order.touch(context.now);
        world.orders.insert(order.id, order);
        world.shipments.insert(shipment.id, shipment);
        Ok(self.order)
    }
}
