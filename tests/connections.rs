//! TCP connections that nothing is done on: how many there may be, and who gives way.

use std::time::Duration;

use onhand::server::{ConnectionLimiter, ConnectionLimits, TransportConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Place, Process, Shop, Socket, eventually};

const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn transport(open: usize, idle_per_address: usize, trusted_proxies: &[&str]) -> TransportConfig {
    let bounds = ConnectionLimits { open, idle_per_address, grace: Duration::ZERO };
    let trusted_proxies = trusted_proxies.iter().map(|proxy| proxy.parse().expect("a network")).collect();
    TransportConfig { connections: ConnectionLimiter::new(bounds, trusted_proxies), ..TransportConfig::default() }
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection")
}

async fn silent(url: &str, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(connect(url).await);
    }
    all
}

/// Sends a request over a connection that is open already: the status line, or nothing when it was closed.
async fn request(stream: &mut TcpStream) -> String {
    let mut answer = [0; 4_096];
    let asked = async {
        stream.write_all(REQUEST).await?;
        stream.read(&mut answer).await
    };
    let length = timeout(PATIENCE, asked).await.expect("an answer or an end in time").unwrap_or_default();
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

/// How many of these connections are still served.
async fn served(all: &mut [TcpStream]) -> usize {
    let mut count = 0;
    for stream in all {
        count += usize::from(request(stream).await.starts_with("HTTP/1.1 200"));
    }
    count
}

#[tokio::test]
async fn silent_connections_give_way_to_those_who_have_something_to_say() {
    let transport = transport(20, 1_000, &[]);
    let connections = transport.connections.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mut socket = Socket::open(&shop).await;
    let _silent = silent(&shop.url, 200).await;
    // What was opened last is served, and what has something to do has not given way.
    let mut last = connect(&shop.url).await;
    assert_eq!(request(&mut last).await, "HTTP/1.1 200 OK");
    eventually("no more than 20 are open", || async { connections.open() <= 20 }).await;
    socket.subscribe("1", "{ __typename }", json!({})).await;
    assert_eq!(socket.data("1").await["__typename"], "Query");
    shop.close().await;
}

#[tokio::test]
async fn where_nobody_gives_way_the_next_one_is_refused_at_once() {
    let transport = transport(4, 1_000, &[]);
    let connections = transport.connections.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(Socket::open(&shop).await);
    }
    let mut refused = String::new();
    connect(&shop.url).await.read_to_string(&mut refused).await.expect("an end");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("Retry-After"), "{refused}");
    sockets.pop();
    eventually("there is room again", || async { connections.open() < 4 }).await;
    assert_eq!(request(&mut connect(&shop.url).await).await, "HTTP/1.1 200 OK");
    drop(sockets);
    shop.close().await;
}

#[tokio::test]
async fn of_one_address_so_many_are_idle_and_the_oldest_ends_first() {
    let shop = Shop::open_with_transport(transport(1_000, 8, &[])).await;
    let mut socket = Socket::open(&shop).await;
    let mut all = silent(&shop.url, 30).await;
    // A connection that is served after all the others were accepted.
    assert_eq!(request(&mut connect(&shop.url).await).await, "HTTP/1.1 200 OK");
    let served = served(&mut all[..22]).await;
    assert_eq!(served, 0, "the oldest have ended");
    assert_eq!(request(&mut all[29]).await, "HTTP/1.1 200 OK", "the newest has not");
    socket.subscribe("1", "{ __typename }", json!({})).await;
    assert_eq!(socket.data("1").await["__typename"], "Query", "a websocket is not idle");
    shop.close().await;
}

/// Behind a proxy all connections come from one address, and it keeps some open for its next request.
#[tokio::test]
async fn a_trusted_proxy_keeps_as_many_as_it_likes() {
    let shop = Shop::open_with_transport(transport(24, 8, &["127.0.0.1/32"])).await;
    let mut all = silent(&shop.url, 20).await;
    assert_eq!(served(&mut all).await, 20);
    assert_eq!(served(&mut all).await, 20, "also after a request");
    let mut more = silent(&shop.url, 10).await;
    assert_eq!(request(&mut more[9]).await, "HTTP/1.1 503 Service Unavailable", "there is no room for more");
    assert_eq!(served(&mut all).await, 20, "and no connection of the proxy gave way");
    shop.close().await;
}

/// With more silent connections than it may open files, it still serves, from its database, too.
#[tokio::test]
async fn connections_leave_enough_files_for_the_database() {
    let place = Place::new().await;
    let process = Process::start_with_files(&place, 576).await;
    let held = silent(&process.url, 700).await;
    let query = "{ products(first: 1) { nodes { stock { available } } } }";
    let answer = process.ask(query, json!({})).await.expect("an answer");
    assert!(answer.get("errors").is_none(), "{answer}");
    let log = process.log();
    process.stop("TERM").await;
    drop(held);
    let log = log.lock().expect("nobody panicked").clone();
    assert!(log.contains("ulimit") && !log.contains("could not be accepted"), "{log}");
    assert!(log.contains("ONHAND_MAX_SOCKETS"), "as many websockets as are allowed can never be open: {log}");
}
