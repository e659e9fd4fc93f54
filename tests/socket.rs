//! The protocol of the websocket, frame by frame: graphql-transport-ws with every close code that it names.

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Shop, Socket, eventually};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_by_a_code() {
    let shop = Shop::open().await;
    let init = json!({ "type": "connection_init" });
    let begin = json!({ "type": "subscribe", "id": "1", "payload": { "query": STOCK, "variables": { "ids": [] } } });
    let text = |text: &str| Message::Text(text.into());
    let json = |value: &serde_json::Value| Message::Text(value.to_string().into());
    let cases = [
        ("broken JSON", vec![text("{")], 4400),
        ("no type", vec![text("{}")], 4400),
        ("an unknown type", vec![text(r#"{ "type": "start" }"#)], 4400),
        ("a payload that is no object", vec![text(r#"{ "type": "connection_init", "payload": 7 }"#)], 4400),
        ("a binary frame", vec![Message::Binary(vec![1].into())], 4400),
        (
            "an empty id",
            vec![json(&init), text(r#"{ "type": "subscribe", "id": "", "payload": { "query": "{a}" } }"#)],
            4400,
        ),
        ("subscribing before the acknowledgement", vec![json(&begin)], 4401),
        ("saying hello twice", vec![json(&init), json(&init)], 4429),
        ("an id that runs already", vec![json(&init), json(&begin), json(&begin)], 4409),
    ];
    for (what, frames, code) in cases {
        let mut socket = Socket::connect(&shop.url, "graphql-transport-ws").await;
        for frame in frames {
            socket.send_raw(frame).await;
        }
        assert_eq!(socket.closed().await, code, "{what}");
    }
    let mut silent = Socket::connect(&shop.url, "graphql-transport-ws").await;
    assert_eq!(silent.closed().await, 4408, "a client that never says hello");
    shop.close().await;
}

#[tokio::test]
async fn an_id_is_free_again_when_its_operation_has_ended() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    for _ in 0..3 {
        socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data("1").await["stockChanged"]["total"], 5);
        socket.send(&json!({ "type": "complete", "id": "1" })).await;
    }
    // Queries are answered here, too, once, and then their id is free.
    for _ in 0..2 {
        socket.subscribe("q", "{ products { nodes { sku } } }", json!({})).await;
        assert_eq!(socket.data("q").await["products"]["nodes"][0]["sku"], "MUG");
        assert_eq!(socket.next().await, json!({ "type": "complete", "id": "q" }));
    }
    socket.send(&json!({ "type": "complete", "id": "unknown" })).await;
    socket.send(&json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong", "payload": { "n": 1 } }));
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_executed_is_an_error_of_its_own() {
    let shop = Shop::open().await;
    let mut socket = Socket::open(&shop).await;
    let deep = format!("{{ a(b: {}) }}", "[".repeat(5_000));
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { stockChanged(productIds: [\"x\"]) { total } }", "BAD_ID"),
        ("mutation { createCart { cart { id } } }", "BAD_USER_INPUT"),
        (deep.as_str(), "LIMIT_EXCEEDED"),
    ] {
        socket.subscribe("1", query, json!({})).await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{query}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}: {message}");
    }
    assert!(socket.is_silent_for(Duration::from_millis(50)).await, "nothing follows an error");
    shop.close().await;
}

#[tokio::test]
async fn operations_on_one_socket_are_bounded_and_end_with_it() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    for number in 0..50 {
        let id = number.to_string();
        socket.subscribe(&id, STOCK, json!({ "ids": [mug] })).await;
        socket.data(&id).await;
    }
    socket.subscribe("one more", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    assert_eq!(shop.app.hub.watched(), 1, "one slot, however many watch");
    drop(socket);
    eventually("nobody watches any more", || async { shop.app.hub.watched() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn only_our_protocol_is_spoken_and_a_shutdown_asks_to_come_back() {
    let shop = Shop::open().await;
    let mut socket = Socket::open(&shop).await;
    let legacy = Socket::try_connect(&shop.url, "graphql-ws").await;
    assert!(legacy.is_none_or(|code| code == 4406));
    let closing = tokio::spawn(async move { socket.closed().await });
    shop.close().await;
    assert_eq!(closing.await.expect("no panic"), 1001);
}
