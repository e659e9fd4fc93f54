//! What a set-back of the data excuses, and what it does not: whatever begins after the database has moved is judged as ever.

use serde_json::json;

use super::history::{
    CANCELLED, DECLINED, History, OTHER, PAID, PRODUCT, SUBSCRIBER, UNPAID, VOIDED, done, key_of, refused,
};
use super::life::{CAPTURED, RESERVED};
use super::{Broken, check_is_said};
use crate::id::id;
use crate::journal::{GatewayEvent, Outcome, Record};

/// A history that lost its end: two orders with their payments and rows of the log.
fn set_back() -> History {
    let mut history = History::sound();
    history.journal.push(Record::SetBack);
    for order in [UNPAID, CANCELLED] {
        history.shop.payments.remove(&order);
        history.shop.items.remove(&order);
        history.shop.orders.remove(&order);
    }
    history.shop.log.get_mut(&PRODUCT).expect("a log").drain(4..);
    history.add_row("allocate", 3, Some(PAID));
    history.forget_all(|record| matches!(record, Record::Rested { .. }));
    history
}

/// The same, and what began when the database had moved: a delivery, the sixth row of the log, of which subscribers hear.
fn moved() -> History {
    let mut history = set_back();
    history.journal.extend([Record::TakenOver, Record::Moved]);
    let subscriber = SUBSCRIBER;
    history.journal.push(Record::CursorRefused { subscriber });
    history.journal.push(Record::Subscribed { subscriber, products: vec![PRODUCT] });
    history.journal.push(Record::FollowedLog { subscriber });
    history.journal.push(history.saw(5));
    history.add_row("increment", 5, None);
    history.row(6).note = Some("again".to_owned());
    history.adjust("again", done(json!({ "versions": { PRODUCT.to_string(): 6 } })));
    history.journal.push(history.saw(6));
    history.journal.push(Record::SawRow { subscriber, product: PRODUCT, sequence: 6 });
    history.journal.push(Record::Rested { subscriber });
    history.read(6);
    history
}

const AFTERWARDS: &[Broken] = &[
    (
        |history| history.call("createProduct", json!({}), done(json!({ "product": id("product", OTHER) }))),
        &["acknowledged, and it is not there"],
    ),
    (
        |history| history.adjust("lost", done(json!({ "versions": {} }))),
        &["adjustment \"lost\": acknowledged, and it is not there"],
    ),
    (
        |history| history.adjust("again", refused("INSUFFICIENT_STOCK")),
        &["its key had been answered, and it was refused"],
    ),
    (
        |history| {
            let input = json!({ "cartId": id("cart", OTHER), "idempotencyKey": "check out" });
            history.call("checkOut", input, done(json!({ "order": id("order", UNPAID) })));
        },
        &["acknowledged, and it is not there"],
    ),
    (
        |history| history.call("createCart", json!({ "items": [] }), done(json!({ "cart": id("cart", OTHER) }))),
        &["acknowledged, and it is not there"],
    ),
    (
        |history| history.call("cancelOrder", json!({ "orderId": id("order", PAID) }), done(json!({}))),
        &["cancelling was acknowledged; it is complete"],
    ),
    (
        |history| history.call("shipOrder", json!({ "orderId": id("order", PAID) }), done(json!({}))),
        &["1 shipments were acknowledged, 0 are there"],
    ),
    (|history| history.pay(OTHER, VOIDED, "SUCCEEDED"), &["was acknowledged, and it is not there"]),
    (
        |history| {
            history.call("payOrder", json!({ "orderId": id("order", OTHER) }), None::<Outcome>);
            history.gateway(OTHER, OTHER, GatewayEvent::Charged);
        },
        &["charged, and the shop does not know it"],
    ),
    (|history| history.read(5), &["version 5 was read after version 6 was known"]),
    (
        |history| {
            let older = history.saw(5);
            history.insert_before(older, |record| matches!(record, Record::Rested { .. }));
        },
        &["version 5 of product", "it last heard Some((5, [13, 3, 10])) of product"],
    ),
    (
        |history| {
            let Record::Saw { subscriber, product, .. } = history.saw(5) else { return };
            let never = Record::Saw { subscriber, product, version: 5, numbers: [14, 3, 11] };
            history.journal.retain(|record| !matches!(record, Record::Saw { version: 5, .. }));
            let is_sixth = |record: &Record| matches!(record, Record::Saw { version: 6, .. });
            history.insert_before(never, is_sixth);
        },
        &["never had [14, 3, 11], as it was told"],
    ),
];

#[test]
fn nothing_is_said_about_what_a_set_back_took_away() {
    check_is_said(&set_back(), &[], "set back");
    check_is_said(&moved(), &[], "moved");
}

#[test]
fn what_was_lost_after_the_database_had_moved_is_found() {
    for (at, (break_it, pieces)) in AFTERWARDS.iter().enumerate() {
        let mut history = moved();
        break_it(&mut history);
        check_is_said(&history, pieces, &format!("{at}"));
    }
}

#[test]
fn an_order_that_was_set_back_while_it_was_paid_may_be_charged_once_more() {
    let mut history = moved();
    history.gateway(OTHER, UNPAID, GatewayEvent::Charged);
    history.gateway(DECLINED, UNPAID, GatewayEvent::Charged);
    check_is_said(&history, &[], "charged on either side of the set-back");
    history.gateway(VOIDED, UNPAID, GatewayEvent::Charged);
    check_is_said(&history, &["charged 3 times"], "and once more");
}

#[test]
fn what_was_only_shown_may_be_gone_until_the_database_has_moved() {
    let mut history = History::sound();
    let (subscriber, product) = (SUBSCRIBER, PRODUCT);
    let shown = Record::Saw { subscriber, product, version: 10, numbers: [14, 3, 11] };
    let anew = Record::Subscribed { subscriber, products: vec![product] };
    history.insert_before(shown.clone(), |record| matches!(record, Record::Followed { .. }));
    for record in [Record::ShowsMore, Record::Moved, anew, history.saw(9)] {
        history.insert_before(record, |record| matches!(record, Record::Followed { .. }));
    }
    check_is_said(&history, &[], "shown before");
    let is_rested = |record: &Record| matches!(record, Record::Rested { .. });
    history.insert_before(shown, is_rested);
    let right = history.saw(9);
    history.insert_before(right, is_rested);
    let pieces = ["never had [14, 3, 11]", "version 9 of product", "version 9 was read after version 10 was known"];
    check_is_said(&history, &pieces, "shown afterwards");
}

#[test]
fn a_key_of_before_may_stand_for_something_else() {
    let mut history = moved();
    history.add_payment(OTHER, PAID, "manual", "declined");
    let input = json!({ "orderId": id("order", PAID), "idempotencyKey": key_of(VOIDED) });
    let answer = json!({ "payment": id("payment", OTHER), "order": id("order", PAID), "status": "DECLINED" });
    history.call("payOrder", input, done(answer));
    check_is_said(&history, &[], "a key that was used before");
}

#[test]
fn a_capture_and_a_refund_that_were_set_back_may_be_made_once_more() {
    let mut history = History::life();
    history.journal.push(Record::SetBack);
    history.moves(RESERVED, CAPTURED, OTHER, 400, GatewayEvent::Captured);
    history.moves(RESERVED, CAPTURED, OTHER, 800, GatewayEvent::Refunded);
    history.journal.push(Record::Moved);
    check_is_said(&history, &[], "on either side of the set-back");
    history.moves(RESERVED, CAPTURED, OTHER, 400, GatewayEvent::Captured);
    check_is_said(&history, &["1200 were captured of 400"], "and once more");
}

#[test]
fn a_capture_that_was_set_back_may_be_found_at_the_service_again() {
    let mut history = History::life();
    let operations = history.shop.operations.get_mut(&RESERVED).expect("operations");
    operations.retain(|one| one.kind != "capture");
    history.journal.extend([Record::SetBack, Record::Moved]);
    check_is_said(&history, &[], "found again");
}
