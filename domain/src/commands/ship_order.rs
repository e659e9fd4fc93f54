//! Takes units of a paid order out of the warehouse, all that are left or some of them: total and allocated go down together in
//! one movement, so that available does not move and no badge flickers.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{OrderId, OrderItemId, ShipmentId};
use crate::order::{Order, OrderRecord};
use crate::rejection::{Code, Rejection, Rejections};
use crate::shipment::{Item, Shipment};
use crate::stock::Action;
use crate::text;
use crate::transaction::Reason;
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::ledger::{Cause, Move, move_stock};
use super::{Command, Context, Footprint};

/// Units of one item of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemQuantity {
    /// The item.
    pub item: OrderItemId,
    /// How many units.
    pub quantity: i32,
}

/// Ships an order, or some of it.
#[derive(Debug, Clone)]
pub struct ShipOrder {
    order: OrderId,
    /// What is shipped; everything that is left if `None`.
    items: Option<Vec<ItemQuantity>>,
    carrier: Option<String>,
    tracking_number: Option<String>,
}

impl ShipOrder {
    /// Ships all that is left. Checks what can be checked without looking at the order.
    ///
    /// # Errors
    /// A carrier or tracking number that is not acceptable.
    pub fn check(order: OrderId, carrier: Option<&str>, tracking_number: Option<&str>) -> Result<Self, Rejections> {
        Ok(Self {
            order,
            items: None,
            carrier: text::optional_line("carrier", carrier, text::MAX_REFERENCE_LENGTH)?,
            tracking_number: text::optional_line("trackingNumber", tracking_number, text::MAX_REFERENCE_LENGTH)?,
        })
    }

    /// Ships these items only.
    ///
    /// # Errors
    /// A list that is empty or names an item twice.
    pub fn with_items(self, items: Vec<ItemQuantity>) -> Result<Self, Rejections> {
        must_be_named_once(&items)?;
        Ok(Self { items: Some(items), ..self })
    }

    /// Returns how many units of each item are shipped.
    ///
    /// # Errors
    /// `NOT_FOUND` for an item that the order does not have, `INVALID_QUANTITY` for more units than are left to ship, or none.
    fn quantities(&self, order: &Order) -> Result<BTreeMap<OrderItemId, i32>, Rejections> {
        let Some(wanted) = &self.items else {
            let left = order.items.iter().map(|item| (item.id, item.left_to_ship()));
            return Ok(left.filter(|(_, quantity)| *quantity > 0).collect());
        };
        let refusal = wanted.iter().enumerate().filter_map(|(i, ItemQuantity { item, quantity })| {
            let Some(item) = order.items.iter().find(|known| known.id == *item) else {
                return Some(Rejection::not_found("order item").at(field(i, "orderItemId")));
            };
            let left = item.left_to_ship();
            let message = || match left {
                0 => "Nothing of this item is left to ship.".to_owned(),
                left => format!("1 to {left} units of this item can be shipped."),
            };
            let is_sound = (1..=left).contains(quantity);
            (!is_sound).then(|| Rejection::new(Code::InvalidQuantity, message()).at(field(i, "quantity")))
        });
        let refusal: Rejections = refusal.collect();
        if refusal.is_empty() { Ok(wanted.iter().map(|one| (one.item, one.quantity)).collect()) } else { Err(refusal) }
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
        if world.is_being_voided(order.id) {
            return Err(Rejection::invalid_state("The payment of the order is being voided.").into());
        }
        let quantities = self.quantities(&order)?;
        let cause = Cause::order(Reason::OrderShipped, order.id);
        let mut shipped = Vec::new();
        for item in &mut order.items {
            let Some(quantity) = quantities.get(&item.id).copied() else { continue };
            // What was not managed when it was paid is not counted, so it leaves without a row.
            let held = quantity.min(item.allocated);
            if held > 0 {
                move_stock(world, context, Move::of_order(item.product, Action::Ship, held), &cause)?;
            }
            shipped.push(Item { order_item: item.id, quantity });
            item.allocated -= held;
            item.shipped += quantity;
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

fn must_be_named_once(items: &[ItemQuantity]) -> Result<(), Rejections> {
    if items.is_empty() {
        return Err(Rejection::invalid_input("Name at least one item, or leave the list out.").at(["items"]).into());
    }
    let mut seen = BTreeSet::new();
    let again = items.iter().enumerate().filter(|(_, one)| !seen.insert(one.item));
    let twice =
        |(i, _)| Rejection::invalid_input("An item is named only once in one call.").at(field(i, "orderItemId"));
    let refusal: Rejections = again.map(twice).collect();
    if refusal.is_empty() { Ok(()) } else { Err(refusal) }
}

fn field(i: usize, name: &str) -> [String; 3] {
    ["items".to_owned(), i.to_string(), name.to_owned()]
}
