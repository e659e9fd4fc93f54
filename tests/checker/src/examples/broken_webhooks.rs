//! What can be wrong with what others are told of orders.

use serde_json::json;
use uuid::Uuid;

use super::history::{CANCELLED, History, OTHER, PAID, SHIPPED, UNPAID};
use super::life::CAPTURED;
use super::{Broken, check_all_of, check_is_said};
use crate::id::id;
use crate::journal::{Outcome, Record};

/// A delivery that is accepted.
fn delivered(kind: &str, order: Uuid, version: i32, shipment: Option<Uuid>) -> Record {
    Record::Delivered {
        delivery: format!("{kind} {} {version}", order.as_u128()),
        kind: kind.to_owned(),
        order,
        version,
        shipment,
        is_signed: true,
        is_accepted: true,
    }
}

/// A whole life of which somebody was told.
fn told() -> History {
    let mut history = History::life();
    history.journal.push(Record::Registered);
    for order in [SHIPPED, PAID, CAPTURED] {
        history.journal.push(delivered("order.paid", order, 2, None));
    }
    for (order, parcels) in history.shop.parcels.clone() {
        history.journal.push(delivered("order.shipped", order, 3, Some(parcels[0])));
    }
    history.journal.push(delivered("order.cancelled", CANCELLED, 2, None));
    history
}

const TOLD: &[Broken] = &[
    (|history| forget(history, "order.paid 13 2"), &["nobody was told of order.paid"]),
    (|history| forget(history, "order.shipped 10 3"), &["nobody was told of order.shipped"]),
    (|history| forget(history, "order.cancelled 12 2"), &["nobody was told of order.cancelled"]),
    (|history| *accepted(history, "order.paid 13 2") = false, &["nobody was told of order.paid"]),
    (
        |history| *accepted(history, "order.paid 10 2") = false,
        &["order.shipped 10 3 came before order.paid 10 2 was accepted", "nobody was told of order.paid"],
    ),
    (
        |history| {
            let first = delivered("order.shipped", SHIPPED, 3, Some(history.shop.parcels[&SHIPPED][0]));
            history.insert_before(first, |record| matches!(record, Record::Delivered { .. }));
        },
        &["order.paid 10 2 told version 2 after order.shipped 10 3 had told version 3"],
    ),
    (|history| history.journal.push(delivered("order.paid", UNPAID, 2, None)), &["it tells of order.paid of order"]),
    (
        |history| history.journal.push(delivered("order.shipped", SHIPPED, 4, Some(OTHER))),
        &["it tells of order.shipped of order"],
    ),
    (
        |history| {
            for record in &mut history.journal {
                if let Record::Delivered { delivery, is_signed, .. } = record {
                    *is_signed = delivery != "order.paid 13 2";
                }
            }
        },
        &["delivery order.paid 13 2: its signature is wrong"],
    ),
];

fn forget(history: &mut History, of: &str) {
    history.forget_all(|record| matches!(record, Record::Delivered { delivery, .. } if delivery == of));
}

fn accepted<'a>(history: &'a mut History, of: &str) -> &'a mut bool {
    let mut all = history.journal.iter_mut();
    let found = all.find_map(|record| match record {
        Record::Delivered { delivery, is_accepted, .. } if delivery == of => Some(is_accepted),
        _ => None,
    });
    found.expect("a delivery")
}

#[test]
fn what_others_were_not_told_is_found() {
    check_all_of(told, TOLD);
}

#[test]
fn what_comes_again_until_it_is_accepted_is_right() {
    let mut history = told();
    *accepted(&mut history, "order.paid 10 2") = false;
    let again = delivered("order.paid", SHIPPED, 2, None);
    history.insert_before(
        again.clone(),
        |record| matches!(record, Record::Delivered { delivery, .. } if delivery == "order.shipped 10 3"),
    );
    history.journal.push(again);
    check_is_said(&history, &[], "twice and once more");
}

#[test]
fn what_was_read_before_the_database_moved_may_be_told_afterwards() {
    let mut history = told();
    history.call("cancelOrder", json!({ "orderId": id("order", UNPAID) }), None::<Outcome>);
    history.journal.extend([Record::SetBack, Record::Moved, delivered("order.cancelled", UNPAID, 3, None)]);
    check_is_said(&history, &[], "of an order that was set back");
    history.journal.push(delivered("order.paid", OTHER, 3, None));
    check_is_said(&history, &["it tells of order.paid of order"], "of another one");
}
