//! Unpaid orders expire where that is wanted, and only those that nobody pays.

use std::time::Duration;

use futures_util::future::join_all;
use onhand::writer::retention::{self, Lifetimes};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Shop, Socket, Wanted, codes, eventually, is_postgres, paid, patient_times};

const HOUR: Duration = Duration::from_hours(1);
const MONTH: Duration = Duration::from_hours(30 * 24);

/// One round of upkeep that cancels what was unpaid for an hour.
async fn round(shop: &Shop) {
    let lifetimes = Lifetimes { unpaid_order: Some(HOUR), ..Lifetimes::with_carts(MONTH) };
    round_with(shop, lifetimes).await;
}

async fn round_with(shop: &Shop, lifetimes: Lifetimes) {
    let by = (&shop.app.writer, &shop.app.store);
    retention::round(by, &shop.app.clock, &lifetimes, &CancellationToken::new()).await.expect("a round");
}

#[tokio::test]
async fn an_order_that_nobody_pays_is_cancelled_and_its_followers_are_told() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let mut socket = Socket::open(&shop).await;
    let follow =
        "subscription($id: ID!) { orderChanged(id: $id) { status payment cancelReason items { cancelledQuantity } } }";
    socket.subscribe("order", follow, json!({ "id": order })).await;
    assert_eq!(socket.data("order").await["orderChanged"]["status"], "INCOMPLETE");
    round(&shop).await;
    assert_eq!(shop.read_order(&order).await["status"], "INCOMPLETE", "its hour is not over");
    shop.advance(HOUR + Duration::from_secs(1));
    round_with(&shop, Lifetimes::with_carts(MONTH)).await;
    assert_eq!(shop.read_order(&order).await["status"], "INCOMPLETE", "off unless it is wanted");
    let late = shop.order(&[(&mug, 1)]).await;
    round(&shop).await;
    let told = socket.data("order").await["orderChanged"].take();
    let items = json!([{ "cancelledQuantity": 2 }]);
    assert_eq!(told, json!({ "status": "CANCELLED", "payment": "UNPAID", "cancelReason": "EXPIRED", "items": items }));
    assert_eq!(shop.read_order(&late).await["status"], "INCOMPLETE");
    assert_eq!(shop.log(&mug).await, ["CREATE 10"], "no stock moved");
    assert_eq!(codes(&shop.pay_with(json!({ "orderId": order })).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&order).await), ["INVALID_STATE"]);
    shop.close().await;
}

/// A payment that is in progress keeps the order, however long; one that failed gives the shopper the whole time again.
#[tokio::test]
async fn an_order_that_somebody_pays_does_not_expire() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let (trying, open, done) = (shop.order_of(&mug).await, shop.order_of(&mug).await, shop.order_of(&mug).await);
    shop.advance(Duration::from_mins(59));
    assert_eq!(shop.pay_sandbox(&trying, "decline").await.payment, "DECLINED");
    assert_eq!(shop.pay(&done).await, paid("SUCCEEDED", "PAID", &[]));
    let pay = json!({ "orderId": open, "gateway": "sandbox", "token": "action" });
    assert_eq!(shop.pay_with(pay).await["payment"]["status"], "REQUIRES_ACTION");
    shop.advance(Duration::from_mins(2));
    round(&shop).await;
    for (order, status, payment) in
        [(&trying, "INCOMPLETE", "UNPAID"), (&open, "INCOMPLETE", "IN_PROGRESS"), (&done, "COMPLETE", "PAID")]
    {
        let order = shop.read_order(order).await;
        assert_eq!((&order["status"], &order["payment"]), (&json!(status), &json!(payment)));
    }
    shop.advance(HOUR);
    round(&shop).await;
    assert_eq!(shop.read_order(&trying).await["cancelReason"], "EXPIRED", "its second hour is over");
    assert_eq!(shop.read_order(&done).await["status"], "COMPLETE");
    shop.advance(patient_times().pay_lease);
    eventually("the shopper's time is over", async || shop.read_order(&open).await["payment"] == "UNPAID").await;
    round(&shop).await;
    assert_eq!(shop.read_order(&open).await["status"], "INCOMPLETE", "and the order has its hour again");
    shop.close().await;
}

/// More orders than one command takes, paid while all replicas expire them: each is paid or expired, and told so.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_or_expires_and_never_both() {
    const ORDERS: usize = 130;
    let shop = Shop::open().await;
    let other = if is_postgres() { Some(shop.replica(Wanted::default()).await) } else { None };
    let mug = shop.product("MUG", 1_000).await;
    let mut orders = Vec::new();
    for _ in 0..ORDERS {
        orders.push(shop.order_of(&mug).await);
    }
    shop.advance(2 * HOUR);
    if let Some(other) = &other {
        other.advance(2 * HOUR);
    }
    let payments = join_all(orders.iter().step_by(2).map(async |order| (order, shop.pay(order).await)));
    let expire = async {
        tokio::join!(round(&shop), round(&shop), round(other.as_ref().unwrap_or(&shop)));
    };
    let (payments, ()) = tokio::join!(payments, expire);
    let (mut won, mut lost) = (0, 0);
    for (order, answer) in payments {
        let order = shop.read_order(order).await;
        if answer == paid("SUCCEEDED", "PAID", &[]) {
            assert_eq!((&order["status"], &order["payment"]), (&json!("COMPLETE"), &json!("PAID")));
            won += 1;
        } else {
            assert_eq!(answer.codes, ["INVALID_STATE"]);
            assert_eq!((&order["status"], &order["cancelReason"]), (&json!("CANCELLED"), &json!("EXPIRED")));
            lost += 1;
        }
    }
    assert_eq!(won + lost, ORDERS.div_ceil(2));
    for order in orders.iter().skip(1).step_by(2) {
        assert_eq!(shop.read_order(order).await["cancelReason"], "EXPIRED");
    }
    assert_eq!(shop.stock(&mug).await.1, i64::try_from(won).expect("few"), "units of those who paid");
    if let Some(other) = other {
        other.close().await;
    }
    shop.close().await;
}
