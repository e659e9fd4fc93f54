//! HTTP as clients and others find it: what is refused and how, what may be cached, persisted queries, other origins, and
//! the limits of a connection.

use std::time::Duration;

use onhand::config::PaymentTimeouts;
use onhand::server::{ConcurrencyLimit, Timeouts, TransportConfig};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, Shop, Wanted, eventually, short_times};

const PRODUCTS: &str = "{ products { nodes { sku } } }";

/// A transport whose timeouts are short enough to wait for.
fn hurried() -> TransportConfig {
    let times =
        Timeouts { head: Duration::from_millis(500), request: Duration::from_millis(700), ..Timeouts::default() };
    TransportConfig { timeouts: times, ..TransportConfig::default() }
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Sends these bytes and returns all that comes until the connection ends.
async fn raw(shop: &Shop, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(shop.url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(bytes).await.expect("it is taken");
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    read.expect("a clean end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Clients open connections before they need them.
#[tokio::test]
async fn a_connection_that_was_opened_ahead_serves_its_first_request() {
    let shop = Shop::open_with_transport(hurried()).await;
    let address = shop.url.trim_start_matches("http://");
    let mut ahead = TcpStream::connect(address).await.expect("a connection");
    sleep(Duration::from_millis(700)).await;
    ahead
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .expect("it is taken");
    assert!(rest(&mut ahead).await.starts_with("HTTP/1.1 200"));

    let times = Timeouts { idle: Duration::from_millis(300), ..Timeouts::default() };
    let impatient = Shop::open_with_transport(TransportConfig { timeouts: times, ..TransportConfig::default() }).await;
    assert_eq!(raw(&impatient, b"").await, "", "but not for ever");
    impatient.close().await;
    shop.close().await;
}

#[tokio::test]
async fn an_answer_is_kept_by_nobody_unless_it_is_the_public_catalogue() {
    let shop = Shop::open().await;
    shop.product("MUG", 5).await;
    let get = |query: &str| shop.client().get(format!("{}/graphql", shop.url)).query(&[("query", query)]);
    let cache = |response: &Response| response.headers()["cache-control"].to_str().unwrap().to_owned();
    let catalogue = get(PRODUCTS).send().await.unwrap();
    assert_eq!(cache(&catalogue), "public, max-age=5");
    let varies: Vec<_> = catalogue.headers().get_all("vary").iter().map(|one| one.to_str().unwrap()).collect();
    assert!(varies.join(",").contains("authorization"), "{varies:?}");
    for request in [
        get(PRODUCTS).header("cookie", "a=b"),
        get(PRODUCTS).header("authorization", "Bearer x"),
        get("{ products { nodes { stock { available } } } }"),
        get("{ products(first: 0) { nodes { sku } } }"),
        get("{ nothing }"),
        get("mutation { createCart { cart { id } } }"),
        shop.client().post(format!("{}/graphql", shop.url)).json(&json!({ "query": PRODUCTS })),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(cache(&response), "no-store", "{response:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_query_is_known_by_its_hash_once_it_was_executed() {
    let shop = Shop::open().await;
    shop.product("MUG", 5).await;
    let hash = |query: &str| format!("{:x}", Sha256::digest(query));
    let post = |body: Value| {
        let request = shop.client().post(format!("{}/graphql", shop.url)).json(&body);
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let named = |query: &str| json!({ "persistedQuery": { "version": 1, "sha256Hash": hash(query) } });
    let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();

    let unknown = post(json!({ "extensions": named(PRODUCTS) })).await;
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound", "what clients look for");
    let other = post(json!({ "query": PRODUCTS, "extensions": named("{ other }") })).await;
    assert_eq!(code(&other), "BAD_USER_INPUT");
    for query in ["{", "{ nothing }"] {
        post(json!({ "query": query, "extensions": named(query) })).await;
        let again = post(json!({ "extensions": named(query) })).await;
        assert_eq!(code(&again), "PERSISTED_QUERY_NOT_FOUND", "what is no good is not remembered: {query}");
    }
    let first = post(json!({ "query": PRODUCTS, "extensions": named(PRODUCTS) })).await;
    assert_eq!(first["data"]["products"]["nodes"][0]["sku"], "MUG", "{first}");
    assert_eq!(post(json!({ "extensions": named(PRODUCTS) })).await, first);
    let extensions = named(PRODUCTS).to_string();
    let get = shop.client().get(format!("{}/graphql", shop.url)).query(&[("extensions", &extensions)]);
    let got = get.send().await.unwrap();
    assert_eq!(got.headers()["cache-control"], "public, max-age=5");
    assert_eq!(got.json::<Value>().await.unwrap(), first);
    for bad in
        [json!(7), json!({ "version": 2, "sha256Hash": hash(PRODUCTS) }), json!({ "version": 1, "sha256Hash": "é" })]
    {
        let answer = post(json!({ "query": PRODUCTS, "extensions": { "persistedQuery": bad } })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{bad}");
    }
    shop.close().await;
}

#[tokio::test]
async fn pages_of_other_origins_read_answers_only_when_they_are_allowed() {
    let shop = Shop::open_with_transport(TransportConfig {
        origins: vec!["https://shop.example".to_owned()],
        ..TransportConfig::default()
    })
    .await;
    let url = format!("{}/graphql", shop.url);
    for (origin, expected) in [("https://shop.example", Some("https://shop.example")), ("https://evil.example", None)] {
        let preflight = shop.client().request(reqwest::Method::OPTIONS, &url);
        let preflight = preflight.header("access-control-request-method", "POST").header("origin", origin);
        let preflight = preflight.header("access-control-request-headers", "content-type").send().await.unwrap();
        let answer = shop.client().post(&url).header("origin", origin).json(&json!({ "query": PRODUCTS }));
        let answer = answer.send().await.unwrap();
        for response in [&preflight, &answer] {
            let allowed = response.headers().get("access-control-allow-origin").map(|one| one.to_str().unwrap());
            assert_eq!(allowed, expected, "{response:?}");
            assert!(!response.headers().contains_key("access-control-allow-credentials"));
        }
        assert!(preflight.status().is_success());
    }
    shop.close().await;
}

#[tokio::test]
async fn a_name_that_is_not_this_machines_is_refused() {
    let shop = Shop::open().await;
    for path in ["/graphql", "/", "/health/live"] {
        let request = shop.client().get(format!("{}{path}", shop.url)).header("host", "evil.example");
        assert_eq!(code(request.send().await.unwrap()).await, is(421, "FORBIDDEN"), "{path}");
    }
    let request = shop.client().get(format!("{}/health/live", shop.url)).header("host", "localhost");
    assert!(request.send().await.unwrap().status().is_success());
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_and_what_it_began_goes_on() {
    let times = Timeouts { request: Duration::from_secs(1), ..Timeouts::default() };
    let patient =
        PaymentTimeouts { pay_answer: PATIENCE, pay_gateway: PATIENCE, pay_lease: 2 * PATIENCE, ..short_times() };
    let shop = Shop::open_as(Wanted {
        times: patient,
        transport: TransportConfig { timeouts: times, ..TransportConfig::default() },
        ..Wanted::default()
    })
    .await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let query = "mutation($input: PayOrderInput!) { payOrder(input: $input) { order { payment } } }";
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "delay:1500" });
    let body = json!({ "query": query, "variables": { "input": input } });
    let request = shop.client().post(format!("{}/graphql", shop.url)).json(&body);
    assert_eq!(code(request.send().await.unwrap()).await, is(504, "TIMEOUT"));
    eventually("the order is paid", || async { shop.read_order(&order).await["payment"] == "PAID" }).await;
    shop.close().await;
}

#[tokio::test]
async fn more_requests_at_a_time_than_allowed_are_turned_away_unexecuted() {
    let requests = ConcurrencyLimit::new(1);
    let shop =
        Shop::open_with_transport(TransportConfig { requests: requests.clone(), ..TransportConfig::default() }).await;
    let busy = requests.try_acquire().expect("a free permit");
    let mutation = json!({ "query": "mutation { createCart { cart { id } } }" });
    for request in [
        shop.client().post(format!("{}/graphql", shop.url)).json(&mutation),
        shop.client().get(format!("{}/graphql", shop.url)).query(&[("query", PRODUCTS)]),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(code(response).await, is(503, "OVERLOADED"));
    }
    let health = shop.client().get(format!("{}/health/ready", shop.url)).send().await.unwrap();
    assert!(health.status().is_success(), "who looks after the server is not turned away");
    drop(busy);
    shop.data(PRODUCTS, json!({})).await;
    shop.close().await;
}

#[tokio::test]
async fn whoever_trickles_is_cut_off() {
    let shop = Shop::open_with_transport(hurried()).await;
    assert_eq!(raw(&shop, b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await, "", "half a head");

    let head =
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    let answer = raw(&shop, format!("{head}{{").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("LIMIT_EXCEEDED"), "half a body: {answer}");

    // A byte at a time keeps neither a head nor a body alive.
    for text in ["GET /health/live HTTP/1.1\r\nx: ".to_owned(), head.to_owned()] {
        let mut stream = TcpStream::connect(shop.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while writer.write_all(b"a").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        let mut answer = Vec::new();
        // The end may be a reset, because we go on sending.
        let _ = timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("the connection ends");
        timeout(PATIENCE, trickle).await.expect("nobody listens any more").unwrap();
    }
    shop.close().await;
}

#[tokio::test]
async fn a_connection_lives_on_between_requests() {
    let shop = Shop::open_with_transport(hurried()).await;
    let mut stream = TcpStream::connect(shop.url.trim_start_matches("http://")).await.unwrap();
    for pause in [0, 900, 10] {
        sleep(Duration::from_millis(pause)).await;
        stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut more = [0; 1_024];
        while !more.windows(5).any(|bytes| bytes == b"live\n") {
            assert!(timeout(PATIENCE, stream.read(&mut more)).await.unwrap().unwrap() > 0);
        }
    }
    stream.write_all(b"GET /health/live HTTP/1.1\r\n").await.unwrap();
    assert_eq!(rest(&mut stream).await, "", "the head of a later request is bounded, too");
    shop.close().await;
}

#[tokio::test]
async fn what_is_too_large_is_answered_to_a_client_who_is_still_sending() {
    let shop = Shop::open().await;
    let body = vec![b' '; 8 * 1_024 * 1_024];
    for _ in 0..5 {
        let request = shop.client().post(format!("{}/graphql", shop.url)).body(body.clone());
        let response = request.header("content-type", "application/json").send().await.expect("an answer, not a reset");
        assert_eq!(code(response).await, is(413, "LIMIT_EXCEEDED"));
    }
    let long = format!("{}/graphql?query={}", shop.url, "a".repeat(60_000));
    assert_eq!(shop.client().get(long).send().await.unwrap().status().as_u16(), 200, "a document, although none");
    let head = |length: usize| {
        let long = "a".repeat(length);
        format!("GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: {long}\r\n\r\n")
    };
    assert!(raw(&shop, head(65_000).as_bytes()).await.starts_with("HTTP/1.1 200"));
    let refused = raw(&shop, head(100_000).as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 431") && refused.contains("LIMIT_EXCEEDED"), "{refused}");
    assert!(raw(&shop, head(200_000).as_bytes()).await.starts_with("HTTP/1.1 431"));
    shop.close().await;
}
