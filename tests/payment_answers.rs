//! What `payOrder` answers: the order and the payment as they were committed, and only to those who may see the order.

use std::time::Duration;

use onhand::config::{PaymentTimeouts, Role};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Shop, Wanted, codes, eventually, paid, patient_times, short, with_tokens};

fn sandbox(order: &str, token: &str, key: &str) -> Value {
    json!({ "orderId": order, "gateway": "sandbox", "token": token, "idempotencyKey": key })
}

/// Only the answer to a repeated request is read from the database; every other one is there without it.
#[tokio::test]
async fn an_answer_is_what_was_committed_and_is_not_read_back() {
    let shop = Shop::open().await;
    let bag = shop.product("BAG", 100).await;
    let manual = shop.order_of(&bag).await;
    let mut orders = Vec::new();
    for (token, right) in [
        ("succeed", paid("SUCCEEDED", "PAID", &[])),
        ("twice", paid("SUCCEEDED", "PAID", &[])),
        ("decline", paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"])),
        ("error", paid("DECLINED", "UNPAID", &["GATEWAY_ERROR"])),
        ("error:charged", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("action", paid("REQUIRES_ACTION", "IN_PROGRESS", &[])),
    ] {
        orders.push((shop.order_of(&bag).await, token, right));
    }
    shop.lose_database().await;

    assert_eq!(shop.pay(&manual).await, paid("SUCCEEDED", "PAID", &[]));
    for (order, token, right) in &orders {
        let answer = shop.pay_with(sandbox(order, token, order)).await;
        assert_eq!((&short(&answer), &answer["order"]["id"]), (right, &json!(order)), "{token}");
        let allocated = i64::from(right.order != "UNPAID");
        assert_eq!(answer["order"]["items"][0]["allocatedQuantity"], allocated, "{token}: of one moment");
        if right.order == "IN_PROGRESS" {
            let again = shop.pay_sandbox(order, "succeed").await;
            assert_eq!(again, paid(&right.payment, "IN_PROGRESS", &["PAYMENT_IN_PROGRESS"]), "{token}: that payment");
        }
    }
    let replay = "mutation($i: PayOrderInput!) { payOrder(input: $i) { payment { id } } }";
    let (first, token, _) = &orders[0];
    assert_eq!(shop.code(replay, json!({ "i": sandbox(first, token, first) })).await, "TIMEOUT", "it is read");
}

/// The gateway is given up, or the answer is due before that.
#[tokio::test]
async fn an_answer_without_an_outcome_is_not_read_back_either() {
    for (pay_gateway, pay_answer) in [(Duration::from_millis(100), PATIENCE), (PATIENCE, Duration::from_secs(3))] {
        let shop = Shop::open_with(PaymentTimeouts { pay_gateway, pay_answer, ..patient_times() }).await;
        let order = shop.order_of(&shop.product("BAG", 5).await).await;
        shop.lose_database().await;
        let answer = shop.pay_with(sandbox(&order, "never", "K")).await;
        assert_eq!(short(&answer), paid("IN_PROGRESS", "IN_PROGRESS", &[]));
        assert_eq!(
            (&answer["order"]["id"], &answer["order"]["items"][0]["allocatedQuantity"]),
            (&json!(order), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_payment_that_waits_for_the_shopper_is_that_payment_under_its_key() {
    let shop = Shop::open().await;
    let order = shop.order_of(&shop.product("BAG", 5).await).await;
    let input = sandbox(&order, "action:700", "K");
    let first = shop.pay_with(input.clone()).await;
    assert_eq!(short(&first), paid("REQUIRES_ACTION", "IN_PROGRESS", &[]));
    assert_eq!(first["payment"]["action"]["kind"], "SANDBOX_CONFIRM");
    let again = shop.pay_with(input.clone()).await;
    assert_eq!(again["payment"]["id"], first["payment"]["id"]);
    if codes(&again) == ["PAYMENT_IN_PROGRESS"] {
        assert_eq!(again["payment"]["action"], first["payment"]["action"], "the shopper can still act");
    }
    eventually("it is paid", async || shop.read_order(&order).await["payment"] == "PAID").await;
    let settled = shop.pay_with(input).await;
    assert_eq!(short(&settled), paid("SUCCEEDED", "PAID", &[]));
    assert_eq!((&settled["payment"]["id"], &settled["payment"]["action"]), (&first["payment"]["id"], &json!(null)));
    shop.close().await;
}

/// Recovery voids a charge that takes too long, and then its answer comes: the units are free, and stay so.
#[tokio::test]
async fn a_charge_that_is_answered_after_it_was_voided_is_answered_as_voided() {
    let times = PaymentTimeouts {
        pay_lease: Duration::from_millis(300),
        pay_give_up: Duration::ZERO,
        pay_answer: PATIENCE,
        pay_gateway: PATIENCE,
        ..patient_times()
    };
    let shop = Shop::open_with(times).await;
    let bag = shop.product("BAG", 5).await;
    let order = shop.order_of(&bag).await;
    let answer = shop.pay_with(sandbox(&order, "delay:4000", "K")).await;
    assert_eq!(short(&answer), paid("VOIDED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1", "DEALLOCATE 1"]);
    assert_eq!(shop.pay_with(sandbox(&order, "delay:4000", "K")).await, answer, "the same under its key");
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]), "payable again");
    shop.close().await;
}

#[tokio::test]
async fn a_token_is_checked_by_its_gateway_before_anything_is_allocated() {
    let shop = Shop::open().await;
    let bag = shop.product("BAG", 5).await;
    let order = shop.order_of(&bag).await;
    let refused = shop.pay_with(sandbox(&order, "tok_visa", "K")).await;
    assert_eq!(short(&refused), paid("-", "UNPAID", &["INVALID_INPUT"]));
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "token"]));
    assert_eq!((shop.log(&bag).await, &refused["order"]["payments"]), (vec!["CREATE 5".to_owned()], &json!([])));
    assert_eq!(shop.pay_sandbox(&order, "twice").await, paid("SUCCEEDED", "PAID", &[]));
    let other = shop.order_of(&bag).await;
    let manual = shop.pay_with(json!({ "orderId": other, "gateway": "manual", "token": "tok_visa" })).await;
    assert_eq!(short(&manual), paid("SUCCEEDED", "PAID", &[]), "a token means nothing to this gateway");
    shop.close().await;
}

/// While a payment is in progress, and when its key is repeated, the order does not exist for others.
#[tokio::test]
async fn others_are_not_answered_with_the_order() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), ..Wanted::default() }).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let (ada, bob) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Customer, "bob").await);
    let bag = staff.product("BAG", 5).await;
    for (token, right) in
        [("action", paid("REQUIRES_ACTION", "IN_PROGRESS", &[])), ("succeed", paid("SUCCEEDED", "PAID", &[]))]
    {
        let order = ada.order_of(&bag).await;
        let mine = ada.pay_with(sandbox(&order, token, token)).await;
        assert_eq!(short(&mine), right);
        for stranger in [&bob, &*shop] {
            for input in [sandbox(&order, token, token), json!({ "orderId": order, "gateway": "sandbox" })] {
                assert_eq!(short(&stranger.pay_with(input).await), paid("-", "-", &["NOT_FOUND"]));
            }
        }
        let again = ada.pay_with(sandbox(&order, token, token)).await;
        assert_eq!((&again["payment"]["id"], &again["order"]["id"]), (&mine["payment"]["id"], &json!(order)));
        let seen = short(&staff.pay_with(sandbox(&order, token, "another")).await);
        let is_open = token == "action";
        let (payment, code) = if is_open { ("REQUIRES_ACTION", "PAYMENT_IN_PROGRESS") } else { ("-", "INVALID_STATE") };
        assert_eq!(seen, paid(payment, &right.order, &[code]), "staff see every order");
    }
    shop.close().await;
}
