//! Nothing is there that nobody asked for: products, orders, payments, shipments, cancelled orders, and every row of the log.
//!
//! A row of the log has one of three reasons: a product was made, somebody adjusted stock under a note, or it belongs to an
//! order. What the rows of an order may be is told by [`orders`](crate::orders), what was done to payments by
//! [`steps`](crate::steps).

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::Verdict;
use crate::database::{LogRow, Order, Shop};
use crate::id::uuid;
use crate::steps::may_be_voided;
use crate::told::Told;

/// Checks everything that there is.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    check_orders(shop, told, verdict);
    let (adjustments, managed) = (adjustments(told), told.asked("updateProduct", "id"));
    let made: BTreeSet<&str> = told.calls_of("createProduct").map(|(_, call)| call.given("sku")).collect();
    let shipped = told.asked("shipOrder", "orderId");
    for (product, row) in shop.log.iter().flat_map(|(product, log)| log.iter().map(move |row| (product, row))) {
        let is_explained = match (row.action.as_str(), row.order_id) {
            ("create", None) => {
                managed.contains(product) || shop.skus.get(product).is_some_and(|sku| made.contains(sku.as_str()))
            }
            (_, None) => row.note.as_ref().is_some_and(|note| adjustments.contains(&adjustment(note, row))),
            ("ship", Some(order)) => shipped.contains(&order),
            (_, Some(_)) => true,
        };
        verdict.unless(is_explained, || {
            let LogRow { sequence, action, quantity, note, .. } = row;
            format!("product {product}, row {sequence}: {action} of {quantity} ({note:?}), and nobody asked for it")
        });
    }
}

fn check_orders(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let checked_out = told.asked("checkOut", "cartId");
    for order in shop.orders.values().filter(|order| !checked_out.contains(&order.cart_id)) {
        verdict.add(format!("order {}: nobody checked its cart out, and nobody asked for it", order.id));
    }
    let paid = told.asked("payOrder", "orderId");
    for order in shop.payments.keys().filter(|order| !paid.contains(order)) {
        verdict.add(format!("order {order}: it has payments, and nobody asked for it"));
    }
    let cancelled = told.asked("cancelOrder", "orderId");
    let is_cancelled = |order: &&Order| order.status == "cancelled" && !cancelled.contains(&order.id);
    for order in shop.orders.values().filter(is_cancelled) {
        if may_be_voided(shop, told, order.id) {
            continue;
        }
        verdict.add(format!("order {}: cancelled, and nobody asked for it", order.id));
    }
    let holding = told.calls_of("checkOut").filter(|(_, call)| call.input["hold"] == true);
    let holding: BTreeSet<Uuid> = holding.filter_map(|(_, call)| call.given_id("cartId")).collect();
    for row in shop.log.values().flatten().filter(|row| row.reason == "hold") {
        let order = row.order_id.and_then(|order| shop.orders.get(&order));
        verdict.unless(order.is_some_and(|order| holding.contains(&order.cart_id)), || {
            format!("order {}: it was held, and nobody asked for it", row.order_id.unwrap_or_default())
        });
    }
    let shipped = told.asked("shipOrder", "orderId");
    for order in shop.shipments.keys().filter(|order| !shipped.contains(order)) {
        verdict.add(format!("order {order}: it has shipments, and nobody asked for it"));
    }
}

/// A change of stock as somebody asks for it: note, product, action and quantity.
type Adjustment = (String, Uuid, String, i64);

fn adjustment(note: &str, row: &LogRow) -> Adjustment {
    (note.to_owned(), row.product_id, row.action.clone(), i64::from(row.quantity))
}

/// The changes that somebody asked for.
fn adjustments(told: &Told<'_>) -> BTreeSet<Adjustment> {
    let mut asked = BTreeSet::new();
    for (_, call) in told.calls_of("adjustStock") {
        for change in call.input["changes"].as_array().into_iter().flatten() {
            let product = change["productId"].as_str().and_then(uuid);
            let (action, quantity) = (change["action"].as_str(), change["quantity"].as_i64());
            if let (Some(product), Some(action), Some(quantity)) = (product, action, quantity) {
                asked.insert((call.given("note").to_owned(), product, action.to_lowercase(), quantity));
            }
        }
    }
    asked
}
