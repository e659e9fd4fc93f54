//! Captures, voids and refunds: each that the shop says was done was done once at the payment service, under its id and for its amount;
//! nothing else was; and together they make what the shop says of the payment and of the order.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::Verdict;
use crate::charges::{GATEWAY, old_orders};
use crate::database::{Operation, Order, Payment, Shop};
use crate::journal::{GatewayEvent, Record};
use crate::told::Told;

/// Money that was moved at the payment service.
#[derive(Debug, Clone, Copy)]
struct Movement {
    kind: &'static str,
    payment: Uuid,
    order: Uuid,
    amount: i64,
}

/// Checks every operation, and every movement of money.
pub fn check(shop: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    let (movements, old) = (movements(told), old_orders(told));
    let mut known = BTreeMap::<Uuid, &Operation>::new();
    for payment in shop.payments.values().flatten() {
        let operations = shop.operations_of(payment.id);
        known.extend(operations.iter().map(|one| (one.id, one)));
        check_payment(payment, operations, old.contains(&payment.order_id), verdict);
        for one in operations {
            verdict.unless(one.order_id == payment.order_id, || format!("operation {}: of another order", one.id));
            if payment.gateway == GATEWAY {
                let moved = movements.get(&one.id).map_or(&[][..], Vec::as_slice);
                check_moved(payment, one, moved, verdict);
            }
        }
    }
    for one in shop.operations.values().flatten().filter(|one| !known.contains_key(&one.id)) {
        verdict.add(format!("operation {}: of a payment that is not there", one.id));
    }
    for (id, moved) in &movements {
        for movement in moved.iter().filter(|movement| !old.contains(&movement.order)) {
            let is_known =
                known.get(id).is_some_and(|one| one.payment_id == movement.payment && one.kind == movement.kind);
            verdict.unless(is_known, || {
                let Movement { kind, payment, amount, .. } = movement;
                format!("payment {payment}: a {kind} of {amount} as {id}, and the shop does not know it")
            });
        }
    }
    for order in shop.orders.values() {
        check_order(shop, order, verdict);
    }
}

fn movements(told: &Told<'_>) -> BTreeMap<Uuid, Vec<Movement>> {
    let mut movements = BTreeMap::<Uuid, Vec<Movement>>::new();
    for record in told.records {
        let Record::Gateway { payment, order, operation: Some(id), amount, event } = record else { continue };
        let kind = match event {
            GatewayEvent::Captured => "capture",
            GatewayEvent::Refunded => "refund",
            _ => continue,
        };
        let movement = Movement { kind, payment: *payment, order: *order, amount: *amount };
        movements.entry(*id).or_default().push(movement);
    }
    movements
}

/// What one operation moved at the service. Voids move nothing: what became of the charge is told by the charges.
fn check_moved(payment: &Payment, one: &Operation, moved: &[Movement], verdict: &mut Verdict) {
    let Operation { id, kind, status, amount, .. } = one;
    if !matches!(kind.as_str(), "capture" | "refund") {
        return;
    }
    let count = moved.len();
    let is_right = match status.as_str() {
        "succeeded" => count == 1,
        "in_progress" => count <= 1,
        // A capture that was given up with its payment may have been done all the same.
        _ => count == 0 || kind == "capture" && count == 1 && payment.status == "voided",
    };
    verdict.unless(is_right, || format!("operation {id}: the {kind} has {status}, and was done {count} times"));
    for movement in moved.iter().filter(|movement| movement.amount != *amount) {
        verdict.add(format!("operation {id}: the {kind} of {amount} moved {}", movement.amount));
    }
}

/// What the operations of one payment are together. A capture that was set back may have been found at the service again.
fn check_payment(payment: &Payment, operations: &[Operation], is_old: bool, verdict: &mut Verdict) {
    let Payment { id, method, status, amount, refunded, .. } = payment;
    let count =
        |kind: &str, status: &str| operations.iter().filter(|one| one.kind == kind && one.status == status).count();
    let running = operations.iter().filter(|one| one.is_running()).count();
    verdict.unless(running <= 1, || format!("payment {id}: {running} operations at the same time"));
    let counted = operations.iter().filter(|one| one.kind == "refund" && one.status != "failed");
    let counted: i64 = counted.map(|one| one.amount).sum();
    verdict.unless(counted == *refunded, || format!("payment {id}: its refunds make {counted}, it says {refunded}"));
    let captures = count("capture", "succeeded");
    let is_captured = status == "succeeded" && method == "authorize";
    let is_lost = is_old && is_captured && captures == 0;
    verdict.unless(is_lost || captures == usize::from(is_captured), || {
        format!("payment {id}: {method} and {status}, with {captures} captures")
    });
    for one in operations.iter().filter(|one| one.kind == "capture" && one.amount != *amount) {
        verdict.add(format!("payment {id}: {} of {amount} were to be captured", one.amount));
    }
    let voids = count("void", "succeeded") + count("forced_void", "succeeded");
    verdict.unless(voids == 0 || matches!(status.as_str(), "voided" | "declined"), || {
        format!("payment {id}: voided {voids} times, and {status}")
    });
}

/// The order says how much of its money was sent back.
fn check_order(shop: &Shop, order: &Order, verdict: &mut Verdict) {
    let Some(taken) = shop.payments_of(order.id).iter().find(|payment| payment.status == "succeeded") else { return };
    let refunds = shop.operations_of(taken.id).iter();
    let back: i64 = refunds.filter(|one| one.kind == "refund" && one.status == "succeeded").map(|one| one.amount).sum();
    let right = match back {
        0 => "paid",
        back if back < taken.amount => "partially_refunded",
        _ => "refunded",
    };
    verdict.unless(order.payment == right, || {
        format!("order {}: {} although {back} were refunded", order.id, order.payment)
    });
}
