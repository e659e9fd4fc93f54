//! An order is what its payments say; it holds what it must and nothing else; and its rows of the log tell a story that can
//! have happened: (allocate, deallocate) any number of times, then allocate, then ship and deallocate until nothing is held, and
//! at most as many returns as were shipped.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::Verdict;
use crate::database::{Item, LogRow, Order, Shop};
use crate::told::Told;

/// Checks every order.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let mut rows = BTreeMap::<(Uuid, Uuid), Vec<&LogRow>>::new();
    for row in shop.log.values().flatten() {
        if let Some(order) = row.order_id {
            rows.entry((order, row.product_id)).or_default().push(row);
        }
    }
    // Of a product that was not managed all the time, an order may hold nothing.
    let switched = told.asked("updateProduct", "id");
    let mut numbers = BTreeSet::new();
    for order in shop.orders.values() {
        verdict.unless(numbers.insert(&order.number), || format!("two orders have the number {}", order.number));
        check_states(shop, order, verdict);
        for item in shop.items_of(order.id) {
            let rows = rows.remove(&(order.id, item.product_id)).unwrap_or_default();
            check_story(order, item, &rows, verdict);
            check_attempts(shop, item, &rows, verdict);
            let is_managed = shop.stocks.get(&item.product_id).is_some_and(|stock| stock.managed);
            check_held(order, item, is_managed && !switched.contains(&item.product_id), verdict);
            check_parcels(shop, item, verdict);
        }
    }
    for (order, product) in rows.keys() {
        verdict.add(format!("order {order}: the log moves product {product} for it, which it does not have"));
    }
}

fn check_states(shop: &Shop, order: &Order, verdict: &mut Verdict) {
    let Order { id, status, payment, shipping, total_amount, .. } = order;
    let payments = shop.payments_of(*id);
    let count = |states: &[&str]| payments.iter().filter(|payment| states.contains(&payment.status.as_str())).count();
    let (open, taken) = (count(&["in_progress", "requires_action"]), count(&["succeeded", "authorized"]));
    let right = match payment.as_str() {
        "unpaid" => (0, 0),
        "in_progress" => (1, 0),
        // Authorized, paid, or refunded in part or whole.
        _ => (0, 1),
    };
    verdict.unless((open, taken) == right, || {
        format!("order {id}: it is {payment} with {open} open and {taken} successful payments")
    });
    for payment in payments.iter().filter(|payment| payment.amount != *total_amount) {
        verdict.add(format!("order {id}: {} were to be paid instead of {total_amount}", payment.amount));
    }
    for payment in payments.iter().filter(|payment| !(0..=payment.amount).contains(&payment.refunded)) {
        verdict.add(format!("order {id}: {} of {} were refunded", payment.refunded, payment.amount));
    }
    let items = shop.items_of(*id);
    let sum: i64 = items.iter().map(|item| item.unit_amount * i64::from(item.quantity)).sum();
    verdict.unless(sum == *total_amount, || format!("order {id}: its items make {sum}, its total is {total_amount}"));
    let is_done = items.iter().all(|item| item.shipped + item.cancelled == item.quantity);
    verdict.unless(shipping != "fulfilled" || is_done, || format!("order {id}: fulfilled, but not all has left"));
    let has_left = items.iter().any(|item| item.shipped > 0);
    verdict
        .unless((shipping != "unfulfilled") == has_left, || format!("order {id}: {shipping}, which its items are not"));
    let is_paid_for = payment != "unpaid" || status == "cancelled";
    verdict.unless(shipping == "unfulfilled" || is_paid_for, || format!("order {id}: shipped without payment"));
    verdict.unless(status != "cancelled" || payment != "in_progress", || format!("order {id}: cancelled while paying"));
}

/// What was shipped of a line is what its shipments have.
fn check_parcels(shop: &Shop, item: &Item, verdict: &mut Verdict) {
    let Item { order_id, product_id, shipped, returned, .. } = item;
    let sent = shop.sent.get(&item.id).copied().unwrap_or_default();
    verdict.unless(sent == *shipped, || {
        format!("order {order_id}: {shipped} of product {product_id} were shipped, its shipments have {sent}")
    });
    verdict.unless((0..=*shipped).contains(returned), || {
        format!("order {order_id}: {returned} of product {product_id} came back, {shipped} were shipped")
    });
}

/// What an order holds: all that it has not shipped while it is paid, being paid, or held for a time; otherwise nothing.
fn check_held(order: &Order, item: &Item, is_managed: bool, verdict: &mut Verdict) {
    let must_hold = order.status != "cancelled" && (order.payment != "unpaid" || order.held_until.is_some());
    verdict.unless(order.held_until.is_none() || matches!(order.payment.as_str(), "unpaid" | "in_progress"), || {
        format!("order {}: it is {}, and says until when it holds its units", order.id, order.payment)
    });
    let Item { product_id, quantity, allocated, shipped, cancelled, .. } = item;
    if !must_hold {
        verdict.unless(*allocated == 0, || {
            let (status, payment) = (&order.status, &order.payment);
            format!("order {}: {status} and {payment}, it holds {allocated} of product {product_id}", order.id)
        });
    } else if is_managed {
        verdict.unless(allocated + shipped + cancelled == *quantity, || {
            format!("order {}: it holds {allocated} of {quantity} of product {product_id}", order.id)
        });
    }
    let sum = allocated + shipped + cancelled;
    verdict.unless(sum <= *quantity && *allocated >= 0 && *shipped >= 0 && *cancelled >= 0, || {
        format!("order {}: {allocated}, {shipped} and {cancelled} units of {quantity} ordered", order.id)
    });
}

/// Each payment allocates once at most, and check-out holds once at most: what was refused for want of stock, or never begun,
/// wrote no row.
fn check_attempts(shop: &Shop, item: &Item, rows: &[&LogRow], verdict: &mut Verdict) {
    let payments = shop.payments_of(item.order_id).len();
    let allocations = rows.iter().filter(|row| row.action == "allocate" && row.reason != "hold").count();
    let later = rows.iter().skip(1).filter(|row| row.reason == "hold").count();
    verdict.unless(later == 0, || {
        format!("order {}: product {} was held after its check-out", item.order_id, item.product_id)
    });
    verdict.unless(allocations <= payments, || {
        let (order, product) = (item.order_id, item.product_id);
        format!("order {order}: product {product} was allocated {allocations} times for {payments} payments")
    });
}

/// Follows the rows of one order and one product.
fn check_story(order: &Order, item: &Item, rows: &[&LogRow], verdict: &mut Verdict) {
    let (mut held, mut shipped, mut returned) = (0, 0, 0);
    for row in rows {
        let at = || format!("order {}, product {}, row {}", order.id, row.product_id, row.sequence);
        verdict.unless(is_reason(&row.action, &row.reason), || {
            format!("{}: {} is no reason for {}", at(), row.reason, row.action)
        });
        match row.action.as_str() {
            "allocate" => {
                verdict.unless(held == 0 && shipped == 0, || format!("{}: allocated although it held {held}", at()));
                verdict.unless(row.quantity == item.quantity, || {
                    format!("{}: {} were allocated, {} ordered", at(), row.quantity, item.quantity)
                });
                held += row.quantity;
            }
            "deallocate" | "ship" => {
                verdict.unless(row.quantity <= held, || {
                    format!("{}: {} of {} although it held {held}", at(), row.action, row.quantity)
                });
                held -= row.quantity;
                if row.action == "ship" {
                    shipped += row.quantity;
                }
            }
            "increment" => {
                returned += row.quantity;
                verdict.unless(returned <= shipped, || format!("{}: more came back than was shipped", at()));
            }
            other => verdict.add(format!("{}: {other} is nothing that is done for an order", at())),
        }
    }
    verdict.unless(held == item.allocated, || {
        format!("order {}: it says it holds {}, the log says {held}", order.id, item.allocated)
    });
    verdict.unless(returned == item.returned, || {
        format!("order {}: it says that {} came back, the log says {returned}", order.id, item.returned)
    });
    verdict.unless(rows.is_empty() || shipped == item.shipped, || {
        format!("order {}: it says it shipped {}, the log says {shipped}", order.id, item.shipped)
    });
}

/// Whether this is a reason for which this is done for an order.
fn is_reason(action: &str, reason: &str) -> bool {
    let reasons: &[&str] = match action {
        "allocate" => &["order_payment", "hold"],
        "deallocate" => &["payment_failed", "payment_voided", "order_cancelled", "refunded", "hold_expired"],
        "ship" => &["order_shipped"],
        "increment" => &["return"],
        _ => return true,
    };
    reasons.contains(&reason)
}
