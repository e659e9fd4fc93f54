//! What was acknowledged is there. What was refused is not. What nobody knows happened at most once.
//!
//! A mutation is found again by what it left behind: an adjustment by its note, a cart by its id, an order by its cart, a
//! payment by its order and its key; what was done to payments is found by [`steps`](crate::steps). A set-back of the data takes acknowledged things away; what was acknowledged afterwards
//! is asked for all the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use crate::Verdict;
use crate::database::{Payment, Shop};
use crate::id::uuid;
use crate::told::{Call, Told};

/// Checks every call.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    check_products(shop, told, verdict);
    check_adjustments(shop, told, verdict);
    check_carts(shop, told, verdict);
    check_check_outs(shop, told, verdict);
    check_payments(shop, told, verdict);
    check_cancellations(shop, told, verdict);
    check_shipments(shop, told, verdict);
}

/// A product that was acknowledged is there.
fn check_products(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    for product in
        told.calls_of("createProduct").filter_map(|(_, call)| uuid(call.acknowledged()?["product"].as_str()?))
    {
        verdict.unless(shop.stocks.contains_key(&product), || {
            format!("product {product}: acknowledged, and it is not there")
        });
    }
}

/// Each adjustment has a note of its own, under which its rows are found. One that is sent again with the same key has the
/// same note: together they happen once.
fn check_adjustments(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut found = BTreeMap::<&str, usize>::new();
    for note in shop.log.values().flatten().filter_map(|row| row.note.as_deref()) {
        *found.entry(note).or_default() += 1;
    }
    for (note, calls) in by(told.calls_of("adjustStock"), |call| Some(call.given("note").to_owned())) {
        let changes = calls[0].input["changes"].as_array().map_or(0, Vec::len);
        let rows = found.get(note.as_str()).copied().unwrap_or_default();
        let at = format!("adjustment \"{note}\"");
        verdict.unless(rows == 0 || rows == changes, || format!("{at}: {rows} rows of the log for {changes} changes"));
        if calls.iter().any(|call| call.acknowledged().is_some()) {
            verdict.unless(rows > 0, || format!("{at}: acknowledged, and it is not there"));
        }
        if calls.iter().all(Call::is_refused) {
            verdict.unless(rows == 0, || format!("{at}: refused, and it is there"));
        }
    }
}

/// A cart that was acknowledged is there, with what it had, unless it was changed afterwards.
fn check_carts(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let changed = &told.asked("addToCart", "cartId") | &told.asked("updateCart", "cartId");
    for (_, call) in told.calls_of("createCart") {
        let Some(cart) = call.acknowledged().and_then(|data| uuid(data["cart"].as_str()?)) else { continue };
        if !shop.carts.contains_key(&cart) {
            verdict.add(format!("cart {cart}: acknowledged, and it is not there"));
            continue;
        }
        let stored = units_in(shop, cart);
        verdict.unless(changed.contains(&cart) || stored == wanted(&call.input["items"]), || {
            format!("cart {cart}: it has other things in it than were acknowledged")
        });
    }
}

/// The units of each product in a cart.
fn units_in(shop: &Shop, cart: Uuid) -> BTreeMap<Uuid, i64> {
    let items = shop.cart_items.get(&cart).into_iter().flatten();
    items.map(|item| (item.product_id, i64::from(item.quantity))).collect()
}

/// The units of each product in a list of items, repeated ones together.
fn wanted(items: &Value) -> BTreeMap<Uuid, i64> {
    let mut wanted = BTreeMap::new();
    for item in items.as_array().into_iter().flatten() {
        if let (Some(product), Some(quantity)) = (item["productId"].as_str().and_then(uuid), item["quantity"].as_i64())
        {
            *wanted.entry(product).or_default() += quantity;
        }
    }
    wanted
}

fn check_check_outs(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut by_cart = BTreeMap::<Uuid, Vec<Uuid>>::new();
    for order in shop.orders.values() {
        by_cart.entry(order.cart_id).or_default().push(order.id);
        let of_cart = units_in(shop, order.cart_id);
        let of_order: BTreeMap<Uuid, i64> =
            shop.items_of(order.id).iter().map(|item| (item.product_id, i64::from(item.quantity))).collect();
        verdict.unless(of_cart == of_order, || format!("order {}: it is not what its cart was", order.id));
    }
    for (cart, orders) in by_cart.iter().filter(|(_, orders)| orders.len() > 1) {
        verdict.add(format!("cart {cart}: it became {} orders", orders.len()));
    }
    for (cart, calls) in by(told.calls_of("checkOut"), |call| call.given_id("cartId")) {
        let orders = by_cart.get(&cart).map_or(&[][..], Vec::as_slice);
        for order in calls.iter().filter_map(|call| uuid(call.acknowledged()?["order"].as_str()?)) {
            verdict.unless(orders.contains(&order), || format!("order {order}: acknowledged, and it is not there"));
        }
        if calls.iter().all(Call::is_refused) {
            verdict.unless(orders.is_empty(), || format!("cart {cart}: check-out was refused, and there is an order"));
        }
    }
}

fn check_payments(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let stored: BTreeMap<Uuid, &Payment> =
        shop.payments.values().flatten().map(|payment| (payment.id, payment)).collect();
    for (order, calls) in by(told.calls_of("payOrder"), |call| call.given_id("orderId")) {
        let payments = shop.payments_of(order);
        for call in &calls {
            check_payment(order, call, &stored, verdict);
        }
        // Calls with one key are one attempt.
        let possible: BTreeSet<String> = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| !call.is_refused())
            .map(|(at, call)| key_of(at, call))
            .collect();
        verdict.unless(payments.len() <= possible.len(), || {
            format!("order {order}: {} payments from {} requests that were not refused", payments.len(), possible.len())
        });
        let mut keys = BTreeSet::new();
        for key in payments.iter().filter_map(|payment| payment.key.as_ref()) {
            verdict.unless(keys.insert(key), || format!("order {order}: two payments under the key \"{key}\""));
        }
    }
}

/// What one request to pay was answered must hold.
fn check_payment(order: Uuid, call: &Call<'_>, stored: &BTreeMap<Uuid, &Payment>, verdict: &mut Verdict) {
    let Some(data) = call.acknowledged() else { return };
    let Some(id) = data["payment"].as_str().and_then(uuid) else { return };
    let told_status = data["status"].as_str().unwrap_or_default().to_lowercase();
    let Some(payment) = stored.get(&id) else {
        return verdict.add(format!("order {order}: payment {id} was acknowledged, and it is not there"));
    };
    verdict.unless(payment.order_id == order, || format!("order {order}: payment {id} is of another order"));
    let is_possible = match told_status.as_str() {
        "in_progress" | "requires_action" => true,
        // It may have been captured or voided since.
        "authorized" => matches!(payment.status.as_str(), "authorized" | "succeeded" | "voided"),
        _ => payment.status == told_status,
    };
    verdict.unless(is_possible, || {
        format!("order {order}: payment {id} was said to be {told_status}, and is {}", payment.status)
    });
}

fn check_cancellations(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    for (order, calls) in by(told.calls_of("cancelOrder"), |call| call.given_id("orderId")) {
        let status = shop.orders.get(&order).map_or("missing", |order| order.status.as_str());
        if calls.iter().any(|call| call.acknowledged().is_some()) {
            verdict.unless(status == "cancelled", || {
                format!("order {order}: cancelling was acknowledged; it is {status}")
            });
        }
        if calls.iter().all(Call::is_refused) && !crate::steps::may_be_voided(shop, told, order) {
            verdict.unless(status != "cancelled", || format!("order {order}: cancelling was refused; it is cancelled"));
        }
    }
}

fn check_shipments(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    for (order, calls) in by(told.calls_of("shipOrder"), |call| call.given_id("orderId")) {
        let shipments = shop.shipments.get(&order).copied().unwrap_or_default();
        let done = calls.iter().enumerate().filter(|(_, call)| call.acknowledged().is_some());
        // Calls with one key are one shipment.
        let done = done.map(|(at, call)| key_of(at, call)).collect::<BTreeSet<_>>().len();
        let possible = calls.iter().enumerate().filter(|(_, call)| !call.is_refused());
        let possible = possible.map(|(at, call)| key_of(at, call)).collect::<BTreeSet<_>>().len();
        verdict.unless(shipments >= done, || {
            format!("order {order}: {done} shipments were acknowledged, {shipments} are there")
        });
        verdict.unless(shipments <= possible, || {
            format!("order {order}: {shipments} shipments from {possible} requests that were not refused")
        });
        check_parts(shop, order, &calls, verdict);
    }
}

/// Of each line at least what was acknowledged in parts has left; and no more than was asked for, unless all was.
fn check_parts(shop: &Shop, order: Uuid, calls: &[Call<'_>], verdict: &mut Verdict) {
    let (mut done, mut possible) = (BTreeMap::<String, &Value>::new(), BTreeMap::<String, &Value>::new());
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| !call.is_refused()) {
        possible.insert(key_of(at, call), &call.input["items"]);
        if call.acknowledged().is_some() {
            done.insert(key_of(at, call), &call.input["items"]);
        }
    }
    let units = |asked: &BTreeMap<String, &Value>, item: Uuid| -> i64 {
        let parts = asked.values().flat_map(|items| items.as_array().into_iter().flatten());
        let of_item = parts.filter(|part| part["orderItemId"].as_str().and_then(uuid) == Some(item));
        of_item.filter_map(|part| part["quantity"].as_i64()).sum()
    };
    let is_all = possible.values().any(|items| items.is_null());
    for item in shop.items_of(order) {
        let shipped = i64::from(item.shipped);
        let (least, most) = (units(&done, item.id), units(&possible, item.id));
        verdict.unless(shipped >= least && (is_all || shipped <= most), || {
            let product = item.product_id;
            format!("order {order}: {shipped} of product {product} were shipped; {least} were acknowledged, {most} asked for")
        });
    }
}

/// The key of a call; of one without, its place among others.
pub(crate) fn key_of(at: usize, call: &Call<'_>) -> String {
    call.input["idempotencyKey"].as_str().map_or_else(|| at.to_string(), str::to_owned)
}

/// Calls by what they are about.
pub(crate) fn by<'a, K: Ord>(
    calls: impl Iterator<Item = (u64, &'a Call<'a>)>,
    key: impl Fn(&Call<'_>) -> Option<K>,
) -> BTreeMap<K, Vec<Call<'a>>> {
    let mut grouped = BTreeMap::<K, Vec<Call<'a>>>::new();
    for (_, call) in calls {
        if let Some(key) = key(call) {
            grouped.entry(key).or_default().push(*call);
        }
    }
    grouped
}
