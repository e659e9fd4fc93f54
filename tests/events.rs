//! Server-sent events: the results of one operation per connection, line by line as graphql-sse's protocol has them.

use std::time::Duration;

use onhand::server::{ConcurrencyLimit, Timeouts, TransportConfig};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, eventually, patient_transport};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total version } }";

/// A stream of events.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
        assert_eq!(response.headers()["x-accel-buffering"], "no", "nginx gathers nothing");
        Self { response, text: String::new() }
    }

    /// The next block of lines; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something in time").expect("a chunk")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next block that is no comment.
    async fn event(&mut self) -> String {
        loop {
            let block = self.block().await.expect("an event");
            if !block.starts_with(':') {
                return block;
            }
        }
    }

    /// The payload of the next `next`.
    async fn next(&mut self) -> Value {
        let block = self.event().await;
        let data = block.strip_prefix("event: next\ndata: ").unwrap_or_else(|| panic!("not a result: {block}"));
        serde_json::from_str(data).expect("JSON")
    }

    async fn completes(&mut self) {
        let block = self.event().await;
        assert_eq!(block.lines().next(), Some("event: complete"), "{block}");
        assert!(block.lines().nth(1).is_some_and(|line| line.starts_with("data")), "without data browsers drop it");
        assert_eq!(self.block().await, None);
    }
}

fn post(shop: &Shop, query: &str, variables: &Value) -> RequestBuilder {
    shop.client().post(format!("{}/graphql", shop.url)).json(&json!({ "query": query, "variables": variables }))
}

#[tokio::test]
async fn a_comment_says_at_once_that_the_stream_is_open() {
    let transport = patient_transport();
    let times = Timeouts { comment: 10 * PATIENCE, ..transport.timeouts };
    let shop = Shop::open_with_transport(TransportConfig { timeouts: times, ..transport }).await;
    // Of this subscription nothing comes.
    let query = "subscription { stockTransactionAdded { cursor } }";
    let mut events = Events::open(post(&shop, query, &json!({}))).await;
    let first = timeout(PATIENCE, events.response.chunk()).await;
    let first = first.expect("before the next comment is due").expect("a chunk").expect("no end");
    assert_eq!(&first[..], b": \n\n");
    drop(events);
    shop.close().await;
}

#[tokio::test]
async fn stock_is_followed_until_the_client_goes() {
    let transport = patient_transport();
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mug = shop.product("MUG", 5).await;
    let variables = json!({ "ids": [mug] });
    // A client that accepts compressed answers still gets each event as it comes.
    let by_post = post(&shop, STOCK, &variables).header("accept-encoding", "gzip");
    let in_url = [("query", STOCK), ("variables", &variables.to_string())];
    let by_get = shop.client().get(format!("{}/graphql", shop.url)).query(&in_url);
    let mut streams = [Events::open(by_post).await, Events::open(by_get).await];
    for stream in &mut streams {
        assert_eq!(stream.next().await, json!({ "data": { "stockChanged": { "total": 5, "version": 1 } } }));
    }
    shop.adjust(&mug, "INCREMENT", 2).await;
    for stream in &mut streams {
        assert_eq!(stream.next().await["data"]["stockChanged"], json!({ "total": 7, "version": 2 }));
    }
    assert_eq!(sockets.in_use(), 2);
    drop(streams);
    eventually("nobody watches", || async { sockets.in_use() == 0 && shop.app.hub.watched() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn whatever_else_comes_over_events_is_one_result_and_the_end() {
    let shop = Shop::open().await;
    shop.product("MUG", 5).await;
    let query = "{ products { nodes { sku } } }";
    let mut events = Events::open(post(&shop, query, &json!({}))).await;
    assert_eq!(events.next().await["data"]["products"]["nodes"][0]["sku"], "MUG");
    events.completes().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { stockChanged(productIds: [\"x\"]) { total } }", "BAD_ID"),
        ("", "GRAPHQL_PARSE_FAILED"),
    ] {
        let mut events = Events::open(post(&shop, query, &json!({}))).await;
        let answer = events.next().await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query}: {answer}");
        assert!(answer.get("data").is_none(), "{query}: {answer}");
        events.completes().await;
    }
    // Clients that name every media type they know still get JSON for what has one answer.
    let all = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let response = post(&shop, query, &json!({})).header("accept", all).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/graphql-response+json; charset=utf-8");
    let plain = post(&shop, STOCK, &json!({ "ids": [] })).send().await.unwrap();
    assert_eq!(plain.status().as_u16(), 400, "a subscription without events");
    shop.close().await;
}

#[tokio::test]
async fn streams_are_kept_alive_bounded_and_ended() {
    let times = Timeouts { comment: Duration::from_millis(50), ..Timeouts::default() };
    let transport =
        TransportConfig { timeouts: times, sockets: ConcurrencyLimit::new(1), ..TransportConfig::default() };
    let shop = Shop::open_with_transport(transport).await;
    let mut events = Events::open(post(&shop, STOCK, &json!({ "ids": [] }))).await;
    for _ in 0..3 {
        let block = events.block().await.expect("a comment");
        assert!(block.starts_with(':'), "{block}");
    }
    let refused = |origin: &'static str| {
        let request = post(&shop, STOCK, &json!({ "ids": [] })).header("accept", "text/event-stream");
        async move {
            let response = request.header("origin", origin).send().await.unwrap();
            (
                response.status().as_u16(),
                response.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"].clone(),
            )
        }
    };
    assert_eq!(refused("https://evil.example").await, (403, json!("FORBIDDEN")));
    let own: &'static str = shop.url.clone().leak();
    assert_eq!(refused(own).await, (503, json!("OVERLOADED")));
    let ending = tokio::spawn(async move {
        while let Some(block) = events.block().await {
            assert!(block.starts_with(':'), "a shutdown is no end of the subscription: {block}");
        }
    });
    shop.close().await;
    timeout(PATIENCE, ending).await.expect("the stream ends").unwrap();
}
