//! Every outcome of paying, and what recovery makes of those that stayed open.

use std::sync::Arc;
use std::time::Duration;

use domain::actor::Actor;
use domain::commands::DeferPayment;
use domain::id::OrderId;
use futures_util::future::join_all;
use onhand::config::PaymentTimeouts;
use serde_json::json;

use crate::support::{Shop, codes, eventually, paid, patient_times, short_times};

async fn ends_as(shop: &Shop, order: &str, payment: &str) {
    eventually(&format!("{order} becomes {payment}"), || async { shop.read_order(order).await["payment"] == payment })
        .await;
}

#[tokio::test]
async fn each_token_has_the_outcome_it_says() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 100).await;
    for (token, right) in [
        ("succeed", paid("SUCCEEDED", "PAID", &[])),
        ("twice", paid("SUCCEEDED", "PAID", &[])),
        ("delay:20", paid("SUCCEEDED", "PAID", &[])),
        ("decline", paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"])),
        ("delay:20:decline", paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"])),
        ("error", paid("DECLINED", "UNPAID", &["GATEWAY_ERROR"])),
        ("error:charged", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("error:declined", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("never", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("never:charged", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("never:lost", paid("IN_PROGRESS", "IN_PROGRESS", &[])),
        ("action", paid("REQUIRES_ACTION", "IN_PROGRESS", &[])),
    ] {
        let before = shop.stock(&mug).await;
        let order = shop.order(&[(&mug, 1)]).await;
        assert_eq!(shop.pay_sandbox(&order, token).await, right, "{token}");
        if right.order == "UNPAID" {
            assert_eq!(shop.stock(&mug).await, before, "{token}: a decline leaves nothing allocated");
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn recovery_learns_how_an_open_payment_ended() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 100).await;
    for (token, right) in [
        ("never:charged", "PAID"),
        ("never:declined", "UNPAID"),
        ("error:charged", "PAID"),
        ("error:declined", "UNPAID"),
        // The request never arrived: it is cancelled at the gateway before its units are released.
        ("never:lost", "UNPAID"),
        // Longer than a call of the gateway may take: the attempt gives up, recovery finds the charge.
        ("delay:1900", "PAID"),
        ("action:300", "PAID"),
    ] {
        let before = shop.stock(&mug).await;
        let order = shop.order(&[(&mug, 1)]).await;
        let answer = shop.pay_sandbox(&order, token).await;
        assert_eq!((answer.order.as_str(), answer.codes.len()), ("IN_PROGRESS", 0), "{token}");
        assert_eq!(shop.stock(&mug).await.1, before.1 + 1, "{token}: units stay while the outcome is open");
        ends_as(&shop, &order, right).await;
        let held = i64::from(right == "PAID");
        assert_eq!(shop.stock(&mug).await.1, before.1 + held, "{token}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_silent_gateway_keeps_the_units_until_it_confirms_that_it_cannot_charge() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 1).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let rival = shop.order(&[(&mug, 1)]).await;
    assert_eq!(shop.pay_sandbox(&order, "never").await, paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    assert_eq!(codes(&shop.cancel(&order).await), ["PAYMENT_IN_PROGRESS"]);
    assert_eq!(shop.pay(&rival).await.codes, ["INSUFFICIENT_STOCK"]);
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("IN_PROGRESS", "IN_PROGRESS", &["PAYMENT_IN_PROGRESS"]));
    // Long enough for several looks of recovery, none of which may release anything.
    let looks = "SELECT looks FROM payment WHERE looks >= 3";
    eventually("recovery has looked three times", || async {
        let statement = sea_orm::Statement::from_string(shop.database().get_database_backend(), looks);
        sea_orm::ConnectionTrait::query_one_raw(shop.database(), statement).await.expect("an answer").is_some()
    })
    .await;
    assert_eq!(shop.stock(&mug).await, (1, 1, 0));

    shop.advance(short_times().pay_give_up);
    ends_as(&shop, &order, "UNPAID").await;
    assert_eq!(shop.read_order(&order).await["payments"][0]["status"], "VOIDED");
    assert_eq!(shop.log(&mug).await, ["CREATE 1", "ALLOCATE 1", "DEALLOCATE 1"]);
    assert_eq!(shop.pay(&rival).await, paid("SUCCEEDED", "PAID", &[]));
    shop.close().await;
}

#[tokio::test]
async fn a_shopper_who_does_not_act_loses_the_units_at_the_deadline() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 1).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "action" });
    let payload = shop.pay_with(input).await;
    assert_eq!(payload["payment"]["action"]["kind"], "SANDBOX_CONFIRM");
    assert_eq!(shop.stock(&mug).await, (1, 1, 0));
    shop.advance(Duration::from_mins(15));
    ends_as(&shop, &order, "UNPAID").await;
    assert_eq!(shop.stock(&mug).await, (1, 0, 1));
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]), "payable again");
    shop.close().await;
}

#[tokio::test]
async fn nothing_is_charged_when_nothing_can_be_allocated() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 5).await, shop.product("CUP", 1).await);
    let order = shop.order(&[(&mug, 1), (&cup, 1)]).await;
    shop.adjust(&cup, "DECREMENT", 1).await;
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    assert_eq!(shop.log(&mug).await, ["CREATE 5"], "all items or none");
    shop.adjust(&cup, "INCREMENT", 1).await;
    shop.archive(&cup).await;
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("-", "UNPAID", &["PRODUCT_UNAVAILABLE"]));
    assert_eq!(
        shop.pay_with(json!({ "orderId": order, "gateway": "acme" })).await["userErrors"][0]["code"],
        "NOT_FOUND"
    );
    let charges =
        sea_orm::Statement::from_string(shop.database().get_database_backend(), "SELECT 1 FROM sandbox_charge");
    let found = sea_orm::ConnectionTrait::query_one_raw(shop.database(), charges).await.expect("an answer");
    assert!(found.is_none(), "the gateway heard of nothing");
    shop.close().await;
}

#[tokio::test]
async fn an_order_that_costs_nothing_asks_no_gateway() {
    let shop = Shop::open_with(short_times()).await;
    let input =
        json!({ "sku": "FREE", "name": "Free", "initialStock": 3, "price": { "amount": 0, "currency": "EUR" } });
    let free = shop.create_product(input).await["product"]["id"].as_str().expect("an id").to_owned();
    let order = shop.order(&[(&free, 2)]).await;
    assert_eq!(shop.pay_sandbox(&order, "never").await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.stock(&free).await, (3, 2, 1));
    shop.close().await;
}

#[tokio::test]
async fn paying_goes_on_when_the_caller_hangs_up() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let query = "mutation($id: ID!) { payOrder(input: { orderId: $id, gateway: \"sandbox\", token: \"delay:300\" }) { \
        order { payment } } }";
    let body = json!({ "query": query, "variables": { "id": order } });
    let sent =
        shop.client().post(format!("{}/graphql", shop.url)).json(&body).timeout(Duration::from_millis(100)).send();
    assert!(sent.await.is_err_and(|error| error.is_timeout()), "the caller is gone before the answer");
    ends_as(&shop, &order, "PAID").await;
    shop.close().await;
}

/// An answer near the deadline may come before or after the outcome, and says one or the other in all its parts.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_near_its_deadline_is_of_one_moment() {
    // Time for all of them to begin on a slow machine, and as much again until a request is over.
    let times = PaymentTimeouts { pay_answer: Duration::from_millis(2_500), ..patient_times() };
    let shop = Arc::new(Shop::open_with(times).await);
    let bag = shop.product("BAG", 500).await;
    let orders = join_all((0..60).map(|_| shop.order_of(&bag))).await;
    let (declined, charged) = (paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]), paid("SUCCEEDED", "PAID", &[]));
    for (first, ending, ended) in [
        (2_360, ":decline", &declined),
        (2_400, ":decline", &declined),
        (2_440, ":decline", &declined),
        (2_440, "", &charged),
    ] {
        let attempts = orders.iter().enumerate().map(|(place, order)| {
            let token = format!("delay:{}{ending}", first + place);
            let shop = Arc::clone(&shop);
            async move { shop.pay_sandbox(order, &token).await }
        });
        for answer in join_all(attempts).await {
            let is_right = [ended, &paid("IN_PROGRESS", "IN_PROGRESS", &[])].contains(&&answer);
            assert!(is_right, "delay:{first}{ending}: {answer:?}");
        }
        eventually("all are settled", async || {
            let unsettled = "{ orders(first: 1, filter: { payment: [IN_PROGRESS] }) { nodes { id } } }";
            shop.data(unsettled, json!({})).await["orders"]["nodes"] == json!([])
        })
        .await;
    }
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}

/// A gateway that refuses the request itself after the answer was due is told as such by whoever asks next.
#[tokio::test]
async fn a_payment_keeps_why_it_took_nothing() {
    let shop = Shop::open().await;
    let bag = shop.product("BAG", 5).await;
    for (token, code) in [("error", "GATEWAY_ERROR"), ("decline", "PAYMENT_DECLINED")] {
        let order = shop.order_of(&bag).await;
        let told = shop.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": token })).await;
        assert_eq!(codes(&told), [code]);
        let record = shop.app.store.order(order.parse().expect("an id")).await.expect("a database").expect("an order");
        let refusal = record.payments[0].refusal().expect("a refusal");
        assert_eq!((refusal.code.as_str(), json!(refusal.message)), (code, told["userErrors"][0]["message"].clone()));
    }
    shop.close().await;
}

/// Whoever was so slow that the lease ran out has nothing to put back.
#[tokio::test]
async fn a_payment_is_put_back_by_who_has_it() {
    let times = PaymentTimeouts { pay_retry: Duration::from_hours(1), ..patient_times() };
    let shop = Shop::open_with(times).await;
    let bag = shop.product("BAG", 5).await;
    let order: OrderId = shop.order_of(&bag).await.parse().expect("an id");
    // The gateway leaves it open at once: nobody waits for an answer when the shop closes.
    assert_eq!(shop.pay_sandbox(&order.to_string(), "error:declined").await, paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    let look = async || {
        let record = shop.app.store.order(order).await.expect("a database").expect("an order");
        record.payments.into_iter().next().expect("a payment")
    };
    let before = look().await;
    let until = before.recovery.leased_until + Duration::from_hours(5);
    for (lease, changes) in [(before.created_at, false), (before.recovery.leased_until, true)] {
        let defer = DeferPayment { payment: before.id, lease, until };
        shop.app.writer.submit(&Actor::System, defer).await.expect("an answer");
        assert_eq!(look().await.recovery.next_poll_at == until, changes);
    }
    shop.close().await;
}
