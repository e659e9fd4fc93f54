//! What is there and nobody asked for it.

use serde_json::json;

use super::history::{CANCELLED, History, PAID, PRODUCT, SHIPPED, done};
use super::{Broken, check_all};
use crate::id::id;
use crate::journal::Record;

const ASKED: &[Broken] = &[
    (|history| forget(history, "checkOut", PAID), &["nobody checked its cart out, and nobody asked for it"]),
    (|history| forget(history, "cancelOrder", CANCELLED), &["cancelled, and nobody asked for it"]),
    (
        |history| forget(history, "shipOrder", SHIPPED),
        &["it has shipments, and nobody asked for it", "row 4: ship of 2 (None), and nobody asked for it"],
    ),
    (|history| forget(history, "payOrder", PAID), &["it has payments, and nobody asked for it"]),
    (
        |history| history.shop.skus.insert(PRODUCT, "TWO".to_owned()).map_or((), drop),
        &["row 1: create of 10 (None), and nobody asked for it"],
    ),
    (
        |history| {
            history.add_row("increment", 1, None);
            history.tell_the_last();
        },
        &["row 10: increment of 1 (None), and nobody asked for it"],
    ),
    (
        |history| {
            history.add_row("increment", 1, None);
            history.row(10).note = Some("a gift".to_owned());
            history.tell_the_last();
        },
        &["row 10: increment of 1 (Some(\"a gift\")), and nobody asked for it"],
    ),
    (
        |history| {
            history.add_adjustment("increment", 1);
            history.row(10).quantity = 2;
            history.row(10).total_delta = 2;
            history.row(10).total_after += 1;
            history.row(10).available_after += 1;
            history.stock_of().total += 1;
            history.tell_the_last();
        },
        &["row 10: increment of 2 (Some(\"adjustment 10\")), and nobody asked for it"],
    ),
];

/// Takes the calls of a mutation about an order, or about its cart, out of the journal.
fn forget(history: &mut History, of: &str, order: uuid::Uuid) {
    let cart = history.order_of(order).cart_id;
    let about = [json!(id("order", order)), json!(id("cart", cart))];
    let is_it = |record: &Record| match record {
        Record::Call { mutation, input, .. } => {
            mutation == of && (about.contains(&input["orderId"]) || about.contains(&input["cartId"]))
        }
        _ => false,
    };
    history.forget_all(is_it);
}

#[test]
fn what_nobody_asked_for_is_found() {
    check_all(ASKED);
}

#[test]
fn an_adjustment_that_was_asked_for_is_right() {
    let mut history = History::sound();
    history.add_adjustment("allocate", 2);
    history.add_adjustment("deallocate", 1);
    history.tell_the_last();
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

#[test]
fn stock_that_is_managed_later_is_right() {
    let mut history = History::sound();
    history.shop.skus.clear();
    history.call("updateProduct", json!({ "id": id("product", PRODUCT), "manageStock": true }), done(json!({})));
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}
