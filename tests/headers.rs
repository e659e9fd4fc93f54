//! Names of headers, as they stand on the wire. They have no case by HTTP, and clients in the field look some of them up by
//! their usual spelling all the same.

use onhand::server::{ConnectionLimiter, ConnectionLimits, Startup, TransportConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, Shop};

/// The head of the answer to these bytes.
async fn head(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("it is taken");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("a head in time").expect("a whole head"));
    }
    String::from_utf8(head).expect("text")
}

/// The names of a head, which all must be in title case or as RFC 6455 spells them.
fn names(head: &str) -> Vec<&str> {
    let names: Vec<&str> = head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    for name in &names {
        let mut parts = name.split('-');
        let title = |part: &str| {
            let (first, rest) = part.split_at(1);
            first.chars().all(|one| one.is_ascii_uppercase()) && rest.chars().all(|one| !one.is_ascii_uppercase())
        };
        assert!(name.starts_with("Sec-WebSocket-") || parts.all(title), "{name} in {head}");
    }
    names
}

fn upgrade(protocol: &str) -> String {
    format!(
        "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: {protocol}\r\n\r\n"
    )
}

fn post(body: &str, more: &str) -> String {
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         origin: https://shop.example\r\n{more}\r\n{body}"
    )
}

#[tokio::test]
async fn every_answer_has_its_names_in_title_case() {
    let shop = Shop::open_with_transport(TransportConfig {
        origins: vec!["https://shop.example".to_owned()],
        ..TransportConfig::default()
    })
    .await;
    let query = r#"{"query":"{ products { nodes { sku } } }"}"#;
    let subscription = r#"{"query":"subscription { stockChanged(productIds: []) { total } }"}"#;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (request, status, name) in [
        (post(query, ""), 200, "Access-Control-Allow-Origin"),
        (post(query, "x-request-id: mine\r\n"), 200, "X-Request-Id"),
        (post(subscription, "accept: text/event-stream\r\n"), 200, "Cache-Control"),
        (post("{", ""), 400, "Content-Type"),
        (post(query, "content-encoding: zip\r\nauthorization: Basic x\r\n"), 415, "Accept-Encoding"),
        (post(query, "content-encoding: identity\r\nauthorization: Basic x\r\n"), 200, "Content-Length"),
        ("PUT /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 405, "Allow"),
        (get("/graphql?query=mutation%7BcreateCart%7Bcart%7Bid%7D%7D%7D"), 405, "Allow"),
        (get("/stock-badge.js"), 200, "Etag"),
        (get("/no-such-path"), 404, "Date"),
        ("OPTIONS /graphql HTTP/1.1\r\nhost: localhost\r\norigin: https://shop.example\r\n\r\n".into(), 200, "Vary"),
        ("nonsense\r\n\r\n".into(), 400, "Content-Length"),
        (get("/health/live").replace("localhost", "evil.example"), 421, "Content-Type"),
    ] {
        let head = head(&shop.url, &request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {head}");
        assert!(names(&head).contains(&name), "{request} {head}");
    }
    shop.close().await;
}

/// Python's `gql` looks the sub-protocol up under this very spelling, and takes the old protocol when it does not find it.
#[tokio::test]
async fn a_handshake_is_spelled_as_its_standard_spells_it() {
    let shop = Shop::open().await;
    let head = head(&shop.url, &upgrade("graphql-transport-ws")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: "), "{head}");
    let names = names(&head);
    assert!(names.contains(&"Connection") && names.contains(&"Upgrade"), "{head}");
    shop.close().await;
}

#[tokio::test]
async fn so_has_what_is_said_before_and_beside_the_service() {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let startup = Startup::open(listener, &TransportConfig::default(), stop.clone());
    let starting = head(&url, &post("{}", "")).await;
    assert!(starting.starts_with("HTTP/1.1 503 ") && names(&starting).contains(&"Retry-After"), "{starting}");
    drop(startup);

    let bounds = ConnectionLimits { open: 1, idle_per_address: 1, grace: Duration::from_mins(1) };
    // Connections of a proxy give way to nobody.
    let connections = ConnectionLimiter::new(bounds, vec!["127.0.0.1/32".parse().expect("a network")]);
    let shop = Shop::open_with_transport(TransportConfig { connections, ..TransportConfig::default() }).await;
    let _only = TcpStream::connect(shop.url.trim_start_matches("http://")).await.expect("a connection");
    let refused = head(&shop.url, "").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && names(&refused).contains(&"Retry-After"), "{refused}");
    shop.close().await;
}
