//! How many units shoppers want: those in open carts, and those in unpaid orders. They may exceed what is available, and
//! nothing is refused because of them.
//!
//! Nobody counts them one by one: what a batch changes in carts and orders is what it adds to the demand for each product.

use std::collections::BTreeMap;

use crate::cart::{Cart, Status as CartStatus};
use crate::id::ProductId;
use crate::order::{Order, PaymentStatus, Status};
use crate::world::Tables;

/// The demand for one product, or a change of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Units in open carts.
    pub in_carts: i64,
    /// Units in orders that nobody pays or has paid, and that are not cancelled.
    pub in_unpaid_orders: i64,
}

/// The demand for each product.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Demands(BTreeMap<ProductId, Demand>);

impl Demands {
    /// What a batch adds to the demand for each product whose demand it changes, by product.
    #[must_use]
    pub fn changed_by(tables: &Tables) -> Self {
        let mut changes = Self::default();
        for (before, now) in tables.carts.updated() {
            changes.add_cart(before, -1);
            changes.add_cart(now, 1);
        }
        for (before, now) in tables.orders.updated() {
            changes.add_order(before, -1);
            changes.add_order(now, 1);
        }
        tables.carts.made().for_each(|cart| changes.add_cart(cart, 1));
        tables.orders.made().for_each(|order| changes.add_order(order, 1));
        changes.0.retain(|_, change| *change != Demand::default());
        changes
    }

    /// Each product with its demand, by product.
    pub fn iter(&self) -> impl Iterator<Item = (ProductId, Demand)> {
        self.0.iter().map(|(product, demand)| (*product, *demand))
    }

    fn add_cart(&mut self, cart: &Cart, sign: i64) {
        if cart.status == CartStatus::Open {
            for item in &cart.items {
                self.0.entry(item.product).or_default().in_carts += sign * i64::from(item.quantity);
            }
        }
    }

    fn add_order(&mut self, order: &Order, sign: i64) {
        if order.payment == PaymentStatus::Unpaid && order.status != Status::Cancelled {
            for item in &order.items {
                self.0.entry(item.product).or_default().in_unpaid_orders += sign * i64::from(item.quantity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::Time;
    use crate::id::CartId;

    fn product(number: u128) -> ProductId {
        ProductId(Uuid::from_u128(number))
    }

    fn cart(number: u128, status: CartStatus, items: &[(u128, i32)]) -> Cart {
        let mut cart = Cart::new(CartId(Uuid::from_u128(number)), None, Time::UNIX_EPOCH);
        for (of, quantity) in items {
            cart.set(product(*of), *quantity).expect("a sound quantity");
        }
        Cart { status, ..cart }
    }

    /// What happens to one cart, and what that adds to the demand for products 1, 2 and 3.
    #[test]
    fn what_a_cart_becomes_is_what_it_adds() {
        type Case<'a> = (Option<Cart>, Cart, &'a [(u128, i64)]);
        use CartStatus::{CheckedOut, Expired, Open};
        let cases: [Case<'_>; 7] = [
            (None, cart(1, Open, &[(1, 2), (3, 1)]), &[(1, 2), (3, 1)]),
            (None, cart(1, Open, &[]), &[]),
            (Some(cart(1, Open, &[(1, 2)])), cart(1, Open, &[(1, 5)]), &[(1, 3)]),
            (Some(cart(1, Open, &[(1, 2), (2, 7)])), cart(1, Open, &[(2, 7), (3, 1)]), &[(1, -2), (3, 1)]),
            (Some(cart(1, Open, &[(1, 2)])), cart(1, Expired, &[(1, 2)]), &[(1, -2)]),
            (Some(cart(1, Open, &[(1, 2)])), cart(1, CheckedOut, &[(1, 2)]), &[(1, -2)]),
            (Some(cart(1, Expired, &[(1, 2)])), cart(1, Expired, &[(1, 3)]), &[]),
        ];
        for (before, now, expected) in cases {
            let mut tables = Tables::default();
            if let Some(before) = before {
                tables.carts.load(before.id, before);
            }
            tables.carts.put(now.id, now.clone());
            tables.keep();
            let added: Vec<_> = Demands::changed_by(&tables).iter().collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(of, units)| (product(*of), Demand { in_carts: *units, in_unpaid_orders: 0 }))
                .collect();
            assert_eq!(added, expected, "{now:?}");
        }
    }
}
