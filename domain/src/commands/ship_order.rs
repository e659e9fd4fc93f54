//! Takes the allocated units of a paid order out of the warehouse: total and allocated go down together in one
//! movement, so that available does not move and no badge flickers.

use crate::id::{OrderId, ShipmentId};
use crate::order::OrderRecord;
use crate::rejection::Rejections;
use crate::shipment::{Item, Shipment};
use crate::stock::Action;
use crate::text;
use crate::transaction::Reason;
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::ledger::{Cause, Move, move_stock};
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
    pub fn check(order: OrderId, carrier: Option<&str>, tracking_number: Option<&str>) -> Result<Self, Rejections> {
        Ok(Self {
            order,
            carrier: text::optional_line("carrier", carrier, text::MAX_REFERENCE_LENGTH)?,
            tracking_number: text::optional_line("trackingNumber", tracking_number, text::MAX_REFERENCE_LENGTH)?,
        })
    }
}

impl Command for ShipOrder {
    type Answer = OrderRecord;

    fn footprint(&self) -> Footprint {
        Footprint { orders: vec![self.order], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<OrderRecord, Rejections> {
        let mut order = world.order(self.order, context.actor).map_err(|r| r.at(["orderId"]))?.clone();
        order.must_be_shippable()?;
        let cause = Cause::order(Reason::OrderShipped, order.id);
        let mut shipped = Vec::new();
        for item in order.items.iter_mut().filter(|item| item.left_to_ship() > 0) {
            // What was not managed when it was paid is not counted, so it leaves without a row.
            if item.allocated > 0 {
                move_stock(world, context, Move::of_order(item.product, Action::Ship, item.allocated), &cause)?;
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
        order.shipping = order.shipped_so_far();
        order.touch(context.now);
        world.put_order(order);
        world.put_shipment(shipment);
        Ok(world.order_record(self.order)?)
    }
}

impl Repeatable for ShipOrder {
    type Kept = OrderId;
}
