//! What can be wrong with captures, voids, refunds, parts of orders and holds.

use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{History, OTHER, PRODUCT, UNPAID, done, item_of, key_of};
use super::life::{CAPTURE, CAPTURED, FORCED, FREED, GIVEN_UP, LATE, REFUND, RESERVED, RETURN, SENT_BACK};
use super::{Broken, check_all_of, check_is_said};
use crate::id::id;
use crate::journal::{GatewayEvent, Outcome, Record};

const MONEY: &[Broken] = &[
    (
        |history| history.moves(RESERVED, CAPTURED, OTHER, 400, GatewayEvent::Captured),
        &[
            "800 were captured of 400",
            "a capture of 400 as 00000000-0000-0000-0000-000000000063, and the shop does not know it",
        ],
    ),
    (|history| history.moved(REFUND, GatewayEvent::Refunded), &["the refund has succeeded, and was done 2 times"]),
    (
        |history| {
            history.forget_movement(RETURN);
            history.moves(RESERVED, CAPTURED, RETURN, 400, GatewayEvent::Refunded);
        },
        &["500 were refunded of 400", "the refund of 100 moved 400"],
    ),
    (|history| history.forget_movement(RETURN), &["the refund has succeeded, and was done 0 times"]),
    (
        |history| {
            history.operation(RETURN).status = "failed".to_owned();
            history.payment(RESERVED).refunded = 100;
        },
        &["the refund has failed, and was done 1 times", "was answered with [], and is failed"],
    ),
    (
        |history| history.moves(FREED, GIVEN_UP, OTHER, 100, GatewayEvent::Captured),
        &[
            "captured, although nothing was reserved any more",
            "a capture of 100 as",
            "charged, and the shop says voided",
        ],
    ),
    (
        |history| history.forget(RESERVED, GatewayEvent::Authorized),
        &["captured, although nothing was reserved any more"],
    ),
    (
        |history| history.forget(FREED, GatewayEvent::Voided),
        &["authorized, and the shop says voided", "voided, but the gateway may still charge"],
    ),
    (
        |history| {
            history.forget_movement(SENT_BACK);
            history.shop.operations.get_mut(&FORCED).expect("operations").pop();
            history.payment(FORCED).refunded = 0;
        },
        &["charged, and the shop says voided"],
    ),
    (
        |history| {
            history.gateway(OTHER, LATE, GatewayEvent::Charged);
            history.forget_movement(SENT_BACK);
            history.shop.operations.get_mut(&FORCED).expect("operations").pop();
            history.payment(FORCED).refunded = 0;
        },
        &["charged 2 times", "charged, and the shop does not know it", "charged, and the shop says voided"],
    ),
    (|history| history.gateway(OTHER, LATE, GatewayEvent::Authorized), &["authorized, and the shop does not know it"]),
];

const ROWS: &[Broken] = &[
    (|history| history.payment(RESERVED).refunded = 300, &["its refunds make 200, it says 300"]),
    (|history| history.order_of(CAPTURED).payment = "paid".to_owned(), &["paid although 200 were refunded"]),
    (
        |history| {
            for one in [REFUND, RETURN] {
                history.operation(one).status = "in_progress".to_owned();
            }
        },
        &[
            "2 operations at the same time",
            "partially_refunded although 0 were refunded",
            "was answered with [], and is in_progress",
            "was answered with [], and is in_progress",
        ],
    ),
    (|history| history.payment(RESERVED).method = "purchase".to_owned(), &["purchase and succeeded, with 1 captures"]),
    (
        |history| history.operation(CAPTURE).amount = 300,
        &["300 of 400 were to be captured", "the capture of 300 moved 400"],
    ),
    (
        |history| history.add_operation(OTHER, RESERVED, "void", 400),
        &["voided 1 times, and succeeded", "a void, and nobody asked for it"],
    ),
    (|history| history.operation(RETURN).order_id = UNPAID, &["of another order"]),
    (
        |history| {
            let mut lost = history.operation(SENT_BACK).clone();
            (lost.id, lost.payment_id) = (OTHER, OTHER);
            history.shop.operations.insert(OTHER, vec![lost]);
        },
        &["of a payment that is not there"],
    ),
    (|history| forget_calls(history, "voidPayment", FREED), &["a void, and nobody asked for it"]),
    (
        |history| history.operation(REFUND).actor = "system".to_owned(),
        &["a refund that nobody had reason for", "was answered with [], and is missing"],
    ),
    (
        |history| answer(history, CAPTURE, &Outcome::Refused { codes: vec!["INVALID_STATE".to_owned()] }),
        &["capturePayment was refused, and it is there", "was begun 1 times, 0 requests were not refused"],
    ),
    (
        |history| answer(history, CAPTURE, &Outcome::Done { data: json!({}), codes: vec!["GATEWAY_ERROR".to_owned()] }),
        &["was answered with [\"GATEWAY_ERROR\"], and is succeeded"],
    ),
    (
        |history| history.operation(RETURN).key = Some(key_of(REFUND)),
        &["twice under the key \"pay 41\"", "was answered with [], and is missing"],
    ),
    (
        |history| {
            history.add_operation(OTHER, RESERVED, "refund", 100);
            history.payment(RESERVED).refunded = 300;
            history.moved(OTHER, GatewayEvent::Refunded);
        },
        &["was begun 3 times, 2 requests were not refused"],
    ),
];

const UNITS: &[Broken] = &[
    (
        |history| change_input(history, "refundPayment", |input| input["restock"] = Value::Null),
        &["came back into stock, and no refund named it", "came back into stock, and no refund named it"],
    ),
    (
        |history| change_input(history, "checkOut", |input| input["hold"] = Value::Null),
        &["it was held, and nobody asked for it"],
    ),
    (
        |history| history.row(7).reason = "hold".to_owned(),
        &["was held after its check-out", "it was held, and nobody asked for it"],
    ),
    (|history| history.stock_of().held = 1, &["it says that 1 are held for a time, unpaid orders hold 0"]),
    (|history| history.row(11).reason = "return".to_owned(), &["return is no reason for ship"]),
    (|history| history.send(CAPTURED, 1), &["2 of product", "2 shipments from 1 requests that were not refused"]),
    (
        |history| change_input(history, "shipOrder", |input| input["items"][0]["quantity"] = 3.into()),
        &["were shipped; 3 were acknowledged, 3 asked for"],
    ),
    (
        |history| change_input(history, "shipOrder", |input| input["items"][0]["quantity"] = 1.into()),
        &["were shipped; 1 were acknowledged, 1 asked for"],
    ),
    (
        |history| history.item(CAPTURED).returned = 3,
        &["came back, 2 were shipped", "it says that 3 came back, the log says 1"],
    ),
    (
        |history| history.order_of(CAPTURED).held_until = Some(history.row(1).created_at),
        &["and says until when it holds its units"],
    ),
    (
        |history| history.order_of(CAPTURED).shipping = "unfulfilled".to_owned(),
        &["unfulfilled, which its items are not"],
    ),
];

fn forget_calls(history: &mut History, of: &str, payment: Uuid) {
    let about = json!(id("payment", payment));
    history.forget_all(
        |record| matches!(record, Record::Call { mutation, input, .. } if mutation == of && input["paymentId"] == about),
    );
}

/// Changes the answer to the call that began an operation.
fn answer(history: &mut History, operation: Uuid, to: &Outcome) {
    let key = json!(key_of(operation));
    let number = history.journal.iter().find_map(|record| match record {
        Record::Call { call, input, .. } if input["idempotencyKey"] == key => Some(*call),
        _ => None,
    });
    for record in &mut history.journal {
        if let Record::Answer { call, outcome } = record
            && Some(*call) == number
        {
            outcome.clone_from(to);
        }
    }
}

fn change_input(history: &mut History, of: &str, change: fn(&mut Value)) {
    let item = json!(id("item", item_of(CAPTURED)));
    for record in &mut history.journal {
        if let Record::Call { mutation, input, .. } = record
            && mutation == of
            && (of == "checkOut" || input["items"][0]["orderItemId"] == item || input["restock"].is_array())
        {
            change(input);
        }
    }
}

#[test]
fn nothing_is_said_about_a_whole_life() {
    check_is_said(&History::life(), &[], "a whole life");
}

#[test]
fn money_that_moved_otherwise_is_found() {
    check_all_of(History::life, MONEY);
}

#[test]
fn broken_operations_are_found() {
    check_all_of(History::life, ROWS);
}

#[test]
fn wrong_parts_and_holds_are_found() {
    check_all_of(History::life, UNITS);
}

#[test]
fn what_is_visibly_due_is_right() {
    let mut history = History::life();
    // The refund of what came late is refused for good.
    history.operation(SENT_BACK).status = "failed".to_owned();
    history.payment(FORCED).refunded = 0;
    history.forget_movement(SENT_BACK);
    // The order is paid once more.
    history.add_payment(OTHER, LATE, "http", "succeeded");
    history.order_of(LATE).status = "complete".to_owned();
    history.order_of(LATE).payment = "paid".to_owned();
    history.gateway(OTHER, LATE, GatewayEvent::Charged);
    history.pay(LATE, OTHER, "SUCCEEDED");
    history.add_row("allocate", 1, Some(LATE));
    history.item(LATE).allocated = 1;
    history.forget_all(|record| matches!(record, Record::Rested { .. }));
    check_is_said(&history, &[], "a refund that was refused");
}

#[test]
fn a_capture_that_was_given_up_by_force_may_have_been_done() {
    let mut history = History::life();
    history.forget(FREED, GatewayEvent::Voided);
    history.add_operation(OTHER, FREED, "capture", 100);
    history.operation(OTHER).status = "failed".to_owned();
    history.moved(OTHER, GatewayEvent::Captured);
    let input = json!({ "paymentId": id("payment", FREED), "idempotencyKey": key_of(OTHER) });
    history.call("capturePayment", input, None::<Outcome>);
    let back = Uuid::from_u128(98);
    history.add_operation(back, FREED, "refund", 100);
    history.operation(back).actor = "system".to_owned();
    history.payment(FREED).refunded = 100;
    history.moved(back, GatewayEvent::Refunded);
    check_is_said(&history, &[], "captured after all");
    // Whoever had asked for the capture finds the money, and begins to send it back without asking for that.
    (history.operation(back).actor, history.operation(back).key) = ("development".to_owned(), None);
    check_is_said(&history, &[], "captured after all, and found by who had asked");
}

#[test]
fn an_unpaid_order_may_hold_its_units_for_a_time() {
    let mut history = History::life();
    history.order_of(UNPAID).held_until = Some(history.row(1).created_at);
    history.row(5).reason = "hold".to_owned();
    let cart = id("cart", history.order_of(UNPAID).cart_id);
    history.call("checkOut", json!({ "cartId": cart, "hold": true }), done(json!({ "order": id("order", UNPAID) })));
    history.add_row("allocate", 1, Some(UNPAID));
    history.item(UNPAID).allocated = 1;
    history.shop.stocks.get_mut(&PRODUCT).expect("stock").held = 1;
    history.forget_all(|record| matches!(record, Record::Rested { .. }));
    let mut verdict = crate::Verdict::default();
    check_is_said(&history, &[], "held");
    let then = history.row(1).created_at;
    crate::rest::check_holds(&history.shop, then, &mut verdict);
    assert_eq!(
        verdict.violations(),
        [format!("order {UNPAID}: it still holds its units, although their time is over")]
    );
}

#[test]
fn an_operation_that_is_left_open_is_found() {
    let mut history = History::life();
    let mut verdict = crate::Verdict::default();
    crate::rest::check_payments(&history.shop, &mut verdict);
    assert_eq!(verdict.violations(), [""; 0]);
    history.operation(REFUND).status = "in_progress".to_owned();
    crate::rest::check_payments(&history.shop, &mut verdict);
    assert_eq!(verdict.violations(), [format!("payment {RESERVED}: its refund is still in_progress")]);
}
