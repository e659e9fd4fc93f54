//! What can be wrong with orders, and with what they were charged.

use serde_json::json;

use super::history::{
    CANCELLED, CHARGED, DECLINED, MANUAL, OTHER, PAID, PRODUCT, SHIPPED, UNPAID, VOIDED, done, key_of,
};
use super::{Broken, check_all};
use crate::id::id;
use crate::journal::{GatewayEvent, Outcome, Record};

const STATES: &[Broken] = &[
    (
        |history| history.payment(VOIDED).status = "in_progress".to_owned(),
        &["it is unpaid with 1 open and 0 successful"],
    ),
    (
        |history| history.payment(MANUAL).status = "declined".to_owned(),
        &["it is paid with 0 open and 0 successful", "was said to be succeeded, and is declined"],
    ),
    (
        |history| history.order_of(UNPAID).payment = "in_progress".to_owned(),
        &["it is in_progress with 0 open and 0 successful", "it holds 0 of 1 of product"],
    ),
    (|history| history.payment(CHARGED).amount = 150, &["150 were to be paid instead of 200"]),
    (|history| history.item(SHIPPED).unit_amount = 50, &["its items make 100, its total is 200"]),
    (|history| history.order_of(PAID).number = "N10".to_owned(), &["two orders have the number N10"]),
    (
        |history| history.order_of(PAID).shipping = "fulfilled".to_owned(),
        &["fulfilled, but not all has left", "fulfilled, which its items are not"],
    ),
    (
        |history| {
            history.order_of(UNPAID).shipping = "fulfilled".to_owned();
            history.item(UNPAID).cancelled = 1;
        },
        &["fulfilled, which its items are not", "shipped without payment"],
    ),
    (
        |history| {
            history.order_of(CANCELLED).payment = "in_progress".to_owned();
            history.add_payment(OTHER, CANCELLED, "manual", "in_progress");
            let input = json!({ "orderId": id("order", CANCELLED), "idempotencyKey": key_of(OTHER) });
            history.call("payOrder", input, None::<Outcome>);
        },
        &["cancelled while paying"],
    ),
];

const UNITS: &[Broken] = &[
    (
        |history| {
            history.add_row("allocate", 1, Some(OTHER));
            history.add_row("deallocate", 1, Some(OTHER));
            history.tell_the_last();
        },
        &["for it, which it does not have"],
    ),
    (
        |history| {
            history.order_of(PAID).status = "cancelled".to_owned();
            history.call("cancelOrder", json!({ "orderId": id("order", PAID) }), done(json!({})));
        },
        &["cancelled and paid, it holds 3 of product"],
    ),
    (
        |history| {
            history.add_row("deallocate", 1, Some(PAID));
            history.item(PAID).allocated = 2;
            history.tell_the_last();
        },
        &["it holds 2 of 3 of product"],
    ),
    (|history| history.item(UNPAID).cancelled = 2, &["0, 0 and 2 units of 1 ordered"]),
    (|history| history.item(UNPAID).cancelled = -1, &["0, 0 and -1 units of 1 ordered"]),
    (
        |history| {
            history.add_payment(OTHER, PAID, "manual", "declined");
            history.pay(PAID, OTHER, "DECLINED");
            history.add_row("allocate", 3, Some(PAID));
            history.add_row("deallocate", 3, Some(PAID));
            history.tell_the_last();
        },
        &["row 10: allocated although it held 3"],
    ),
    (
        |history| {
            history.add_row("allocate", 1, Some(CANCELLED));
            history.add_row("deallocate", 1, Some(CANCELLED));
            history.tell_the_last();
        },
        &["was allocated 1 times for 0 payments"],
    ),
    (
        |history| {
            history.shop.log.get_mut(&PRODUCT).expect("a log").truncate(6);
            history.add_row("allocate", 2, Some(UNPAID));
            history.add_row("deallocate", 2, Some(UNPAID));
            history.add_row("allocate", 3, Some(PAID));
        },
        &["row 7: 2 were allocated, 1 ordered"],
    ),
    (
        |history| {
            history.add_row("deallocate", 1, Some(UNPAID));
            history.tell_the_last();
        },
        &[
            "row 10: deallocate of 1 although it held 0",
            "it says it holds 0, the log says -1",
            "2 are allocated; orders hold 3, staff 0",
        ],
    ),
    (
        |history| {
            history.add_row("increment", 3, Some(SHIPPED));
            history.tell_the_last();
        },
        &[
            "row 10: more came back than was shipped",
            "it says that 0 came back, the log says 3",
            "came back into stock, and no refund named it",
        ],
    ),
    (
        |history| {
            history.add_row("decrement", 1, Some(SHIPPED));
            history.tell_the_last();
        },
        &["row 10: decrement is nothing that is done for an order"],
    ),
    (
        |history| {
            history.item(SHIPPED).shipped = 1;
            history.item(SHIPPED).cancelled = 1;
        },
        &["it says it shipped 1, the log says 2", "were shipped, its shipments have 2"],
    ),
];

const CHARGES: &[Broken] = &[
    (|history| history.gateway(VOIDED, UNPAID, GatewayEvent::Charged), &["charged, and the shop says voided"]),
    (|history| history.gateway(OTHER, UNPAID, GatewayEvent::Charged), &["charged, and the shop does not know it"]),
    (
        |history| {
            history.forget(CHARGED, GatewayEvent::Charged);
            history.gateway(CHARGED, PAID, GatewayEvent::Charged);
        },
        &["charged for another order"],
    ),
    (|history| history.gateway(DECLINED, UNPAID, GatewayEvent::Charged), &["charged, and the shop says declined"]),
    (|history| history.forget(CHARGED, GatewayEvent::Charged), &["it succeeded, but the gateway has charged nothing"]),
    (|history| history.forget(VOIDED, GatewayEvent::Voided), &["voided, but the gateway may still charge"]),
    (|history| history.forget(DECLINED, GatewayEvent::Declined), &["declined, but not by the gateway"]),
    (
        |history| history.gateway(OTHER, SHIPPED, GatewayEvent::Charged),
        &["charged 2 times", "charged, and the shop does not know it"],
    ),
    (
        |history| {
            for record in &mut history.journal {
                if let Record::Gateway { amount, event: GatewayEvent::Charged, .. } = record {
                    *amount = 150;
                }
            }
        },
        &["150 were charged, the order's total is 200"],
    ),
];

#[test]
fn a_broken_order_is_found() {
    check_all(STATES);
}

#[test]
fn wrong_units_of_an_order_are_found() {
    check_all(UNITS);
}

#[test]
fn a_wrong_charge_is_found() {
    check_all(CHARGES);
}
