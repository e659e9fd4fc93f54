//! Gateways that decline, hang or answer twice, and shoppers who ask twice: one charge at most, and no units lost.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{charges, in_short, open, open_impatient, statuses};
use crate::support::{Shop, Socket, codes, eventually, paid};

/// An order of one unit of a product of five.
async fn order_one_of_five(shop: &Shop, sku: &str) -> (String, String) {
    let product = shop.product(sku, 5).await;
    let order = shop.order(&[(&product, 1)]).await;
    (product, order)
}

fn sandbox(order: &str, token: &str, key: &str) -> Value {
    json!({ "orderId": order, "gateway": "sandbox", "token": token, "idempotencyKey": key })
}

// C11
#[tokio::test]
async fn a_failed_payment_gives_its_units_back() {
    let shop = open().await;
    for (token, code) in
        [("decline", "PAYMENT_DECLINED"), ("delay:20:decline", "PAYMENT_DECLINED"), ("error", "GATEWAY_ERROR")]
    {
        let bag = shop.product(&format!("BAG-{token}"), 3).await;
        let order = shop.order(&[(&bag, 3)]).await;
        assert_eq!(shop.pay_sandbox(&order, token).await, paid("DECLINED", "UNPAID", &[code]), "{token}");
        assert_eq!(shop.stock(&bag).await, (3, 0, 3));
        assert_eq!(shop.log(&bag).await, ["CREATE 3", "ALLOCATE 3", "DEALLOCATE 3"]);
        assert_eq!(statuses(&shop, &order).await, ["INCOMPLETE", "UNPAID", "UNFULFILLED"]);
        assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("SUCCEEDED", "PAID", &[]), "the same order");
        assert_eq!(shop.stock(&bag).await, (3, 3, 0));
    }
    assert_eq!(charges(&shop).await, 3);
    shop.close().await;
}

// C12
#[tokio::test]
async fn units_stay_while_a_gateway_is_silent_and_nothing_else_may_happen() {
    let shop = open_impatient().await;
    for token in ["never", "action"] {
        let (bag, order) = order_one_of_five(&shop, token).await;
        let status = if token == "never" { "IN_PROGRESS" } else { "REQUIRES_ACTION" };
        assert_eq!(shop.pay_sandbox(&order, token).await, paid(status, "IN_PROGRESS", &[]));
        assert_eq!(shop.stock(&bag).await, (5, 1, 4));
        assert_eq!(codes(&shop.cancel(&order).await), ["PAYMENT_IN_PROGRESS"]);
        assert_eq!(codes(&shop.ship(&order).await), ["INVALID_STATE"]);
        assert_eq!(shop.pay(&order).await, paid(status, "IN_PROGRESS", &["PAYMENT_IN_PROGRESS"]), "that payment");
        assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1"]);
        assert_eq!(statuses(&shop, &order).await, ["INCOMPLETE", "IN_PROGRESS", "UNFULFILLED"]);
    }
    shop.close().await;
}

// C12
#[tokio::test]
async fn money_that_was_taken_in_silence_pays_the_order() {
    let shop = open_impatient().await;
    let (bag, order) = order_one_of_five(&shop, "BAG").await;
    assert_eq!(shop.pay_sandbox(&order, "never:charged").await, paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    eventually("the order is paid", async || statuses(&shop, &order).await[1] == "PAID").await;
    assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1"], "the units never moved in between");
    assert_eq!(shop.read_order(&order).await["payments"].as_array().map(Vec::len), Some(1));
    assert_eq!(charges(&shop).await, 1);
    shop.close().await;
}

// C13
#[tokio::test]
async fn a_result_that_comes_twice_pays_once() {
    let shop = open().await;
    let (bag, order) = order_one_of_five(&shop, "BAG").await;
    let mut socket = Socket::open(&shop).await;
    let query = "subscription { stockTransactionAdded { node { action } } }";
    socket.follow_log("log", query, json!({})).await;
    let mut screen = Socket::open(&shop).await;
    let follow = "subscription($id: ID!) { orderChanged(id: $id) { payment shipping } }";
    screen.subscribe("order", follow, json!({ "id": order })).await;
    assert_eq!(screen.data("order").await["orderChanged"]["payment"], "UNPAID", "subscribed");

    assert_eq!(shop.pay_sandbox(&order, "twice").await, paid("SUCCEEDED", "PAID", &[]));
    shop.adjust(&bag, "DECREMENT", 1).await;
    let mut told = Vec::new();
    while told.last().is_none_or(|action| action != "DECREMENT") {
        told.push(socket.data("log").await["stockTransactionAdded"]["node"]["action"].take());
    }
    assert_eq!(told, ["ALLOCATE", "DECREMENT"]);
    let mut shown = screen.data("order").await;
    if shown["orderChanged"]["payment"] == "IN_PROGRESS" {
        shown = screen.data("order").await;
    }
    assert_eq!(shown["orderChanged"], json!({ "payment": "PAID", "shipping": "UNFULFILLED" }));
    shop.ship(&order).await;
    assert_eq!(screen.data("order").await["orderChanged"]["shipping"], "FULFILLED", "it was told of PAID once");
    assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1", "DECREMENT 1", "SHIP 1"]);
    assert_eq!(shop.read_order(&order).await["payments"].as_array().map(Vec::len), Some(1));
    assert_eq!(charges(&shop).await, 1);
    shop.close().await;
}

// C14
#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_charges_once() {
    let shop = open().await;
    for delay in [0, 1, 5, 20, 50] {
        let (bag, order) = order_one_of_five(&shop, &format!("BAG-{delay}")).await;
        let token = format!("delay:{delay}");
        let answers = join_all((0..4).map(|_| shop.pay_sandbox(&order, &token))).await;
        let right = [
            paid("SUCCEEDED", "PAID", &[]),
            paid("-", "PAID", &["INVALID_STATE"]),
            paid("IN_PROGRESS", "IN_PROGRESS", &["PAYMENT_IN_PROGRESS"]),
        ];
        assert!(answers.iter().all(|answer| right.contains(answer)), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| **answer == right[0]).count(), 1);
        assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1"]);
    }
    assert_eq!(charges(&shop).await, 5);
    shop.close().await;
}

// C15
#[tokio::test]
async fn a_key_is_good_for_one_input() {
    let shop = open().await;
    let (bag, first) = order_one_of_five(&shop, "BAG").await;
    let second = shop.order(&[(&bag, 1)]).await;
    let before = shop.read_order(&second).await;
    assert_eq!(in_short(&shop.pay_with(sandbox(&first, "succeed", "K")).await), paid("SUCCEEDED", "PAID", &[]));
    let reused = shop.pay_with(sandbox(&second, "succeed", "K")).await;
    assert_eq!(in_short(&reused), paid("-", "UNPAID", &["IDEMPOTENCY_KEY_REUSED"]));
    let reused = shop.pay_with(sandbox(&first, "decline", "K")).await;
    assert_eq!(in_short(&reused), paid("-", "PAID", &["IDEMPOTENCY_KEY_REUSED"]), "another token");
    let change = json!([{ "productId": bag, "action": "INCREMENT", "quantity": 1 }]);
    let reused = shop.adjust_all(json!({ "changes": change, "idempotencyKey": "K" })).await;
    assert_eq!(codes(&reused), ["IDEMPOTENCY_KEY_REUSED"], "another mutation");
    assert_eq!(shop.read_order(&second).await, before);
    assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1"]);
    assert_eq!(charges(&shop).await, 1);
    shop.close().await;
}

// C16
#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_at_once_has_one_effect_and_one_answer() {
    let shop = open().await;
    for delay in [0, 50] {
        let (bag, order) = order_one_of_five(&shop, &format!("BAG-{delay}")).await;
        let input = sandbox(&order, &format!("delay:{delay}"), &format!("pay-{delay}"));
        let both = tokio::join!(shop.pay_with(input.clone()), shop.pay_with(input.clone()));
        let answers = [both.0, both.1];
        let settled = answers.iter().find(|answer| codes(answer).is_empty()).expect("one effect");
        assert_eq!(in_short(settled), paid("SUCCEEDED", "PAID", &[]));
        for answer in &answers {
            assert_eq!(answer["payment"]["id"], settled["payment"]["id"]);
            assert!(answer == settled || codes(answer) == ["PAYMENT_IN_PROGRESS"], "{answer}");
        }
        assert_eq!(shop.pay_with(input).await, *settled, "later, the same objects and user errors");
        assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1"]);

        let change = json!([{ "productId": bag, "action": "INCREMENT", "quantity": 1 }]);
        let input = json!({ "changes": change, "idempotencyKey": format!("adjust-{delay}") });
        let (first, second) = tokio::join!(shop.adjust_all(input.clone()), shop.adjust_all(input.clone()));
        assert_eq!((codes(&first).len(), &first), (0, &second));
        assert_eq!(shop.stock(&bag).await, (6, 1, 5));
    }
    assert_eq!(charges(&shop).await, 2);
    shop.close().await;
}

// C17
#[tokio::test]
async fn a_decline_is_an_answer_and_a_new_attempt_needs_a_new_key() {
    let shop = open().await;
    let (bag, order) = order_one_of_five(&shop, "BAG").await;
    let declined = shop.pay_with(sandbox(&order, "decline", "first")).await;
    assert_eq!(in_short(&declined), paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(shop.pay_with(sandbox(&order, "decline", "first")).await, declined);
    assert_eq!(shop.log(&bag).await, ["CREATE 5", "ALLOCATE 1", "DEALLOCATE 1"], "no second attempt");
    let again = shop.pay_with(sandbox(&order, "succeed", "second")).await;
    assert_eq!(in_short(&again), paid("SUCCEEDED", "PAID", &[]));
    assert_ne!(again["payment"]["id"], declined["payment"]["id"]);
    let replayed = shop.pay_with(sandbox(&order, "decline", "first")).await;
    assert_eq!(in_short(&replayed), paid("DECLINED", "PAID", &["PAYMENT_DECLINED"]), "objects as they are now");
    assert_eq!(replayed["payment"]["id"], declined["payment"]["id"]);
    assert_eq!(charges(&shop).await, 1);
    shop.close().await;
}

// C17: a refusal that changed nothing is not kept.
#[tokio::test]
async fn a_refused_request_may_succeed_later_under_its_key() {
    let shop = open().await;
    let bag = shop.product("BAG", 1).await;
    let order = shop.order(&[(&bag, 1)]).await;
    shop.adjust(&bag, "SET", 0).await;
    let refused = shop.pay_with(sandbox(&order, "succeed", "K")).await;
    assert_eq!(in_short(&refused), paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    shop.adjust(&bag, "SET", 1).await;
    assert_eq!(in_short(&shop.pay_with(sandbox(&order, "succeed", "K")).await), paid("SUCCEEDED", "PAID", &[]));
    shop.close().await;
}

/// Pays, and cancels at the same time until it is decided. Returns whether the order was paid.
async fn pay_and_cancel(shop: &Shop, product: &str, delay: u64, persists: bool) -> bool {
    let order = shop.order(&[(product, 1)]).await;
    let token = format!("delay:{delay}");
    let cancel = async {
        let mut answer = shop.cancel(&order).await;
        while persists && codes(&answer) == ["PAYMENT_IN_PROGRESS"] {
            answer = shop.cancel(&order).await;
        }
        answer
    };
    let (_, cancelled) = tokio::join!(shop.pay_sandbox(&order, &token), cancel);
    eventually("the payment ends", async || statuses(shop, &order).await[1] != "IN_PROGRESS").await;
    let [status, payment, _] = statuses(shop, &order).await;
    let held = shop.read_order(&order).await["items"][0]["allocatedQuantity"].take();
    match codes(&cancelled)[..] {
        [] => assert_eq!((status.as_str(), held), ("CANCELLED", json!(0)), "persists: {persists}"),
        ["PAYMENT_IN_PROGRESS"] => {
            assert_eq!((status.as_str(), payment.as_str(), held), ("COMPLETE", "PAID", json!(1)));
        }
        _ => panic!("{cancelled}"),
    }
    payment == "PAID"
}

// C33, with 80 rounds.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_paid_and_cancelled_at_once_is_one_or_the_other_first() {
    const ROUNDS: u64 = 80;
    let shop = open().await;
    let bag = shop.product("BAG", 1_000).await;
    let round = |round: u64| pay_and_cancel(&shop, &bag, round * 200 / ROUNDS, round.is_multiple_of(2));
    let rounds: Vec<bool> = stream::iter(0..ROUNDS).map(round).buffer_unordered(8).collect().await;
    let paid = rounds.iter().filter(|is_paid| **is_paid).count() as u64;
    assert_eq!(charges(&shop).await, paid, "charged is paid, and paid is charged");
    shop.close().await;
}
