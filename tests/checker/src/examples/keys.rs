//! What a key may stand for, and what it may not.

use serde_json::json;
use uuid::Uuid;

use super::history::{CHARGED, DECLINED, History, MANUAL, OTHER, PAID, SHIPPED, UNPAID, VOIDED, key_of, refused};
use super::{Broken, check_all};
use crate::id::id;
use crate::journal::Outcome;

const KEYS: &[Broken] = &[
    (
        |history| {
            history.pay(PAID, MANUAL, "SUCCEEDED");
            // Under one key again, and with another order.
            history.pay(SHIPPED, MANUAL, "SUCCEEDED");
        },
        &["key \"pay 23\": it stood for", "is of another order"],
    ),
    (
        |history| history.adjust("delivery", refused("INSUFFICIENT_STOCK")),
        &["its key had been answered, and it was refused with [\"INSUFFICIENT_STOCK\"]"],
    ),
    (|history| in_progress(history, UNPAID, DECLINED, VOIDED), &["key \"pay 21\": it stood for"]),
];

/// Asks to pay an order under the key of one payment, and is told of another one that is under way.
fn in_progress(history: &mut History, order: Uuid, under: Uuid, shown: Uuid) {
    let input = json!({ "orderId": id("order", order), "idempotencyKey": key_of(under) });
    let data = json!({ "payment": id("payment", shown), "order": id("order", order), "status": "IN_PROGRESS" });
    history.call("payOrder", input, Outcome::Done { data, codes: vec!["PAYMENT_IN_PROGRESS".to_owned()] });
}

#[test]
fn a_key_that_stands_for_two_things_is_found() {
    check_all(KEYS);
}

#[test]
fn a_key_may_be_sent_again() {
    let mut history = History::sound();
    history.pay(PAID, MANUAL, "SUCCEEDED");
    in_progress(&mut history, SHIPPED, CHARGED, CHARGED);
    history.adjust("delivery", refused("UNAVAILABLE"));
    history.adjust("delivery", None::<Outcome>);
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

#[test]
fn a_second_key_stands_for_nothing_while_the_first_attempt_runs() {
    let mut history = History::sound();
    // The same key again, when the first attempt has come to nothing: a payment of its own.
    in_progress(&mut history, UNPAID, OTHER, VOIDED);
    history.add_payment(OTHER, UNPAID, "manual", "declined");
    history.pay(UNPAID, OTHER, "DECLINED");
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

#[test]
fn a_second_key_may_be_refused_when_the_first_attempt_has_paid() {
    let mut history = History::sound();
    in_progress(&mut history, SHIPPED, OTHER, CHARGED);
    let input = json!({ "orderId": id("order", SHIPPED), "idempotencyKey": key_of(OTHER) });
    history.call("payOrder", input, refused("INVALID_STATE"));
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}
