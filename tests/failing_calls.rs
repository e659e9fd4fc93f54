//! Every call of the database fails once, for every step of a check-out, a payment, a capture, a refund and a shipment, whole or in
//! part: before it was carried out, and after. Whoever sends the request again under its key gets what was asked for, once.

use std::time::Duration;

use onhand::config::PaymentTimeouts;
use onhand::faults::{When, fail_call};
use serde_json::{Value, json};

use crate::support::{Shop, eventually, patient_times};

/// More calls than any of these mutations makes.
const MAX_CALLS: u32 = 100;

/// Recovery soon repeats what nobody has in hand.
const TIMES: PaymentTimeouts = PaymentTimeouts { pay_lease: Duration::from_secs(3), ..patient_times() };

/// Sends a mutation while its `nth` call fails. Returns whether one did, and the key to send it again with.
async fn send_failing(shop: &Shop, nth: u32, when: When, mutation: &Mutation, mut input: Value) -> (bool, Value) {
    input["idempotencyKey"] = format!("{}-{nth}-{when:?}", mutation.name).into();
    let plan = fail_call(nth, when);
    let answer = shop.ask(&mutation.query(), json!({ "input": input })).await;
    let has_failed = plan.has_failed();
    drop(plan);
    let mut codes = answer["data"][mutation.name]["userErrors"].as_array().cloned().unwrap_or_default();
    // What could not be recorded is under way: recovery repeats it.
    codes.retain(|error| error["code"] != "PAYMENT_IN_PROGRESS" || mutation.name == PAY.name);
    assert_eq!(codes, Vec::<Value>::new(), "call {nth} failed {when:?}, and that is nobody's fault: {answer}");
    (has_failed, input)
}

struct Mutation {
    name: &'static str,
    input: &'static str,
    selection: &'static str,
}

const CHECK_OUT: Mutation = Mutation {
    name: "checkOut",
    input: "CheckOutInput!",
    selection: "order { id payment shipping payments { status } }",
};
const PAY: Mutation = Mutation {
    name: "payOrder",
    input: "PayOrderInput!",
    selection: "order { id payment shipping payments { status } }",
};
const CAPTURE: Mutation = Mutation {
    name: "capturePayment",
    input: "CapturePaymentInput!",
    selection: "order { id payment shipping payments { status } }",
};
const REFUND: Mutation = Mutation {
    name: "refundPayment",
    input: "RefundPaymentInput!",
    selection: "order { id payment shipping payments { status } }",
};
const SHIP: Mutation = Mutation {
    name: "shipOrder",
    input: "ShipOrderInput!",
    selection: "order { id payment shipping payments { status } }",
};

impl Mutation {
    fn query(&self) -> String {
        let Self { name, input, selection } = self;
        format!("mutation($input: {input}) {{ {name}(input: $input) {{ {selection} userErrors {{ code message }} }} }}")
    }

    /// Sends it until it is done; the order.
    async fn done(&self, shop: &Shop, input: &Value) -> Value {
        let mut order = Value::Null;
        let query = self.query();
        let ask = async || shop.ask(&query, json!({ "input": input })).await["data"][self.name]["order"].take();
        eventually("the request under its key is done", || async { !ask().await.is_null() }).await;
        order.clone_from(&ask().await);
        order
    }
}

/// Fails one call after the other until the mutation makes no more of them; the order of each time.
async fn each_call(shop: &Shop, mutation: &Mutation, prepare: impl AsyncFn() -> Value) -> Vec<Value> {
    let mut orders = Vec::new();
    for when in [When::Before, When::After] {
        for nth in 1..=MAX_CALLS {
            assert!(nth < MAX_CALLS, "{} makes more calls than is planned for", mutation.name);
            let (has_failed, input) = send_failing(shop, nth, when, mutation, prepare().await).await;
            orders.push(mutation.done(shop, &input).await);
            if !has_failed {
                break;
            }
        }
    }
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_out_is_done_once_whichever_call_fails() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || json!({ "cartId": shop.cart(&[(&mug, 1)]).await });
    let orders = each_call(&shop, &CHECK_OUT, prepare).await;
    assert!(orders.iter().all(|order| order["payment"] == "UNPAID"), "{orders:?}");
    let report = shop.close().await;
    assert_eq!(report.orders, orders.len() as u64, "each became one order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_made_once_whichever_call_fails() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || json!({ "orderId": shop.order_of(&mug).await, "gateway": "sandbox" });
    let orders = each_call(&shop, &PAY, prepare).await;
    for order in &orders {
        let id = order["id"].as_str().expect("an id");
        // Where its answer was lost with the connection, recovery settles it.
        eventually("the payment is settled", || async { shop.read_order(id).await["payment"] == "PAID" }).await;
        let payments = shop.read_order(id).await["payments"].take();
        assert_eq!(payments.as_array().map(Vec::len), Some(1), "{payments}");
    }
    let count = i64::try_from(orders.len()).expect("a count");
    assert_eq!(shop.stock(&mug).await, (1_000, count, 1_000 - count));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_shipped_once_whichever_call_fails() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || {
        let order = shop.order_of(&mug).await;
        shop.pay(&order).await;
        json!({ "orderId": order })
    };
    let orders = each_call(&shop, &SHIP, prepare).await;
    assert!(orders.iter().all(|order| order["shipping"] == "FULFILLED"), "{orders:?}");
    let left = 1_000 - i64::try_from(orders.len()).expect("a count");
    assert_eq!(shop.stock(&mug).await, (left, 0, left));
    shop.close().await;
}

/// Pays an order of a shop, whose units are one, through the sandbox; the payment.
async fn pay_for(shop: &Shop, order: &str, method: &str) -> String {
    let input = json!({ "orderId": order, "gateway": "sandbox", "method": method });
    let paid = shop.pay_with(input).await;
    paid["payment"]["id"].as_str().expect("a payment").to_owned()
}

async fn refunded(shop: &Shop, order: &str) -> Value {
    let query = "query($id: ID!) { order(id: $id) { payment payments { refunded { amount } refunds { status } } } }";
    shop.data(query, json!({ "id": order })).await["order"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_captured_once_whichever_call_fails() {
    let shop = Shop::open_with(TIMES).await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || {
        let order = shop.order_of(&mug).await;
        json!({ "paymentId": pay_for(&shop, &order, "AUTHORIZE").await })
    };
    let orders = each_call(&shop, &CAPTURE, prepare).await;
    for order in &orders {
        let id = order["id"].as_str().expect("an id");
        // Where its outcome could not be recorded, recovery repeats the capture under its id.
        eventually("the payment is captured", || async { shop.read_order(id).await["payment"] == "PAID" }).await;
    }
    let count = i64::try_from(orders.len()).expect("a count");
    assert_eq!(shop.stock(&mug).await, (1_000, count, 1_000 - count));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_made_and_restocks_once_whichever_call_fails() {
    let shop = Shop::open_with(TIMES).await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || {
        let order = shop.order(&[(&mug, 2)]).await;
        let payment = pay_for(&shop, &order, "PURCHASE").await;
        let item = shop.read_order(&order).await["items"][0]["id"].clone();
        json!({ "paymentId": payment, "amount": 1, "restock": [{ "orderItemId": item, "quantity": 1 }] })
    };
    let orders = each_call(&shop, &REFUND, prepare).await;
    let once = json!([{ "refunded": { "amount": 1 }, "refunds": [{ "status": "SUCCEEDED" }] }]);
    for order in &orders {
        let id = order["id"].as_str().expect("an id");
        eventually("it is refunded once", || async { refunded(&shop, id).await["payments"] == once }).await;
    }
    let count = i64::try_from(orders.len()).expect("a count");
    assert_eq!(shop.stock(&mug).await, (1_000, count, 1_000 - count), "one of two units came back of each");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_shipped_once_whichever_call_fails() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1_000).await;
    let prepare = async || {
        let order = shop.order(&[(&mug, 2)]).await;
        shop.pay(&order).await;
        let item = shop.read_order(&order).await["items"][0]["id"].clone();
        json!({ "orderId": order, "items": [{ "orderItemId": item, "quantity": 1 }] })
    };
    let orders = each_call(&shop, &SHIP, prepare).await;
    assert!(orders.iter().all(|order| order["shipping"] == "PARTIALLY_FULFILLED"), "{orders:?}");
    let count = i64::try_from(orders.len()).expect("a count");
    assert_eq!(shop.stock(&mug).await, (1_000 - count, count, 1_000 - 2 * count));
    shop.close().await;
}
