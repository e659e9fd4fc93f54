//! Carts that are filled, changed and left in the simulation, what expires, and what shoppers want of each product.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::commands::{CreateCart, ExpireCarts, ExpireOrders, UpdateCart};
use crate::demand::{Demand, Demands};
use crate::id::{CartId, OrderId, ProductId};

use super::{Sale, Simulation, State};

impl Simulation {
    /// Fills a cart and leaves it open.
    pub fn fill(&mut self) -> Option<usize> {
        let lines = self.lines();
        let should = lines.iter().all(|line| self.can_sell(*line));
        let cart = self.decide(&CreateCart { items: self.changes(&lines) });
        assert_eq!(cart.is_ok(), should, "cart of {lines:?}: {cart:?}");
        self.carts.push((cart.ok()?.id, Some(lines)));
        Some(self.carts.len() - 1)
    }

    /// Sets what is in a cart that may have been left long ago.
    pub fn refill(&mut self) {
        if self.carts.is_empty() {
            return;
        }
        let which = self.pick(self.carts.len());
        let (id, known) = self.carts[which].clone();
        let mut lines = self.lines();
        if self.dice.below(3) == 0 {
            lines[0].1 = 0;
        }
        let before = |product: usize| {
            known.iter().flatten().find(|(known, _)| *known == product).map_or(0, |(_, quantity)| *quantity)
        };
        let fits = lines.iter().all(|line| line.1 <= before(line.0) || self.can_sell(*line));
        let set = self.decide(&UpdateCart::Set(id, self.changes(&lines)));
        assert_eq!(set.is_ok(), known.is_some() && fits, "{known:?} {lines:?}: {set:?}");
        if let (Ok(_), Some(known)) = (set, &mut self.carts[which].1) {
            known.retain(|(product, _)| lines.iter().all(|(other, _)| other != product));
            known.extend(lines.into_iter().filter(|(_, quantity)| *quantity > 0));
        }
    }

    /// Whatever was left for a while expires: carts that are open, orders that are unpaid.
    pub fn expire(&mut self) {
        let untouched_since = self.now - Duration::from_millis(u64::from(self.dice.below(5_000)));
        let carts: Vec<CartId> = self.carts.iter().map(|(id, _)| *id).collect();
        let orders: Vec<OrderId> = self.sales.iter().map(|(id, _)| *id).collect();
        let left = |cart: &CartId| self.tables.carts.get(cart).expect("a cart").updated_at < untouched_since;
        let left: Vec<bool> = carts.iter().map(left).collect();
        let unpaid = |(id, sale): &(OrderId, Sale)| {
            let is_left = self.tables.orders.get(id).expect("an order").updated_at < untouched_since;
            sale.state == State::Unpaid && is_left && sale.held.iter().all(|units| *units == 0)
        };
        let unpaid: Vec<OrderId> = self.sales.iter().filter(|sale| unpaid(sale)).map(|(id, _)| *id).collect();
        let count = self.carts.iter().zip(&left).filter(|((_, lines), left)| lines.is_some() && **left).count();
        assert_eq!(self.decide(&ExpireCarts { carts, untouched_since }), Ok(count));
        for (cart, _) in self.carts.iter_mut().zip(left).filter(|(_, left)| *left) {
            cart.1 = None;
        }
        assert_eq!(self.decide(&ExpireOrders { orders, untouched_since }).as_ref(), Ok(&unpaid));
        for (_, sale) in self.sales.iter_mut().filter(|(id, _)| unpaid.contains(id)) {
            sale.state = State::Cancelled;
            sale.held_until = None;
        }
    }

    /// What shoppers want is what is in open carts and in unpaid orders.
    pub fn compare_demand(&self) {
        let mut wanted = BTreeMap::<ProductId, Demand>::new();
        for (product, quantity) in self.carts.iter().filter_map(|(_, lines)| lines.as_ref()).flatten() {
            wanted.entry(self.products[*product]).or_default().in_carts += i64::from(*quantity);
        }
        for (_, sale) in self.sales.iter().filter(|(_, sale)| sale.state == State::Unpaid) {
            for (product, quantity) in &sale.lines {
                wanted.entry(self.products[*product]).or_default().in_unpaid_orders += i64::from(*quantity);
            }
        }
        let counted: BTreeMap<ProductId, Demand> = Demands::changed_by(&self.tables).iter().collect();
        assert_eq!(counted, wanted);
    }
}
