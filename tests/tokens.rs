//! Tokens around their times: clocks that differ by a few seconds are forgiven for a request, and for nothing that goes on.

use std::time::{Duration, Instant};

use domain::stock::PublicStock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use onhand::clock::Clock;
use onhand::config::{Access, Role};
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Client, SECRET, Shop, Socket, Wanted, with_tokens};

const SKU: &str = "{ products { nodes { sku } } }";
const STOCK: &str = "subscription { stockChanged(productIds: []) { total } }";

/// Somebody with a token that expires, and begins to be good, so many seconds from now.
fn somebody(shop: &Shop, expires: i64, begins: Option<i64>) -> Client {
    let now = Clock::system().now().timestamp();
    let mut claims = json!({ "sub": "sam", "role": "staff", "iss": "tests", "aud": "shop", "exp": now + expires });
    if let Some(begins) = begins {
        claims["nbf"] = json!(now + begins);
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token");
    Client { authorization: Some(format!("Bearer {token}")), ..Client::clone(shop) }
}

async fn sent(client: &Client, query: &str, accept: &str) -> Response {
    let request = client.http.post(format!("{}/graphql", client.url)).json(&json!({ "query": query }));
    let request = request.header("authorization", client.authorization.as_deref().unwrap_or_default());
    request.header("accept", accept).send().await.expect("an answer")
}

/// The status of a request that is sent within the second in which its token was made.
async fn status(shop: &Shop, expires: i64, begins: Option<i64>) -> u16 {
    loop {
        let begun = Instant::now();
        let client = somebody(shop, expires, begins);
        let status = sent(&client, SKU, "application/json").await.status().as_u16();
        if begun.elapsed() < Duration::from_secs(1) {
            return status;
        }
    }
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    for (expires, begins, right) in [
        (60, None, 200),
        (0, None, 200),
        (-3, None, 200),
        (-6, None, 401),
        (-60, None, 401),
        (60, Some(0), 200),
        (60, Some(4), 200),
        (60, Some(7), 401),
        (60, Some(60), 401),
    ] {
        assert_eq!(status(&shop, expires, begins).await, right, "exp {expires}, nbf {begins:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn nothing_that_goes_on_begins_with_a_token_that_is_over() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    for expires in [-1, -60] {
        let late = somebody(&shop, expires, None);
        let mut socket = Socket::connect(&shop.url, "graphql-transport-ws").await;
        socket.send(&json!({ "type": "connection_init", "payload": { "Authorization": late.authorization } })).await;
        assert_eq!(socket.closed().await, 4403, "{expires}, and there was no acknowledgement");
        let events = sent(&late, STOCK, "text/event-stream").await;
        assert_eq!(events.status().as_u16(), 401, "{expires}");
        assert_eq!(events.headers()["www-authenticate"], "Bearer");
    }
    shop.close().await;
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_how() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let customer = shop.signed_in(Role::Customer, "ada").await;
    let bad = Client { authorization: Some("Bearer x".to_owned()), ..Client::clone(&shop) };
    for (who, client, path, right) in [
        ("a guest", &*shop, "/metrics", (401, "UNAUTHENTICATED")),
        ("a bad token", &bad, "/metrics", (401, "UNAUTHENTICATED")),
        ("a customer", &customer, "/metrics", (403, "FORBIDDEN")),
        ("a bad token", &bad, "/graphql?query={__typename}", (401, "UNAUTHENTICATED")),
    ] {
        let mut request = shop.client().get(format!("{}{path}", shop.url));
        if let Some(authorization) = &client.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.expect("an answer");
        let (status, has_challenge) = (response.status().as_u16(), response.headers().get("www-authenticate").cloned());
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(
            (status, body["errors"][0]["extensions"]["code"].as_str()),
            (right.0, Some(right.1)),
            "{who}, {path}"
        );
        assert_eq!(has_challenge.is_some_and(|challenge| challenge == "Bearer"), status == 401, "{who}, {path}");
    }
    shop.close().await;
}

/// The status of a request with a token that is signed with this secret.
async fn signed_by(shop: &Shop, secret: &str) -> u16 {
    let expires = Clock::system().now().timestamp() + 60;
    let claims = json!({ "sub": "sam", "role": "staff", "iss": "tests", "aud": "shop", "exp": expires });
    let key = EncodingKey::from_secret(secret.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token");
    let client = Client { authorization: Some(format!("Bearer {token}")), ..Client::clone(shop) };
    sent(&client, SKU, "application/json").await.status().as_u16()
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_are_good_and_the_new_one_signs() {
    let old = "the secret from before, which is as long";
    let access = Access { secret_previous: Some(old.to_owned()), ..with_tokens() };
    let shop = Shop::open_as(Wanted { access, ..Wanted::default() }).await;
    assert_eq!((signed_by(&shop, SECRET).await, signed_by(&shop, old).await), (200, 200));
    assert_eq!(signed_by(&shop, "a secret that nobody has ever heard of").await, 401);
    let made = shop.signed_in(Role::Staff, "sam").await;
    assert_eq!(sent(&made, SKU, "application/json").await.status().as_u16(), 200);
    shop.close().await;
    let shop = Shop::open_public(PublicStock::Exact).await;
    let still = Client { url: shop.url.clone(), ..made };
    assert_eq!(sent(&still, SKU, "application/json").await.status().as_u16(), 200, "the new one has signed it");
    assert_eq!(signed_by(&shop, old).await, 401, "and the old one is over");
    shop.close().await;
}
