//! Events of stock for webhooks: derived from the log, merged by product, always the newest numbers, and none piles up.

use entity::webhook_delivery;
use futures_util::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{Answer, Receiver, Shop, eventually};

fn data<'a>(body: &'a Value, field: &str) -> &'a Value {
    &body["data"][field]
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_is_told_merged_and_ends_with_the_newest_numbers() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let mug = shop.product("MUG", 100).await;
    shop.webhook(&receiver.url, &["STOCK_CHANGED"]).await;
    join_all((0..60).map(|_| shop.adjust(&mug, "INCREMENT", 1))).await;
    let newest = || receiver.accepted().last().map(|it| data(&it.body, "available").clone());
    eventually("the newest numbers", async || newest() == Some(json!(160))).await;
    let accepted = receiver.accepted();
    let last = &accepted[accepted.len() - 1].body;
    assert_eq!(last["type"], "stock.changed");
    assert_eq!(
        (data(last, "total"), data(last, "allocated"), data(last, "sequence")),
        (&json!(160), &json!(0), &json!(61))
    );
    assert_eq!(last["data"]["product"], json!({ "id": mug, "sku": "MUG", "name": "Product MUG" }));
    let sequences: Vec<i64> = accepted.iter().filter_map(|it| data(&it.body, "sequence").as_i64()).collect();
    assert!(sequences.is_sorted_by(|one, next| one < next), "in order, none twice: {sequences:?}");
    assert!(sequences[0] > 1, "what was before it was registered is not told: {sequences:?}");
    assert!(accepted.len() < 60, "never one per movement: {}", accepted.len());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_is_told_once_per_crossing() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    shop.webhook(&receiver.url, &["AVAILABILITY_CHANGED"]).await;
    let created = shop
        .create_product(json!({ "sku": "MUG", "name": "Mug", "price": { "amount": 1, "currency": "EUR" },
            "initialStock": 10, "lowStockThreshold": 3 }))
        .await;
    let mug = created["product"]["id"].as_str().expect("an id").to_owned();
    let mut told = 0;
    for (action, quantity, from, to) in [
        ("", 0, "UNTRACKED", "IN_STOCK"),
        ("DECREMENT", 8, "IN_STOCK", "LOW_STOCK"),
        ("DECREMENT", 2, "LOW_STOCK", "OUT_OF_STOCK"),
        ("INCREMENT", 50, "OUT_OF_STOCK", "IN_STOCK"),
    ] {
        if !action.is_empty() {
            shop.adjust(&mug, action, quantity).await;
        }
        told += 1;
        let accepted = receiver.accepts(told).await;
        let body = &accepted[told - 1].body;
        assert_eq!((data(body, "from"), data(body, "to")), (&json!(from), &json!(to)), "{body}");
        assert_eq!(body["data"]["product"]["sku"], "MUG");
    }
    // Movements that cross nothing are not told; the next crossing shows that they were looked at.
    shop.adjust(&mug, "DECREMENT", 5).await;
    shop.adjust(&mug, "SET", 0).await;
    let accepted = receiver.accepts(told + 1).await;
    let body = &accepted[told].body;
    assert_eq!((data(body, "from"), data(body, "to")), (&json!("IN_STOCK"), &json!("OUT_OF_STOCK")));
    assert_eq!(accepted.len(), told + 1);
    shop.close().await;
}

/// While a receiver accepts nothing the log waits: no row per sale, and the newest numbers when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_piles_up_while_a_receiver_is_down() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let mug = shop.product("MUG", 1_000).await;
    let others: Vec<String> = join_all((0..30).map(|at| async_product(&shop, at))).await;
    receiver.answers(|_| Answer::Status(500));
    let (hook, _) = shop.webhook(&receiver.url, &["STOCK_CHANGED", "AVAILABILITY_CHANGED"]).await;
    shop.adjust(&mug, "DECREMENT", 1).await;
    receiver.receives(2).await;
    join_all(others.iter().map(|product| shop.adjust(product, "DECREMENT", 1))).await;
    for _ in 0..40 {
        shop.adjust(&mug, "DECREMENT", 1).await;
    }
    receiver.receives(8).await;
    let rows = webhook_delivery::Entity::find().count(shop.database()).await.expect("a count");
    assert!(rows <= 33, "one per product, and one more of what was sent in vain: {rows}");
    for _ in 0..40 {
        shop.adjust(&mug, "DECREMENT", 1).await;
    }
    receiver.answers(|_| Answer::Status(200));
    shop.update_webhook(json!({ "id": hook, "enabled": true })).await;
    let of_mug = || {
        let accepted = receiver.accepted().into_iter().filter(|it| it.body["data"]["product"]["id"] == json!(mug));
        accepted.filter_map(|it| data(&it.body, "available").as_i64()).collect::<Vec<_>>()
    };
    eventually("the newest numbers", async || of_mug().last() == Some(&919)).await;
    assert!(of_mug().len() <= 5, "81 sales are few deliveries: {:?}", of_mug());
    eventually("every product is told", async || {
        let accepted = receiver.accepted();
        others.iter().all(|id| accepted.iter().any(|it| it.body["data"]["product"]["id"] == json!(id)))
    })
    .await;
    shop.close().await;
}

async fn async_product(shop: &Shop, at: usize) -> String {
    shop.product(&format!("P{at}"), 10).await
}

/// A product that the receiver never accepts does not hold up the others.
#[tokio::test(flavor = "multi_thread")]
async fn one_product_that_is_never_accepted_holds_up_no_other() {
    let (shop, receiver) = (Shop::open_with_webhooks().await, Receiver::open().await);
    let (bad, good) = (shop.product("BAD", 100).await, shop.product("GOOD", 100).await);
    let refused = bad.clone();
    receiver
        .answers(move |it| Answer::Status(if it.body["data"]["product"]["id"] == json!(refused) { 422 } else { 200 }));
    let (hook, _) = shop.webhook(&receiver.url, &["STOCK_CHANGED"]).await;
    for round in 1..=5 {
        shop.adjust(&bad, "DECREMENT", 1).await;
        shop.adjust(&good, "DECREMENT", 1).await;
        let available = json!(100 - round);
        let is_told = || receiver.accepted().iter().any(|it| *data(&it.body, "available") == available);
        eventually("the other is told", async || is_told()).await;
    }
    let of_bad = shop.deliveries(&hook).await.into_iter().filter(|it| it["body"].to_string().contains(&bad));
    let of_bad: Vec<Value> = of_bad.filter(|it| it["status"] == "PENDING").collect();
    assert!((1..=2).contains(&of_bad.len()), "what waits is merged: {of_bad:?}");
    receiver.answers(|_| Answer::Status(200));
    shop.update_webhook(json!({ "id": hook, "enabled": true })).await;
    eventually("its newest numbers", async || {
        let accepted = receiver.accepted();
        let of_bad = accepted.iter().rev().find(|it| it.body["data"]["product"]["id"] == json!(bad));
        of_bad.is_some_and(|it| *data(&it.body, "available") == json!(95))
    })
    .await;
    shop.close().await;
}
