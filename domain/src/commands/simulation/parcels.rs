//! Orders that are shipped in the simulation, whole and in parts.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::{ItemQuantity, ShipOrder};
use crate::id::{OrderId, OrderItemId};

use super::{Sale, Simulation, State};

impl Simulation {
    /// Ships some of an order, or all that is left, or asks for what cannot be shipped.
    pub fn ship(&mut self) {
        let Some(i) = self.any_sale() else { return };
        let (order, sale) = self.sales[i].clone();
        let ids: Vec<OrderItemId> =
            self.tables.orders.get(&order).expect("an order").items.iter().map(|item| item.id).collect();
        let left = |line: usize| sale.lines[line].1 - sale.shipped[line];
        let mut parts: Vec<(usize, i32)> =
            (0..ids.len()).map(|line| (line, left(line))).filter(|part| part.1 > 0).collect();
        let (mut items, mut fits) = (None, true);
        if self.dice.below(3) > 0 {
            parts = (0..ids.len()).map(|line| (line, self.up_to(5))).collect();
            parts.retain(|(_, quantity)| *quantity > 0 || self.dice.below(4) == 0);
            if self.dice.below(10) == 0 {
                // It may be named already.
                parts.push((0, 1));
            }
            let named = |(line, quantity): &(usize, i32)| ItemQuantity { item: ids[*line], quantity: *quantity };
            let mut named: Vec<ItemQuantity> = parts.iter().map(named).collect();
            let lines: BTreeSet<usize> = parts.iter().map(|(line, _)| *line).collect();
            let is_sound = |(line, quantity): &(usize, i32)| (1..=left(*line)).contains(quantity);
            fits = !parts.is_empty() && lines.len() == parts.len() && parts.iter().all(is_sound);
            if self.dice.below(20) == 0 {
                // Of no order.
                named.push(ItemQuantity { item: OrderItemId(order.0), quantity: 1 });
                fits = false;
            }
            items = Some(named);
        }
        let ship = ShipOrder::check(order, None, None).expect("a sound request");
        let ship = if let Some(items) = items.clone() { ship.with_items(items) } else { Ok(ship) };
        let shipped = ship.and_then(|ship| self.decide(&ship));
        assert_eq!(shipped.is_ok(), sale.state == State::Paid && fits, "{sale:?} {items:?}: {shipped:?}");
        if shipped.is_ok() {
            self.leave(i, &parts);
        }
    }

    /// Units have left: those that were held are gone from the warehouse.
    fn leave(&mut self, i: usize, parts: &[(usize, i32)]) {
        for (line, quantity) in parts {
            let Sale { lines, held, shipped, .. } = &mut self.sales[i].1;
            let counted = held[*line].min(*quantity);
            held[*line] -= counted;
            shipped[*line] += quantity;
            self.goods[lines[*line].0].total -= counted;
        }
        let sale = &mut self.sales[i].1;
        if sale.lines.iter().zip(&sale.shipped).all(|((_, quantity), shipped)| quantity == shipped) {
            sale.state = State::Shipped;
        }
    }

    /// What the shipments of an order have of each item.
    pub fn in_shipments(&self, order: OrderId) -> BTreeMap<OrderItemId, i64> {
        let mut sums = BTreeMap::new();
        let shipments = self.tables.shipments.rows().filter(|(_, shipment)| shipment.order == order);
        for item in shipments.flat_map(|(_, shipment)| &shipment.items) {
            *sums.entry(item.order_item).or_default() += i64::from(item.quantity);
        }
        sums
    }
}
