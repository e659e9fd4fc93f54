//! What was acknowledged and is not there, what was refused and is, and what happened more often than it was asked for.

use serde_json::json;
use uuid::Uuid;

use super::history::{
    CANCELLED, CART, DECLINED, History, MANUAL, OTHER, PAID, SHIPPED, UNPAID, VOIDED, done, key_of, refused,
};
use super::{Broken, check_all};
use crate::id::{id, uuid};
use crate::journal::{Outcome, Record};

const STOCK_AND_CARTS: &[Broken] = &[
    (
        |history| history.call("createProduct", json!({}), done(json!({ "product": id("product", OTHER) }))),
        &["000000000063: acknowledged, and it is not there"],
    ),
    (
        |history| history.row(9).note = Some("delivery".to_owned()),
        &["adjustment \"delivery\": 2 rows of the log for 1 changes"],
    ),
    (
        |history| history.row(2).note = None,
        &[
            "adjustment \"delivery\": acknowledged, and it is not there",
            "row 2: increment of 5 (None), and nobody asked",
        ],
    ),
    (
        |history| history.row(9).note = Some("too much".to_owned()),
        &["adjustment \"too much\": refused, and it is there"],
    ),
    (|history| drop(history.shop.carts.remove(&CART)), &["acknowledged, and it is not there"]),
    (
        |history| history.shop.cart_items.get_mut(&CART).expect("items")[0].quantity = 5,
        &["it has other things in it than were acknowledged"],
    ),
    (
        |history| {
            let cart = history.order_of(PAID).cart_id;
            history.shop.cart_items.get_mut(&cart).expect("items")[0].quantity = 4;
        },
        &["it has other things in it than were acknowledged", "it is not what its cart was"],
    ),
];

const ORDERS: &[Broken] = &[
    (
        |history| {
            let mut order = history.order_of(CANCELLED).clone();
            (order.id, order.number, order.status) = (OTHER, "N99".to_owned(), "incomplete".to_owned());
            let items = history.shop.items[&CANCELLED].clone();
            history.shop.items.insert(OTHER, items);
            history.shop.orders.insert(OTHER, order);
        },
        &["it became 2 orders"],
    ),
    (
        |history| drop(history.shop.orders.remove(&CANCELLED)),
        &["acknowledged, and it is not there", "cancelling was acknowledged; it is missing"],
    ),
    (
        |history| refuse(history, |mutation, order| mutation == "checkOut" && order == CANCELLED),
        &["check-out was refused, and there is an order"],
    ),
    (
        |history| history.order_of(CANCELLED).status = "incomplete".to_owned(),
        &["cancelling was acknowledged; it is incomplete"],
    ),
    (
        |history| {
            history.call("cancelOrder", json!({ "orderId": id("order", UNPAID) }), refused("INVALID_STATE"));
            history.order_of(UNPAID).status = "cancelled".to_owned();
        },
        &["cancelling was refused; it is cancelled"],
    ),
    (|history| history.order_of(UNPAID).status = "cancelled".to_owned(), &["cancelled, and nobody asked for it"]),
    (
        |history| {
            history.shop.shipments.remove(&SHIPPED);
        },
        &["1 shipments were acknowledged, 0 are there"],
    ),
    (
        |history| {
            history.shop.shipments.insert(SHIPPED, 2);
        },
        &["2 shipments from 1 requests that were not refused"],
    ),
    (
        |history| {
            history.shop.shipments.insert(UNPAID, 1);
        },
        &["1 shipments from 0 requests that were not refused"],
    ),
    (
        |history| {
            history.shop.shipments.insert(PAID, 1);
        },
        &["it has shipments, and nobody asked for it"],
    ),
];

const PAYMENTS: &[Broken] = &[
    (
        |history| history.add_payment(OTHER, PAID, "manual", "declined"),
        &["2 payments from 1 requests that were not refused"],
    ),
    (
        |history| history.add_payment(OTHER, CANCELLED, "manual", "declined"),
        &["it has payments, and nobody asked for it"],
    ),
    (|history| history.payment(VOIDED).key = Some(key_of(DECLINED)), &["two payments under the key \"pay 21\""]),
    (
        |history| drop(history.shop.payments.remove(&PAID)),
        &[
            "it is paid with 0 open and 0 successful",
            "was allocated 1 times for 0 payments",
            "was acknowledged, and it is not there",
        ],
    ),
    (|history| history.payment(MANUAL).order_id = UNPAID, &["is of another order"]),
    (|history| history.pay(PAID, MANUAL, "DECLINED"), &["was said to be declined, and is succeeded"]),
];

#[test]
fn broken_promises_about_stock_and_carts_are_found() {
    check_all(STOCK_AND_CARTS);
}

#[test]
fn broken_promises_about_orders_are_found() {
    check_all(ORDERS);
}

#[test]
fn broken_promises_about_payments_are_found() {
    check_all(PAYMENTS);
}

/// Turns the acknowledgement of a mutation about an order into a refusal.
fn refuse(history: &mut History, is_it: impl Fn(&str, Uuid) -> bool) {
    let mut mutation = "";
    for record in &mut history.journal {
        match record {
            Record::Call { mutation: called, .. } => mutation = called,
            Record::Answer { outcome, .. } => {
                let Outcome::Done { data, .. } = outcome else { continue };
                if data["order"].as_str().and_then(uuid).is_some_and(|order| is_it(mutation, order)) {
                    *outcome = Outcome::Refused { codes: vec!["INVALID_STATE".to_owned()] };
                }
            }
            _ => {}
        }
    }
}
