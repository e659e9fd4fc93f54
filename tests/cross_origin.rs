//! Pages of allowed origins can read every answer, in every state of the server; and which pages those are.

use std::time::Duration;

use onhand::server::{ConcurrencyLimit, Rate, RateLimits, Startup, Timeouts, TransportConfig};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Place, Process, Shop, Socket, Wanted, eventually, with_tokens};

const PAGE: &str = "https://shop.example";
const APP: &str = "capacitor://localhost";

fn transport() -> TransportConfig {
    TransportConfig { origins: vec![PAGE.to_owned(), APP.to_owned()], ..TransportConfig::default() }
}

fn http() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

fn post(url: &str, query: &str) -> RequestBuilder {
    http().post(format!("{url}/graphql")).json(&json!({ "query": query }))
}

/// What a page of an allowed origin reads: the status and the first code. It fails when the browser would not let it.
async fn read(request: RequestBuilder) -> (u16, String) {
    let response = request.header("origin", PAGE).send().await.expect("an answer");
    readable(&response);
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

fn readable(response: &Response) {
    let headers = response.headers();
    let one = |name: &str| {
        let all: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        all.join(",").to_ascii_lowercase()
    };
    assert_eq!(one("access-control-allow-origin"), PAGE, "{response:?}");
    assert!(one("vary").contains("origin"), "{response:?}");
    for name in ["x-request-id", "retry-after"] {
        assert!(one("access-control-expose-headers").contains(name), "{name}: {response:?}");
    }
    assert!(!one("x-request-id").is_empty(), "{response:?}");
    assert!(!headers.contains_key("access-control-allow-credentials"), "{response:?}");
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn preflight(url: &str, origin: &str, headers: &str) -> Response {
    let request = http().request(Method::OPTIONS, format!("{url}/graphql")).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", headers).send().await.expect("an answer")
}

#[tokio::test]
async fn whatever_is_refused_can_be_read() {
    let times = Timeouts { request: Duration::from_millis(700), ..Timeouts::default() };
    let shop = Shop::open_with_transport(TransportConfig { timeouts: times, ..transport() }).await;
    let url = format!("{}/graphql", shop.url);
    let json = |body: &'static str| http().post(&url).header("content-type", "application/json").body(body);
    let long = "a".repeat(1_000_000);
    for (what, request, expected) in [
        ("an answer", post(&shop.url, "{ __typename }"), is(200, "")),
        ("a fault", post(&shop.url, "{"), is(200, "GRAPHQL_PARSE_FAILED")),
        ("no JSON", json("{"), is(400, "BAD_USER_INPUT")),
        ("another type", http().post(&url).body("{}"), is(415, "BAD_USER_INPUT")),
        ("too long", json("{}").body(long), is(413, "LIMIT_EXCEEDED")),
        ("too large a head", post(&shop.url, "{ a }").header("x-long", "a".repeat(70_000)), is(431, "LIMIT_EXCEEDED")),
        (
            "a link that changes",
            http().get(&url).query(&[("query", "mutation { createCart { cart { id } } }")]),
            is(405, "BAD_USER_INPUT"),
        ),
        ("another method", http().put(&url), is(405, "BAD_USER_INPUT")),
        ("nothing there", http().get(format!("{url}/no")), is(404, "NOT_FOUND")),
        ("a method too many", http().put(format!("{}/health/ready", shop.url)), is(405, "BAD_USER_INPUT")),
        ("a page's method", http().put(&shop.url), is(405, "BAD_USER_INPUT")),
        ("a slash too many", http().get(format!("{url}/")).query(&[("query", "{ __typename }")]), is(200, "")),
        ("a compressed body", post(&shop.url, "{ a }").header("content-encoding", "gzip"), is(415, "BAD_USER_INPUT")),
        ("another host", post(&shop.url, "{ a }").header("host", "evil.example"), is(421, "FORBIDDEN")),
        ("its health", http().get(format!("{}/health/ready", shop.url)), is(200, "")),
        ("its life", http().get(format!("{}/health/live", shop.url)), is(200, "")),
        (
            "a wrong upgrade",
            http().get(&url).header("connection", "upgrade").header("upgrade", "websocket"),
            is(400, "BAD_USER_INPUT"),
        ),
    ] {
        assert_eq!(read(request).await, expected, "{what}");
    }
    let somebody = shop.keep_busy().await;
    assert_eq!(read(post(&shop.url, "mutation { createCart { cart { id } } }")).await, is(504, "TIMEOUT"));
    somebody.rollback().await.expect("an end");
    let events = post(&shop.url, "subscription { stockChanged(productIds: []) { total } }");
    let events = events.header("origin", PAGE).header("accept", "text/event-stream").send().await.expect("an answer");
    readable(&events);
    drop(events);
    shop.close().await;
}

#[tokio::test]
async fn so_can_what_is_refused_for_want_of_places_points_and_tokens() {
    let (requests, sockets) = (ConcurrencyLimit::new(1), ConcurrencyLimit::new(0));
    let rates = RateLimits::new(Rate::of_points(1, 3), None);
    let shop = TransportConfig { requests: requests.clone(), sockets, rates, ..transport() };
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport: shop, ..Wanted::default() }).await;
    let busy = requests.try_acquire().expect("a free permit");
    assert_eq!(read(post(&shop.url, "{ __typename }")).await, is(503, "OVERLOADED"));
    drop(busy);
    let events = "subscription { stockChanged(productIds: []) { total } }";
    assert_eq!(read(post(&shop.url, events).header("accept", "text/event-stream")).await, is(503, "OVERLOADED"));
    let expired = post(&shop.url, "{ __typename }").header("authorization", "Bearer x");
    assert_eq!(read(expired).await, is(401, "UNAUTHENTICATED"));
    let mut refused = is(0, "");
    for _ in 0..100 {
        if refused.0 == 429 {
            break;
        }
        refused = read(post(&shop.url, "{ __typename }")).await;
    }
    assert_eq!(refused, is(429, "RATE_LIMITED"));
    shop.close().await;
}

#[tokio::test]
async fn so_can_what_is_said_before_the_start_and_at_the_end() {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let startup = Startup::open(listener, &transport(), stop.clone());
    assert_eq!(read(post(&url, "{ a }")).await, is(503, "UNAVAILABLE"));
    assert_eq!(read(http().get(format!("{url}/health/ready"))).await, is(503, ""));
    let asked = preflight(&url, PAGE, "content-type").await;
    assert_eq!(asked.status().as_u16(), 200, "a preflight that fails is no answer at all to a page");
    assert_eq!(asked.headers()["access-control-allow-origin"], PAGE);
    drop(startup);

    let requests = ConcurrencyLimit::new(1);
    let shop = Shop::open_with_transport(TransportConfig {
        requests: requests.clone(),
        timeouts: Timeouts { request: PATIENCE, drain: PATIENCE, ..Timeouts::default() },
        ..transport()
    })
    .await;
    let (mug, url) = (shop.product("MUG", 1).await, shop.url.clone());
    let order = shop.order(&[(&mug, 1)]).await;
    let pay = format!(
        "mutation {{ payOrder(input: {{ orderId: \"{order}\", gateway: \"sandbox\", token: \"delay:1500\" }}) {{ order {{ payment }} }} }}"
    );
    let paying = tokio::spawn(async move { read(post(&url, &pay)).await });
    eventually("it runs", || async { requests.in_use() == 1 }).await;
    let url = shop.url.clone();
    let closing = tokio::spawn(shop.close());
    // The drain has begun when a request is told so; until then there is no place for it, and a connection that is just
    // being closed is no answer.
    eventually("a page is told that the server goes away", || async {
        let Ok(response) = post(&url, "{ __typename }").header("origin", PAGE).send().await else { return false };
        readable(&response);
        let status = response.status().as_u16();
        status == 503 && response.text().await.is_ok_and(|body| body.contains("UNAVAILABLE"))
    })
    .await;
    assert_eq!(paying.await.expect("no panic"), is(200, ""));
    closing.await.expect("no panic");
}

#[tokio::test]
async fn a_page_may_send_the_headers_that_it_likes() {
    let shop = Shop::open_with_transport(transport()).await;
    let names = "content-type,sentry-trace,baggage,traceparent,tracestate,x-request-id,apollographql-client-name,\
                 apollographql-client-version,apollo-require-preflight,x-apollo-operation-name,graphql-preflight,x-datadog-trace-id,newrelic";
    for origin in [PAGE, APP] {
        let asked = preflight(&shop.url, origin, names).await;
        assert_eq!(asked.headers()["access-control-allow-origin"], origin);
        assert_eq!(asked.headers()["access-control-allow-headers"], names);
        let methods = asked.headers()["access-control-allow-methods"].to_str().expect("text").to_owned();
        assert!(methods.contains("POST") && methods.contains("GET"), "{methods}");
        assert_eq!(asked.headers()["access-control-max-age"], "600");
    }
    let request = http().request(Method::OPTIONS, format!("{}/graphql", shop.url)).header("origin", PAGE);
    let request = request.header("access-control-request-method", "POST");
    let private = request.header("access-control-request-private-network", "true").send().await.expect("an answer");
    assert_eq!(private.headers()["access-control-allow-private-network"], "true");
    for origin in
        ["https://evil.example", "null", "http://shop.example", "https://shop.example:444", "capacitor://evil"]
    {
        let asked = preflight(&shop.url, origin, names).await;
        assert!(!asked.headers().contains_key("access-control-allow-origin"), "{origin}");
        let answer = post(&shop.url, "{ __typename }").header("origin", origin).send().await.expect("an answer");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    // The client's own id comes back.
    let answer = post(&shop.url, "{ __typename }").header("origin", PAGE).header("x-request-id", "mine-7").send().await;
    assert_eq!(answer.expect("an answer").headers()["x-request-id"], "mine-7");
    // The badge's script is for every page.
    for origin in [PAGE, "https://evil.example"] {
        let script =
            http().get(format!("{}/stock-badge.js", shop.url)).header("origin", origin).send().await.expect("it");
        assert_eq!(script.headers()["access-control-allow-origin"], "*");
        assert_eq!(script.headers()["cross-origin-resource-policy"], "cross-origin");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_default_port_that_is_written_out_is_no_other_origin() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport: transport(), ..Wanted::default() }).await;
    for (host, origin, is_own) in [
        ("name.example:443", "https://name.example", true),
        ("name.example:80", "http://name.example", true),
        ("NAME.example", "https://name.example", true),
        ("name.example.:443", "https://name.example", true),
        ("[::1]:80", "http://[::1]", true),
        ("name.example", APP, true),
        ("name.example:444", "https://name.example", false),
        ("name.example:443", "http://name.example", false),
        ("name.example:80", "https://name.example", false),
        ("name.example", "https://evil.example", false),
        ("name.example", "null", false),
    ] {
        let opened = Socket::try_open(&shop.url, "graphql-transport-ws", &[("host", host), ("origin", origin)]).await;
        let status = opened.err().map_or(101, |refused| refused.0);
        assert_eq!(status, if is_own { 101 } else { 403 }, "{host} {origin}");
        let events = post(&shop.url, "subscription { stockChanged(productIds: []) { total } }").header("host", host);
        let events =
            events.header("origin", origin).header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(events.status().as_u16(), if is_own { 200 } else { 403 }, "{host} {origin}");
    }
    shop.close().await;
}

#[tokio::test]
async fn an_unknown_origin_is_told_to_the_operator_once() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    for _ in 0..3 {
        for origin in ["https://new-shop.example", "https://new-shop.example:443"] {
            let answer = post(&server.url, "{ __typename }").header("origin", origin).send().await.expect("an answer");
            assert!(answer.status().is_success());
        }
        let own = post(&server.url, "{ __typename }").header("origin", &server.url).send().await.expect("an answer");
        assert!(own.status().is_success());
    }
    let log = server.log();
    assert!(server.stop("TERM").await.success());
    let log = log.lock().expect("no panic").clone();
    assert_eq!(log.matches("ONHAND_ALLOWED_ORIGINS").count(), 1, "{log}");
    assert!(log.contains("https://new-shop.example"), "{log}");
}
