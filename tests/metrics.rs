//! What an operator sees at `/metrics`.

use onhand::config::Role;
use onhand::domain::stock::PublicStock;
use serde_json::json;

use crate::support::{Client, Shop, Socket, eventually};

async fn scrape(client: &Client) -> (u16, String) {
    let mut request = client.client().get(format!("{}/metrics", client.url));
    if let Some(authorization) = &client.authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("text"))
}

/// The value of a series; 0 before it has one.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series).filter(|rest| rest.starts_with(' ')));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn what_happens_is_counted_and_what_ends_is_counted_down() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay_sandbox(&order, "succeed").await;
    shop.adjust(&mug, "DECREMENT", 100).await;
    let mut socket = Socket::open(&shop).await;
    socket
        .subscribe(
            "s",
            "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }",
            json!({ "ids": [mug] }),
        )
        .await;
    socket.data("s").await;
    let (status, text) = scrape(&shop).await;
    assert_eq!(status, 200);
    for series in [
        "onhand_requests_total{kind=\"mutation\"}",
        "onhand_refusals_total{code=\"INSUFFICIENT_STOCK\"}",
        "onhand_gateway_results_total{gateway=\"sandbox\",result=\"charged\"}",
        "onhand_writer_batch_seconds_count",
        "onhand_writer_batch_commands_count",
        "onhand_events_sent_total",
        "onhand_connections_open",
        "onhand_sockets_open",
        "onhand_operations_open",
    ] {
        assert!(value(&text, series) >= 1.0, "{series}: {text}");
    }
    drop(socket);
    eventually("nothing is open any more", || async {
        let text = scrape(&shop).await.1;
        value(&text, "onhand_sockets_open") + value(&text, "onhand_operations_open") < 0.5
    })
    .await;
    shop.close().await;
}

#[tokio::test]
async fn an_id_from_outside_is_kept_when_it_is_short_and_plain() {
    let shop = Shop::open().await;
    let long = "x".repeat(65);
    for (sent, is_kept) in [("abc-123", true), (&long[..64], true), (long.as_str(), false), ("a b", false)] {
        let request = shop.client().get(format!("{}/health/live", shop.url)).header("x-request-id", sent);
        let answer = request.send().await.expect("an answer");
        let id = answer.headers()["x-request-id"].to_str().expect("text");
        assert_eq!(id == sent, is_kept, "{sent}: {id}");
        assert!(!id.is_empty() && id.len() <= 64);
    }
    shop.close().await;
}

#[tokio::test]
async fn in_production_metrics_are_for_staff() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    assert_eq!(scrape(&shop).await.0, 401);
    assert_eq!(scrape(&shop.signed_in(Role::Customer, "ada").await).await.0, 403);
    assert_eq!(scrape(&shop.signed_in(Role::Staff, "sam").await).await.0, 200);
    shop.close().await;
}
