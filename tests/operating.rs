//! Capture, void and refund through the API: what each answers and leaves behind, also when a gateway refuses, is silent or is
//! gone, when two of them meet, and when a release from before runs beside.

use entity::sandbox_operation;
use futures_util::future::join_all;
use onhand::config::Role;
use onhand::faults::{self, Point};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, Shop, Wanted, codes, eventually, paid, short, short_times, with_tokens};

/// Pays an order at once, with this token, and returns the payment's id.
async fn purchase(shop: &Client, order: &str, token: &str) -> String {
    let payload = shop.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": token })).await;
    payload["payment"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// The refunds of an order's first payment: state and amount.
async fn refunds(shop: &Client, order: &str) -> Vec<(String, i64)> {
    let order = shop.read_order(order).await;
    let refunds = order["payments"][0]["refunds"].as_array().expect("refunds").clone();
    let refund = |refund: &Value| {
        (
            refund["status"].as_str().unwrap_or_default().to_owned(),
            refund["amount"]["amount"].as_i64().unwrap_or_default(),
        )
    };
    refunds.iter().map(refund).collect()
}

async fn state(shop: &Client, order: &str) -> [String; 3] {
    let order = shop.read_order(order).await;
    ["status", "payment", "shipping"].map(|name| order[name].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn money_is_authorized_captured_and_refunded_in_parts() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 3)]).await;
    let payment = shop.authorize(&order, "succeed").await;
    assert_eq!(
        (state(&shop, &order).await, shop.stock(&mug).await),
        (["PROCESSING", "AUTHORIZED", "UNFULFILLED"].map(str::to_owned), (5, 3, 2))
    );
    assert_eq!(shop.pay(&order).await.codes, ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&order).await), ["INVALID_STATE"]);
    assert_eq!(shop.refund(&payment, None).await.codes, ["INVALID_STATE"]);
    assert_eq!(shop.capture(&payment).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.capture(&payment).await.codes, ["INVALID_STATE"]);
    assert_eq!(codes(&shop.ship(&order).await), [""; 0]);
    assert_eq!(shop.refund(&payment, Some(3_001)).await.codes, ["INVALID_INPUT"]);
    assert_eq!(shop.refund(&payment, Some(1_000)).await, paid("SUCCEEDED", "PARTIALLY_REFUNDED", &[]));
    let item = shop.read_order(&order).await["items"][0]["id"].as_str().expect("an item").to_owned();
    let restock = json!({ "paymentId": payment, "restock": [{ "orderItemId": item, "quantity": 2 }] });
    let payload = shop.operate("refundPayment", restock.clone()).await;
    assert_eq!(short(&payload), paid("SUCCEEDED", "REFUNDED", &[]));
    assert_eq!(payload["order"]["items"][0]["returnedQuantity"], 2, "{payload}");
    assert_eq!(payload["payment"]["refunded"]["amount"], 3_000);
    assert_eq!(codes(&shop.operate("refundPayment", restock).await), ["INVALID_STATE"]);
    assert_eq!(refunds(&shop, &order).await, [("SUCCEEDED".to_owned(), 1_000), ("SUCCEEDED".to_owned(), 2_000)]);
    assert_eq!(
        (shop.stock(&mug).await, shop.log(&mug).await),
        ((4, 0, 4), ["CREATE 5", "ALLOCATE 3", "SHIP 3", "INCREMENT 2"].map(str::to_owned).to_vec())
    );
    let refund = &payload["payment"]["refunds"][1]["id"];
    let node = shop.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": refund })).await;
    assert_eq!(node["node"], json!({ "__typename": "Refund", "id": refund }));
    shop.close().await;
}

#[tokio::test]
async fn manual_money_is_authorized_captured_and_refunded_on_record() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let payload = shop.pay_with(json!({ "orderId": order, "method": "AUTHORIZE" })).await;
    assert_eq!(short(&payload), paid("AUTHORIZED", "AUTHORIZED", &[]));
    let payment = payload["payment"]["id"].as_str().expect("an id");
    assert_eq!(shop.void(payment, false).await, paid("VOIDED", "UNPAID", &[]));
    assert_eq!((state(&shop, &order).await[0].as_str(), shop.stock(&mug).await), ("INCOMPLETE", (5, 0, 5)));
    let payload = shop.pay_with(json!({ "orderId": order, "method": "AUTHORIZE" })).await;
    let payment = payload["payment"]["id"].as_str().expect("an id");
    assert_eq!(shop.capture(payment).await, paid("SUCCEEDED", "PAID", &[]));
    let item = shop.read_order(&order).await["items"][0]["id"].clone();
    let input = json!({ "paymentId": payment, "amount": 500, "restock": [{ "orderItemId": item, "quantity": 1 }] });
    let payload = shop.operate("refundPayment", input).await;
    assert_eq!(short(&payload), paid("SUCCEEDED", "PARTIALLY_REFUNDED", &[]));
    assert_eq!(
        (payload["order"]["items"][0]["cancelledQuantity"].as_i64(), shop.stock(&mug).await),
        (Some(1), (5, 1, 4))
    );
    assert_eq!(codes(&shop.ship(&order).await), [""; 0]);
    assert_eq!((state(&shop, &order).await[2].as_str(), shop.stock(&mug).await), ("FULFILLED", (4, 0, 4)));
    shop.close().await;
}

#[tokio::test]
async fn a_capture_that_fails_keeps_the_units_and_is_tried_again() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let payment = shop.authorize(&order, "succeed,capture:fail:1").await;
    assert_eq!(shop.capture(&payment).await, paid("AUTHORIZED", "AUTHORIZED", &["GATEWAY_ERROR"]));
    assert_eq!(shop.stock(&mug).await, (5, 2, 3));
    assert_eq!(shop.capture(&payment).await, paid("SUCCEEDED", "PAID", &[]));
    shop.close().await;
}

#[tokio::test]
async fn a_refund_that_fails_for_good_stays_due() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = purchase(&shop, &order, "succeed,refund:fail:1").await;
    let payload = shop.operate("refundPayment", json!({ "paymentId": payment })).await;
    assert_eq!(short(&payload), paid("SUCCEEDED", "PAID", &["GATEWAY_ERROR"]));
    assert_eq!(payload["payment"]["refunds"][0]["failureReason"], "The sandbox refused.");
    assert_eq!(payload["payment"]["refunded"]["amount"], 0);
    assert_eq!(shop.refund(&payment, None).await, paid("SUCCEEDED", "REFUNDED", &[]));
    assert_eq!(refunds(&shop, &order).await, [("FAILED".to_owned(), 1_000), ("SUCCEEDED".to_owned(), 1_000)]);
    shop.close().await;
}

#[tokio::test]
async fn what_a_silent_gateway_did_is_found_out_and_done_once() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = shop.authorize(&order, "succeed,capture:silent,refund:error").await;
    assert_eq!(shop.capture(&payment).await, paid("AUTHORIZED", "AUTHORIZED", &["PAYMENT_IN_PROGRESS"]));
    assert_eq!(shop.void(&payment, false).await.codes, ["PAYMENT_IN_PROGRESS"]);
    eventually("the capture is found out", async || state(&shop, &order).await[1] == "PAID").await;
    assert_eq!(shop.refund(&payment, Some(400)).await, paid("SUCCEEDED", "PAID", &["PAYMENT_IN_PROGRESS"]));
    assert_eq!(refunds(&shop, &order).await, [("IN_PROGRESS".to_owned(), 400)]);
    assert_eq!(shop.refund(&payment, Some(400)).await.codes, ["PAYMENT_IN_PROGRESS"]);
    eventually("the refund is found out", async || state(&shop, &order).await[1] == "PARTIALLY_REFUNDED").await;
    assert_eq!(refunds(&shop, &order).await, [("SUCCEEDED".to_owned(), 400)]);
    shop.close().await;
}

#[tokio::test]
async fn a_gateway_that_is_gone_is_given_up_by_force_and_its_late_money_goes_back() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = purchase(&shop, &order, "never:charged").await;
    let _ = shop.void(&payment, false).await;
    let forced = shop.void(&payment, true).await;
    // Recovery may have found the money first: then there is nothing to void.
    if forced.codes.is_empty() {
        assert_eq!(forced, paid("VOIDED", "UNPAID", &[]));
        eventually("the money goes back", async || refunds(&shop, &order).await == [("SUCCEEDED".to_owned(), 1_000)])
            .await;
        assert_eq!((state(&shop, &order).await[1].as_str(), shop.stock(&mug).await), ("UNPAID", (5, 0, 5)));
        assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    }
    shop.close().await;
}

#[tokio::test]
async fn an_authorization_whose_gateway_is_gone_is_released_by_force_only() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = shop.authorize(&order, "succeed,void:gone").await;
    assert_eq!(shop.void(&payment, false).await, paid("AUTHORIZED", "AUTHORIZED", &["PAYMENT_IN_PROGRESS"]));
    assert_eq!(shop.stock(&mug).await, (5, 1, 4));
    assert_eq!(shop.void(&payment, true).await, paid("VOIDED", "UNPAID", &[]));
    assert_eq!(shop.stock(&mug).await, (5, 0, 5));
    shop.close().await;
}

#[tokio::test]
async fn a_charge_that_waits_for_the_shopper_is_voided() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = purchase(&shop, &order, "action").await;
    assert_eq!(state(&shop, &order).await[1], "IN_PROGRESS");
    assert_eq!(shop.void(&payment, false).await, paid("VOIDED", "UNPAID", &[]));
    assert_eq!(shop.stock(&mug).await, (5, 0, 5));
    shop.close().await;
}

#[tokio::test]
async fn a_charge_that_was_silent_is_found_authorized() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "never:charged", "method": "AUTHORIZE" });
    assert_eq!(short(&shop.pay_with(input).await), paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    eventually("it is found out", async || state(&shop, &order).await[1] == "AUTHORIZED").await;
    let payment = shop.read_order(&order).await["payments"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(shop.capture(&payment).await, paid("SUCCEEDED", "PAID", &[]));
    shop.close().await;
}

/// However many come at once, and whatever they do to each other, no more than was captured goes back, and each unit once.
#[tokio::test]
async fn races_move_money_and_units_once() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 50).await;
    for round in 0..4 {
        let order = shop.order(&[(&mug, 3)]).await;
        let payment = shop.authorize(&order, "succeed").await;
        let (capture, void) = tokio::join!(shop.capture(&payment), shop.void(&payment, false));
        let now = state(&shop, &order).await;
        match now[1].as_str() {
            "PAID" => assert!(capture.codes.is_empty() && !void.codes.is_empty(), "{round}: {capture:?} {void:?}"),
            "UNPAID" => assert!(void.codes.is_empty() && !capture.codes.is_empty(), "{round}: {capture:?} {void:?}"),
            other => panic!("{round}: {other}: {capture:?} {void:?}"),
        }
        if now[1] == "UNPAID" {
            continue;
        }
        let item = shop.read_order(&order).await["items"][0]["id"].clone();
        let part = || {
            let restock = json!([{ "orderItemId": item, "quantity": 1 }]);
            shop.operate("refundPayment", json!({ "paymentId": payment, "amount": 1_000, "restock": restock }))
        };
        let others = async { (shop.ship(&order).await, shop.cancel(&order).await) };
        let (answers, _) = tokio::join!(join_all((0..6).map(|_| part())), others);
        let done = answers.iter().filter(|answer| codes(answer).is_empty()).count();
        let found = refunds(&shop, &order).await;
        assert!(done <= 3 && found.iter().map(|refund| refund.1).sum::<i64>() <= 3_000, "{found:?}");
        assert_eq!(found.iter().filter(|refund| refund.0 == "SUCCEEDED").count(), done, "{found:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let payment = shop.authorize(&order, "succeed").await;
    let capture = json!({ "paymentId": payment, "idempotencyKey": "capture" });
    let refund = json!({ "paymentId": payment, "amount": 500, "idempotencyKey": "refund" });
    for _ in 0..3 {
        assert_eq!(codes(&shop.operate("capturePayment", capture.clone()).await), [""; 0]);
    }
    for _ in 0..3 {
        assert_eq!(codes(&shop.operate("refundPayment", refund.clone()).await), [""; 0]);
    }
    let other = json!({ "paymentId": payment, "amount": 501, "idempotencyKey": "refund" });
    assert_eq!(codes(&shop.operate("refundPayment", other).await), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(refunds(&shop, &order).await, [("SUCCEEDED".to_owned(), 500)]);
    shop.close().await;
}

#[tokio::test]
async fn only_staff_move_money_and_refunds_are_seen_by_whose_they_are() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), ..Wanted::default() }).await;
    let staff = shop.signed_in(Role::Staff, "ann").await;
    let (ada, bob) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Customer, "bob").await);
    let mug = staff.product("MUG", 5).await;
    let order = ada.order(&[(&mug, 1)]).await;
    let payment = purchase(&ada, &order, "succeed").await;
    for (mutation, kind) in
        [("capturePayment", "CapturePayment"), ("voidPayment", "VoidPayment"), ("refundPayment", "RefundPayment")]
    {
        let query =
            format!("mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}");
        let input = json!({ "input": { "paymentId": payment } });
        assert_eq!(ada.code(&query, input.clone()).await, "FORBIDDEN", "{mutation}");
        assert_eq!(shop.code(&query, input).await, "UNAUTHENTICATED", "{mutation}");
    }
    let payload = staff.operate("refundPayment", json!({ "paymentId": payment })).await;
    let refund = payload["payment"]["refunds"][0]["id"].clone();
    let node = |client: Client| {
        let refund = refund.clone();
        async move { client.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": refund })).await["node"].take() }
    };
    assert_eq!(node(ada).await["id"], refund);
    assert_eq!(node(bob).await, Value::Null);
    assert_eq!(staff.refund("payment_00000000000000000000000001", None).await.codes, ["NOT_FOUND"]);
    shop.close().await;
}

#[tokio::test]
async fn beside_servers_of_the_release_before_nothing_is_written_that_they_cannot_read() {
    let shop = Shop::open_as(Wanted { compatible: true, ..Wanted::default() }).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "method": "AUTHORIZE" });
    assert_eq!(short(&shop.pay_with(input).await), paid("-", "UNPAID", &["INVALID_STATE"]));
    let payment = purchase(&shop, &order, "succeed").await;
    assert_eq!(state(&shop, &order).await[1], "PAID");
    assert_eq!(shop.refund(&payment, None).await.codes, ["INVALID_STATE"]);
    assert_eq!(refunds(&shop, &order).await, []);
    shop.close().await;
}

/// Nobody waits longer than for `payOrder`.
#[tokio::test]
async fn a_slow_gateway_is_not_waited_for() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let payment = purchase(&shop, &order, "succeed,refund:delay:1200").await;
    let answer = tokio::time::timeout(PATIENCE, shop.refund(&payment, None)).await.expect("an answer");
    assert_eq!(answer.codes, ["PAYMENT_IN_PROGRESS"]);
    eventually("it comes", async || state(&shop, &order).await[1] == "REFUNDED").await;
    shop.close().await;
}

/// An attempt that has the gateway's word and is slow to record it: recovery repeats the operation under its id meanwhile.
#[tokio::test]
async fn an_operation_that_two_carry_out_moves_money_and_units_once() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let payment = purchase(&shop, &order, "succeed").await;
    let item = shop.read_order(&order).await["items"][0]["id"].clone();
    let key = order.parse::<domain::id::OrderId>().expect("an id").0;
    let mut slow = faults::hold(Point::OperationAnswered, Some(key));
    let restock = json!([{ "orderItemId": item, "quantity": 1 }]);
    let input = json!({ "paymentId": payment, "amount": 1_000, "restock": restock });
    let (answer, ()) = tokio::join!(shop.operate("refundPayment", input), slow.reached());
    assert_eq!(codes(&answer), ["PAYMENT_IN_PROGRESS"]);
    assert_eq!(shop.stock(&mug).await, (5, 2, 3), "nothing comes back before the money is");
    eventually("recovery does it", async || state(&shop, &order).await[1] == "PARTIALLY_REFUNDED").await;
    slow.release();
    // It may take longer than its answer waits.
    shop.refund(&payment, Some(200)).await;
    let both = [("SUCCEEDED".to_owned(), 1_000), ("SUCCEEDED".to_owned(), 200)];
    eventually("both are done", async || refunds(&shop, &order).await == both).await;
    assert_eq!(shop.stock(&mug).await, (5, 1, 4));
    let journal = sandbox_operation::Entity::find().all(shop.database()).await.expect("the sandbox's journal");
    let mut amounts: Vec<_> = journal.iter().map(|row| row.amount).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [200, 1_000], "each once");
    shop.close().await;
}
