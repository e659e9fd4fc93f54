//! Names that were meant are suggested where the schema may be explored, and nowhere else.

use serde_json::{Value, json};

use crate::support::{Shop, Socket, Wanted, with_tokens};

const MISSPELT: &str = "{ products { nodes { stock { avialable } } } }";

async fn told(shop: &Shop) -> (String, String) {
    let message = |answer: &Value| answer["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
    let over_http = message(&shop.ask(MISSPELT, json!({})).await);
    let mut socket = Socket::open(shop).await;
    socket.subscribe("a", MISSPELT, json!({})).await;
    let refused = socket.next().await;
    (over_http, message(&json!({ "errors": refused["payload"] })))
}

#[tokio::test]
async fn they_are_told_in_development() {
    let shop = Shop::open().await;
    let expected = "Type `Stock` does not have a field `avialable`. Did you mean `available`?";
    assert_eq!(told(&shop).await, (expected.to_owned(), expected.to_owned()));
    shop.close().await;
}

#[tokio::test]
async fn they_are_not_told_in_production() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), ..Wanted::default() }).await;
    let expected = "Type `Stock` does not have a field `avialable`.";
    assert_eq!(told(&shop).await, (expected.to_owned(), expected.to_owned()));
    shop.close().await;
}
