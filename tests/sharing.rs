//! Results of subscriptions are rendered once for all who get the same. Whoever gets something else gets just that: by
//! role, by variables, by operation, by aliases; over websockets and as events.

use std::time::Duration;

use domain::stock::PublicStock;
use onhand::config::Role;
use serde_json::{Value, json};

use crate::support::{Client, Shop, Socket};

const RECORD: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { __typename id total available allocated \
    availability version updatedAt } }";

async fn follow(client: &Client, query: &str, variables: Value) -> (Socket, Value) {
    let mut socket = Socket::open(client).await;
    socket.subscribe("s", query, variables).await;
    let first = socket.data("s").await;
    (socket, first)
}

#[tokio::test]
async fn lists_differ_and_results_are_those_of_the_record() {
    let shop = Shop::open().await;
    let (mug, cup, pot) = (shop.product("MUG", 10).await, shop.product("CUP", 20).await, shop.product("POT", 30).await);
    let (mut first, of_first) = follow(&shop, RECORD, json!({ "ids": [mug, cup, mug] })).await;
    let (mut second, of_second) = follow(&shop, RECORD, json!({ "ids": [mug, pot] })).await;
    assert_eq!(of_first, of_second);
    assert_eq!(first.data("s").await["stockChanged"]["total"], 20);
    assert_eq!(second.data("s").await["stockChanged"]["total"], 30);
    let query = "query($id: ID!) { stock(productId: $id) { __typename id total available allocated availability version updatedAt } }";
    for number in 2..=4 {
        shop.adjust(&mug, "ALLOCATE", 1).await;
        let asked = shop.data(query, json!({ "id": mug })).await["stock"].take();
        assert_eq!(asked["version"], number);
        assert_eq!(first.data("s").await["stockChanged"], asked);
        assert_eq!(second.data("s").await["stockChanged"], asked);
    }
    shop.adjust(&pot, "DECREMENT", 30).await;
    assert_eq!(second.data("s").await["stockChanged"]["availability"], "OUT_OF_STOCK");
    assert!(first.is_silent_for(Duration::from_millis(50)).await, "that is nothing to the first");
    shop.close().await;
}

#[tokio::test]
async fn nobody_is_told_what_another_may_see() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 50).await;
    let guest = Client::clone(&shop);
    for order in [[&staff, &guest], [&guest, &staff]] {
        let (mut one, _) = follow(order[0], RECORD, json!({ "ids": [mug] })).await;
        let (mut other, _) = follow(order[1], RECORD, json!({ "ids": [mug] })).await;
        staff.adjust(&mug, "SET", 3).await;
        let (one, other) = (one.data("s").await, other.data("s").await);
        let numbers = |told: &Value| json!([told["stockChanged"]["total"], told["stockChanged"]["available"]]);
        let (of_staff, of_guest) = if std::ptr::eq(order[0], &raw const staff) { (one, other) } else { (other, one) };
        assert_eq!((numbers(&of_staff), numbers(&of_guest)), (json!([3, 3]), json!([null, 3])));
        staff.adjust(&mug, "SET", 50).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn what_is_selected_is_what_comes() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let document = "subscription A($ids: [ID!]!, $all: Boolean!) { stockChanged(productIds: $ids) { ...Numbers \
        ... @skip(if: $all) { left: available } } } \
        subscription B($ids: [ID!]!) { told: stockChanged(productIds: $ids) { version } } \
        fragment Numbers on Stock { total @include(if: $all) version }";
    let ask = async |operation: &str, variables: Value| {
        let mut socket = Socket::open(&shop).await;
        let payload = json!({ "query": document, "operationName": operation, "variables": variables });
        socket.send(&json!({ "type": "subscribe", "id": "s", "payload": payload })).await;
        let first = socket.data("s").await;
        (socket, first)
    };
    let (mut all, first) = ask("A", json!({ "ids": [mug], "all": true })).await;
    assert_eq!(first, json!({ "stockChanged": { "total": 10, "version": 1 } }));
    let (mut left, first) = ask("A", json!({ "ids": [mug], "all": false })).await;
    assert_eq!(first, json!({ "stockChanged": { "version": 1, "left": 10 } }));
    let (mut told, first) = ask("B", json!({ "ids": [mug] })).await;
    assert_eq!(first, json!({ "told": { "version": 1 } }));
    shop.adjust(&mug, "INCREMENT", 1).await;
    assert_eq!(told.data("s").await, json!({ "told": { "version": 2 } }));
    assert_eq!(all.data("s").await, json!({ "stockChanged": { "total": 11, "version": 2 } }));
    assert_eq!(left.data("s").await, json!({ "stockChanged": { "version": 2, "left": 11 } }));
    shop.close().await;
}
