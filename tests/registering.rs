//! Subscribers register before they read: a change while they read reaches them, whoever made it. Each test holds a
//! subscription up just there.

use std::time::Instant;

use onhand::faults::{Hold, Point, hold};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, Socket, Wanted, eventually, is_postgres, paid};

const STOCK: &str = "subscription($id: ID!) { stockChanged(productIds: [$id]) { total version } }";
const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { payment } }";
const LOG: &str = "subscription { stockTransactionAdded { node { sequence } } }";

/// The shop itself, and on PostgreSQL another replica: who changes something while the shop's subscriber is held.
async fn shops() -> (Shop, Option<Shop>) {
    let shop = Shop::open().await;
    let other = if is_postgres() { Some(shop.replica(Wanted::default()).await) } else { None };
    (shop, other)
}

async fn close(shop: Shop, other: Option<Shop>) {
    shop.close().await;
    if let Some(other) = other {
        other.close().await;
    }
}

async fn reached(held: &mut Hold) {
    timeout(PATIENCE, held.reached()).await.expect("it comes there");
}

/// Waits until the shop's feed has told what other replicas had committed by now.
async fn is_told(shop: &Shop) {
    if is_postgres() {
        for _ in 0..2 {
            let now = Instant::now();
            eventually("the feed polls", async || shop.app.feed_age.age().is_some_and(|age| age < now.elapsed())).await;
        }
    }
}

async fn stock(badge: &mut Socket, id: &str) -> Value {
    badge.data(id).await["stockChanged"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_changes_while_it_is_read_is_told() {
    let (shop, other) = shops().await;
    let mut badge = Socket::open(&shop).await;
    for (place, by) in [&shop, other.as_ref().unwrap_or(&shop)].into_iter().enumerate() {
        let (id, mug) = (format!("badge{place}"), shop.product(&format!("MUG{place}"), 1).await);
        let mut held = hold(Point::StockRead, None);
        badge.subscribe(&id, STOCK, json!({ "id": mug })).await;
        reached(&mut held).await;
        by.adjust(&mug, "INCREMENT", 1).await;
        is_told(&shop).await;
        held.release();
        assert_eq!(stock(&mut badge, &id).await, json!({ "total": 1, "version": 1 }), "as it was read");
        assert_eq!(stock(&mut badge, &id).await, json!({ "total": 2, "version": 2 }), "and what came meanwhile");
        let mut held = hold(Point::StockRegistered, None);
        badge.subscribe("later", STOCK, json!({ "id": mug })).await;
        reached(&mut held).await;
        by.adjust(&mug, "INCREMENT", 1).await;
        is_told(&shop).await;
        assert_eq!(stock(&mut badge, &id).await["version"], 3);
        held.release();
        assert_eq!(stock(&mut badge, "later").await["version"], 3, "what was read is the newest");
        badge.send(&json!({ "type": "complete", "id": id })).await;
        by.adjust(&mug, "INCREMENT", 1).await;
        let mut told = badge.next().await;
        if told["id"] == json!(id) {
            // It was on its way before the operation was completed.
            told = badge.next().await;
        }
        assert_eq!(told["payload"]["data"]["stockChanged"]["version"], 4, "and is not told again: {told}");
        badge.send(&json!({ "type": "complete", "id": "later" })).await;
    }
    close(shop, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_changes_while_it_is_read_is_told() {
    let (shop, other) = shops().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    for (place, by) in [&shop, other.as_ref().unwrap_or(&shop)].into_iter().enumerate() {
        let (id, order) = (format!("order{place}"), shop.order_of(&mug).await);
        let key = order.parse::<domain::id::OrderId>().expect("an id").0;
        let mut held = hold(Point::OrderRead, Some(key));
        socket.subscribe(&id, ORDER, json!({ "id": order })).await;
        reached(&mut held).await;
        assert_eq!(by.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
        is_told(&shop).await;
        held.release();
        assert_eq!(socket.data(&id).await["orderChanged"]["payment"], "UNPAID", "as it was read");
        assert_eq!(socket.data(&id).await["orderChanged"]["payment"], "PAID", "and what came meanwhile");
    }
    close(shop, other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_added_while_the_log_is_read_are_told() {
    let (shop, other) = shops().await;
    let mug = shop.product("MUG", 0).await;
    for by in [&shop, other.as_ref().unwrap_or(&shop)] {
        let newest = i64::try_from(shop.log(&mug).await.len()).expect("few");
        let mut held = hold(Point::LogRead, None);
        let mut log = Socket::open(&shop).await;
        log.subscribe("log", LOG, json!({})).await;
        reached(&mut held).await;
        by.adjust(&mug, "INCREMENT", 1).await;
        is_told(&shop).await;
        held.release();
        let told = log.data("log").await["stockTransactionAdded"]["node"]["sequence"].clone();
        assert_eq!(told, newest + 1, "it came after the read, which found nothing");
        // It has read on, and is woken by the next.
        by.adjust(&mug, "INCREMENT", 1).await;
        assert_eq!(log.data("log").await["stockTransactionAdded"]["node"]["sequence"], newest + 2);
    }
    close(shop, other).await;
}

/// The feed has read of a change and not told it: who subscribes now reads it, and hears of it once.
#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_between_a_poll_and_its_news_misses_nothing() {
    let (shop, Some(other)) = shops().await else { return };
    let (mug, cup) = (shop.product("MUG", 1).await, shop.product("CUP", 1).await);
    let order = shop.order_of(&mug).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("early", STOCK, json!({ "id": mug })).await;
    assert_eq!(stock(&mut badge, "early").await["version"], 1);
    // What was made until now is told: the feeds read the newest state of whatever they tell of.
    is_told(&shop).await;
    // The feeds of both replicas are held, and read of the change when they go on.
    let mut feeds = [hold(Point::FeedRead, None), hold(Point::FeedRead, None)];
    for feed in &mut feeds {
        reached(feed).await;
    }
    assert_eq!(version_after(&other, &mug).await, 2);
    assert_eq!(other.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let mut told = [hold(Point::FeedRead, None), hold(Point::FeedRead, None)];
    feeds.into_iter().for_each(Hold::release);
    for feed in &mut told {
        reached(feed).await;
    }
    badge.subscribe("late", STOCK, json!({ "id": mug })).await;
    assert_eq!(stock(&mut badge, "late").await["version"], 3, "it is committed");
    badge.subscribe("order", ORDER, json!({ "id": order })).await;
    assert_eq!(badge.data("order").await["orderChanged"]["payment"], "PAID");
    told.into_iter().for_each(Hold::release);
    assert_eq!(stock(&mut badge, "early").await, json!({ "total": 2, "version": 3 }));
    // Nothing comes twice: the next message of each is of the next change.
    is_told(&shop).await;
    assert_eq!(version_after(&other, &mug).await, 4);
    for _ in 0..2 {
        let told = badge.next().await;
        assert_eq!(told["payload"]["data"]["stockChanged"]["version"], 4, "{told}");
    }
    assert_eq!(shop.stock(&cup).await, (1, 0, 1));
    close(shop, Some(other)).await;
}

async fn version_after(shop: &Shop, product: &str) -> Value {
    shop.adjust(product, "INCREMENT", 1).await["stocks"][0]["version"].take()
}
