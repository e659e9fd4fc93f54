//! Subscriptions over a real websocket: the present state first, then only newer ones, always the last one.

use std::time::Duration;

use domain::stock::PublicStock;
use onhand::config::Role;
use serde_json::json;

use crate::support::{Shop, Socket, eventually, short_times};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { product { sku } total available allocated \
    availability version } }";
const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { status payment shipping } }";
const LOG: &str = "subscription($filter: StockTransactionFilter, $after: String) { stockTransactionAdded(filter: $filter, \
    after: $after) { cursor node { action quantity sequence product { sku } } } }";

#[tokio::test]
async fn a_badge_shows_a_whole_order() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    let mut seen = vec![socket.data("badge").await["stockChanged"].clone()];

    let order = shop.order(&[(&mug, 4)]).await;
    assert!(socket.is_silent_for(Duration::from_millis(100)).await, "cart and check-out move nothing");
    shop.pay(&order).await;
    seen.push(socket.data("badge").await["stockChanged"].clone());
    shop.ship(&order).await;
    seen.push(socket.data("badge").await["stockChanged"].clone());

    let numbers: Vec<_> = seen.iter().map(|s| json!([s["total"], s["allocated"], s["available"]])).collect();
    assert_eq!(numbers, [json!([10, 0, 10]), json!([10, 4, 6]), json!([6, 0, 6])]);
    let versions: Vec<_> = seen.iter().filter_map(|s| s["version"].as_i64()).collect();
    assert_eq!(versions, [1, 2, 3]);

    socket.send(&json!({ "type": "complete", "id": "badge" })).await;
    eventually("nobody watches any more", || async { shop.app.hub.watched() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn many_products_one_subscription() {
    let shop = Shop::open().await;
    let (a, b) = (shop.product("A", 1).await, shop.product("B", 2).await);
    let unmanaged =
        json!({ "sku": "C", "name": "C", "manageStock": false, "price": { "amount": 1, "currency": "EUR" } });
    let c = shop.create_product(unmanaged).await["product"]["id"].as_str().expect("an id").to_owned();
    let unknown = "product_7zzzzzzzzzzzzzzzzzzzzzzzzz";
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("all", STOCK, json!({ "ids": [b, unknown, a, b, c] })).await;
    for (sku, availability) in [("B", "IN_STOCK"), ("A", "IN_STOCK"), ("C", "UNTRACKED")] {
        let stock = socket.data("all").await["stockChanged"].clone();
        assert_eq!((&stock["product"]["sku"], &stock["availability"]), (&json!(sku), &json!(availability)));
    }
    shop.adjust(&a, "DECREMENT", 1).await;
    assert_eq!(socket.data("all").await["stockChanged"]["availability"], "OUT_OF_STOCK");
    shop.update_product(json!({ "id": b, "manageStock": false })).await;
    assert_eq!(socket.data("all").await["stockChanged"]["availability"], "UNTRACKED");
    shop.update_product(json!({ "id": c, "manageStock": true })).await;
    let stock = socket.data("all").await["stockChanged"].clone();
    assert_eq!((&stock["product"]["sku"], &stock["availability"]), (&json!("C"), &json!("OUT_OF_STOCK")));
    shop.update_product(json!({ "id": a, "lowStockThreshold": 5 })).await;
    assert_eq!(socket.data("all").await["stockChanged"]["version"], 3, "a threshold is a change, too");
    shop.update_product(json!({ "id": a, "name": "Another name" })).await;
    assert!(socket.is_silent_for(Duration::from_millis(100)).await, "a name is none");
    shop.close().await;
}

/// A product that cannot be bought any more is news to a badge, also to one that sees capped counts.
#[tokio::test]
async fn archiving_and_restoring_are_pushed() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 10).await;
    let query =
        "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { version available product { status } } }";
    let (mut exact, mut capped) = (Socket::open(&staff).await, Socket::open(&shop).await);
    for socket in [&mut exact, &mut capped] {
        socket.subscribe("badge", query, json!({ "ids": [mug] })).await;
    }
    let log = staff.log(&mug).await;
    for (version, status) in [(1, "ACTIVE"), (2, "ARCHIVED"), (3, "ACTIVE")] {
        match (version, status) {
            (1, _) => {}
            (_, "ARCHIVED") => drop(staff.archive(&mug).await),
            _ => drop(staff.restore(&mug).await),
        }
        for (socket, available) in [(&mut exact, 10), (&mut capped, 5)] {
            let told = json!({ "version": version, "available": available, "product": { "status": status } });
            assert_eq!(socket.data("badge").await["stockChanged"], told);
        }
    }
    staff.restore(&mug).await;
    for socket in [&mut exact, &mut capped] {
        assert!(socket.is_silent_for(Duration::from_millis(100)).await, "what is so already is no change");
    }
    assert_eq!(staff.log(&mug).await, log, "no unit moved");
    shop.close().await;
}

/// C60: a client that sleeps loses what lies between, never the last value, and its stream lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_sleeps_through_five_thousand_changes_gets_the_last_one() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("badge").await["stockChanged"]["version"], 1);
    let changes = (0..50).map(|_| async {
        for _ in 0..100 {
            shop.adjust(&mug, "INCREMENT", 1).await;
        }
    });
    futures_util::future::join_all(changes).await;
    let (mut version, mut received) = (1, 0);
    while version < 5_001 {
        let stock = socket.data("badge").await["stockChanged"].clone();
        let newer = stock["version"].as_i64().expect("a version");
        assert!(newer > version, "{newer} came after {version}");
        assert_eq!(stock["total"], newer - 1, "the numbers are those of the version");
        (version, received) = (newer, received + 1);
    }
    assert!(received <= 5_000, "{received}");
    shop.adjust(&mug, "DECREMENT", 5_000).await;
    assert_eq!(socket.data("badge").await["stockChanged"]["total"], 0, "the stream lives on");
    shop.close().await;
}

/// What many subscribers show of a product or an order is read for all of them together, and never older than the change
/// that they are told of.
#[tokio::test(flavor = "multi_thread")]
async fn many_that_show_the_same_all_show_it_as_it_was_with_the_change_or_later() {
    const NAMES: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { version product { name \
                         lowStockThreshold } } }";
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let mut sockets = Vec::new();
    for _ in 0..6 {
        let mut socket = Socket::open(&shop).await;
        for id in 0..20 {
            socket.subscribe(&id.to_string(), NAMES, json!({ "ids": [mug] })).await;
        }
        socket.subscribe("order", ORDER, json!({ "id": order })).await;
        let mut present = std::collections::HashSet::new();
        while present.len() < 21 {
            present.insert(socket.next().await["id"].as_str().expect("an id").to_owned());
        }
        sockets.push(socket);
    }
    for threshold in 1..=5 {
        // The name and the version change in one transaction.
        let name = format!("Name {threshold}");
        shop.update_product(json!({ "id": mug, "name": name, "lowStockThreshold": threshold })).await;
        for socket in &mut sockets {
            for _ in 0..20 {
                let stock = socket.next().await["payload"]["data"]["stockChanged"].take();
                assert_eq!(stock["version"], threshold + 1, "{stock}");
                assert_eq!(stock["product"]["name"], name, "{stock}");
                assert_eq!(stock["product"]["lowStockThreshold"], threshold, "{stock}");
            }
        }
    }
    for socket in &mut sockets {
        socket.send(&json!({ "type": "complete", "id": "0" })).await;
    }
    shop.pay(&order).await;
    for socket in &mut sockets {
        let mut is_paid = false;
        while !is_paid {
            let message = socket.next().await;
            is_paid = message["payload"]["data"]["orderChanged"]["payment"] == "PAID";
        }
    }
    shop.close().await;
}

/// C50: subscribing alone is enough. Whatever happens while a client subscribes is in the first value or follows it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_between_snapshot_and_change() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await;
    for round in 1..=30_i64 {
        let mut socket = Socket::open(&shop).await;
        let change = shop.adjust(&mug, "INCREMENT", 1);
        let watch = async {
            socket.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
            let mut last = 0;
            while last < round {
                let total = socket.data("badge").await["stockChanged"]["total"].as_i64().expect("a total");
                assert!(total > last || (last == 0 && total == 0), "{total} after {last}");
                last = total;
            }
            last
        };
        assert_eq!(tokio::join!(change, watch).1, round);
    }
    shop.close().await;
}

#[tokio::test]
async fn an_order_is_followed_to_its_end() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("order", ORDER, json!({ "id": order })).await;
    assert_eq!(socket.data("order").await["orderChanged"]["payment"], "UNPAID");
    shop.pay_sandbox(&order, "never").await;
    assert_eq!(socket.data("order").await["orderChanged"]["payment"], "IN_PROGRESS");
    assert!(socket.is_silent_for(Duration::from_millis(100)).await);
    socket.subscribe("unknown", ORDER, json!({ "id": "order_7zzzzzzzzzzzzzzzzzzzzzzzzz" })).await;
    let refused = socket.next().await;
    assert_eq!((&refused["id"], &refused["type"]), (&json!("unknown"), &json!("error")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "NOT_FOUND");
    shop.close().await;
}

/// C53: the log loses nothing and merges nothing; a stock subscription may merge, but ends where the log does.
#[tokio::test]
async fn the_live_log_tells_every_row_and_resumes_after_a_cursor() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 0).await, shop.product("CUP", 0).await);
    let mut socket = Socket::open(&shop).await;
    socket.follow_log("log", LOG, json!({ "filter": { "productIds": [mug] } })).await;
    let first = shop.log(&mug).await.len();
    let mut cursors = Vec::new();
    for _ in 0..12 {
        shop.adjust(&mug, "INCREMENT", 1).await;
        shop.adjust(&cup, "INCREMENT", 1).await;
    }
    let mut expected = None;
    while cursors.last().is_none_or(|(sequence, _)| *sequence < i64::try_from(first).expect("few") + 12) {
        let edge = socket.data("log").await["stockTransactionAdded"].clone();
        let sequence = edge["node"]["sequence"].as_i64().expect("a sequence");
        assert_eq!((sequence, edge["node"]["product"]["sku"].as_str()), (expected.unwrap_or(sequence), Some("MUG")));
        expected = Some(sequence + 1);
        cursors.push((sequence, edge["cursor"].clone()));
    }

    let (sequence, cursor) = cursors[cursors.len() - 5].clone();
    let mut again = Socket::open(&shop).await;
    again.subscribe("log", LOG, json!({ "filter": { "productIds": [mug] }, "after": cursor })).await;
    for next in sequence + 1..=sequence + 4 {
        assert_eq!(again.data("log").await["stockTransactionAdded"]["node"]["sequence"], next);
    }
    let page = shop.data("{ stockTransactions { edges { cursor } } }", json!({})).await;
    let foreign = page["stockTransactions"]["edges"][0]["cursor"].clone();
    again.subscribe("foreign", LOG, json!({ "after": foreign })).await;
    assert_eq!(again.next().await["payload"][0]["extensions"]["code"], "BAD_CURSOR");
    shop.close().await;
}

#[tokio::test]
async fn a_product_and_its_stock_never_differ() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    for _ in 0..20 {
        let payload = shop.adjust(&mug, "DECREMENT", 1).await;
        let query =
            "query($id: ID!) { product(by: { id: $id }) { stock { version } } stock(productId: $id) { version } }";
        let data = shop.data(query, json!({ "id": mug })).await;
        assert_eq!(data["product"]["stock"], data["stock"]);
        let answered = payload["stocks"].as_array().map_or(0, Vec::len);
        assert!(answered <= 1);
        if answered == 1 {
            assert_eq!(data["stock"]["version"], payload["stocks"][0]["version"], "an answer is read back at once");
        }
    }
    shop.close().await;
}
