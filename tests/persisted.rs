//! Persisted queries over a websocket and as events: the same ones as over HTTP.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Shop, Socket};

const PRODUCTS: &str = "{ products { nodes { sku } } }";
const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";

fn named(query: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": format!("{:x}", Sha256::digest(query)) } })
}

async fn begin(socket: &mut Socket, payload: Value) {
    socket.send(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
}

/// The code and the message of the error that ends an operation.
async fn refused(socket: &mut Socket, payload: Value) -> (Value, Value) {
    begin(socket, payload).await;
    let message = socket.next().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
    (message["payload"][0]["extensions"]["code"].clone(), message["payload"][0]["message"].clone())
}

#[tokio::test]
async fn a_hash_is_known_on_a_websocket_once_its_query_was_executed() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    let ids = json!({ "ids": [mug] });
    let not_found = (json!("PERSISTED_QUERY_NOT_FOUND"), json!("PersistedQueryNotFound"));
    for query in [PRODUCTS, STOCK] {
        assert_eq!(refused(&mut socket, json!({ "extensions": named(query), "variables": ids })).await, not_found);
    }
    // What is no good is not remembered, nor what was only refused.
    let keyless = "mutation { checkOut(input: { cartId: \"cart_x\" }) { order { id } } }";
    for (query, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"), (keyless, "BAD_USER_INPUT")]
    {
        assert_eq!(refused(&mut socket, json!({ "query": query, "extensions": named(query) })).await.0, code);
        assert_eq!(refused(&mut socket, json!({ "extensions": named(query) })).await, not_found, "{query}");
    }
    for bad in [json!(7), json!({ "version": 2 }), named("{ other }")["persistedQuery"].clone()] {
        let payload = json!({ "query": PRODUCTS, "extensions": { "persistedQuery": bad } });
        assert_eq!(refused(&mut socket, payload).await.0, "BAD_USER_INPUT", "{bad}");
    }
    assert_eq!(refused(&mut socket, json!({})).await.0, "BAD_USER_INPUT", "no query at all");

    for payload in
        [json!({ "query": PRODUCTS, "extensions": named(PRODUCTS) }), json!({ "extensions": named(PRODUCTS) })]
    {
        begin(&mut socket, payload).await;
        assert_eq!(socket.data("1").await["products"]["nodes"][0]["sku"], "MUG");
        assert_eq!(socket.next().await, json!({ "type": "complete", "id": "1" }));
    }
    let mutation = "mutation { createCart { cart { totalQuantity } } }";
    for payload in
        [json!({ "query": mutation, "extensions": named(mutation) }), json!({ "extensions": named(mutation) })]
    {
        begin(&mut socket, payload).await;
        assert_eq!(socket.data("1").await["createCart"]["cart"]["totalQuantity"], 0);
        assert_eq!(socket.next().await, json!({ "type": "complete", "id": "1" }));
    }
    for payload in [
        json!({ "query": STOCK, "extensions": named(STOCK), "variables": ids }),
        json!({ "extensions": named(STOCK), "variables": ids }),
    ] {
        begin(&mut socket, payload).await;
        assert_eq!(socket.data("1").await["stockChanged"]["total"], 5);
        socket.send(&json!({ "type": "complete", "id": "1" })).await;
    }
    let body = json!({ "extensions": named(PRODUCTS) });
    let answer = shop.client().post(format!("{}/graphql", shop.url)).json(&body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["data"]["products"]["nodes"][0]["sku"], "MUG", "it is known everywhere: {answer}");
    shop.close().await;
}

#[tokio::test]
async fn a_hash_is_known_once_its_query_was_answered_by_events() {
    let shop = Shop::open().await;
    shop.product("MUG", 5).await;
    let asked = async |body: Value| {
        let request =
            shop.client().post(format!("{}/graphql", shop.url)).json(&body).header("accept", "text/event-stream");
        request.send().await.unwrap().text().await.unwrap()
    };
    let short = json!({ "extensions": named(PRODUCTS) });
    assert!(asked(short.clone()).await.contains("PERSISTED_QUERY_NOT_FOUND"));
    let first = asked(json!({ "query": PRODUCTS, "extensions": named(PRODUCTS) })).await;
    assert!(first.contains("MUG"), "{first}");
    assert_eq!(asked(short).await, first);
    shop.close().await;
}
