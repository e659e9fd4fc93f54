//! How much one person may ask for: points for requests, and permits for websockets and event streams. Exactly what is
//! allowed is answered, one more is refused, and nothing of it happens.

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use onhand::config::Role;
use onhand::server::{Rate, RateLimits, SizeLimits, SocketLimiter, TransportConfig};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::support::process::{Process, run};
use crate::support::{Client, Place, SECRET, Shop, Socket, Wanted, eventually, patient_transport, with_tokens};

/// A query that costs a point and a thousandth.
const PLAIN: &str = "{ __typename }";
const PLAIN_COST: u32 = 1_001;

const STOCK: &str = "subscription { stockChanged(productIds: []) { total } }";

/// Points, in thousandths, that do not come back while a test runs.
fn slow(burst: u32) -> Rate {
    Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).expect("some points") }
}

/// A transport with this many thousandths of a point for everybody but staff.
fn with_points(burst: u32) -> TransportConfig {
    TransportConfig { rates: RateLimits::new(slow(burst), None), ..patient_transport() }
}

/// A shop that checks tokens.
async fn production(transport: TransportConfig) -> Shop {
    Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await
}

async fn post(client: &Client, body: &Value, headers: &[(&str, &str)]) -> Response {
    let mut request = client.http.post(format!("{}/graphql", client.url)).json(body);
    if let Some(authorization) = &client.authorization {
        request = request.header("authorization", authorization);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

async fn status(client: &Client, query: &str, headers: &[(&str, &str)]) -> u16 {
    post(client, &json!({ "query": query }), headers).await.status().as_u16()
}

/// Fails unless this is the refusal of somebody who has spent their points.
async fn assert_refused(response: Response) {
    assert_eq!(response.status().as_u16(), 429, "{response:?}");
    let seconds = response.headers()["retry-after"].to_str().expect("text").parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| seconds >= 1), "{response:?}");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{body}");
    assert!(body.get("data").is_none() && body.to_string().len() < 400, "{body}");
}

/// A socket that is refused at the handshake.
async fn refused_at_the_handshake(client: &Client) -> (u16, Value) {
    let opened = Socket::try_open(&client.url, "graphql-transport-ws", &[]).await;
    let (status, body) = opened.err().expect("it is refused");
    (status, body["errors"][0]["extensions"]["code"].clone())
}

/// Opens a socket as somebody and says hello: the code that it is closed with.
async fn closed_at_hello(client: &Client) -> u16 {
    let mut socket = Socket::connect(&client.url, "graphql-transport-ws").await;
    let payload = json!({ "Authorization": client.authorization });
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    socket.closed().await
}

#[tokio::test]
async fn everybody_has_so_many_points_and_staff_are_not_counted() {
    let shop = production(with_points(3 * PLAIN_COST)).await;
    let (ada, bob) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Customer, "bob").await);
    for client in [&ada, &bob, &*shop] {
        for _ in 0..3 {
            assert_eq!(status(client, PLAIN, &[]).await, 200);
        }
        let mut get = client.http.get(format!("{}/graphql?query={PLAIN}", client.url));
        if let Some(authorization) = &client.authorization {
            get = get.header("authorization", authorization);
        }
        assert_refused(get.send().await.expect("an answer")).await;
        assert_refused(post(client, &json!({ "query": PLAIN }), &[]).await).await;
        assert_refused(post(client, &json!({ "query": "{" }), &[]).await).await;
        assert_refused(post(client, &json!([]), &[]).await).await;
    }
    let again = shop.signed_in(Role::Customer, "ada").await;
    assert_eq!(status(&again, PLAIN, &[]).await, 429, "another token of hers makes no difference");
    let staff = shop.signed_in(Role::Staff, "ada").await;
    for _ in 0..20 {
        assert_eq!(status(&staff, PLAIN, &[]).await, 200);
    }
    shop.close().await;
}

#[tokio::test]
async fn staff_are_counted_when_that_is_set_and_nobody_in_development() {
    let transport = || TransportConfig {
        rates: RateLimits::new(slow(PLAIN_COST), Some(slow(2 * PLAIN_COST))),
        client_sockets: SocketLimiter::new(1, 1, Some(1)),
        ..patient_transport()
    };
    let shop = production(transport()).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    for right in [200, 200, 429] {
        assert_eq!(status(&staff, PLAIN, &[]).await, right);
    }
    let socket = Socket::open(&staff).await;
    drop(socket);
    shop.close().await;
    let shop = Shop::open_with_transport(transport()).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        assert_eq!(status(&shop, PLAIN, &[]).await, 200);
        sockets.push(Socket::open(&shop).await);
    }
    shop.close().await;
}

#[tokio::test]
async fn a_bad_token_costs_its_address_a_point() {
    let shop = production(with_points(2_000)).await;
    let stranger = Client { authorization: Some("Bearer nonsense".to_owned()), ..Client::clone(&shop) };
    for right in [401, 401, 429] {
        assert_eq!(status(&stranger, PLAIN, &[]).await, right);
    }
    assert_eq!(status(&shop, PLAIN, &[]).await, 429);
    shop.close().await;
}

#[tokio::test]
async fn a_request_costs_more_by_what_it_asks_for() {
    let rows = "{ products(first: 50) { nodes { id sku } } }";
    let shop = production(with_points(2 * 1_102)).await;
    for right in [200, 200, 429] {
        assert_eq!(status(&shop, rows, &[]).await, right);
    }
    // Nobody ever has enough for this one, so that there is nothing to wait for.
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let small = production(with_points(1_500)).await;
    let all = "{ products(first: 100) { nodes { id sku name slug status } } }";
    let refused = post(&small, &json!({ "query": all }), &[]).await;
    assert_eq!(refused.status().as_u16(), 400);
    assert!(!refused.headers().contains_key("retry-after"));
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{body}");
    assert_eq!(status(&ada, all, &[]).await, 200, "with more points it is answered");
    let guest = production(with_points(2_500)).await;
    let mut socket = Socket::open(&guest).await;
    socket.subscribe("1", all, json!({})).await;
    let message = socket.next().await;
    assert_eq!(
        message["payload"][0]["extensions"]["code"], "RATE_LIMITED",
        "a point is spent for opening it: {message}"
    );
    small.close().await;
    guest.close().await;
    shop.close().await;
}

#[tokio::test]
async fn of_a_refused_payment_nothing_happens() {
    let shop = production(with_points(2 * PLAIN_COST)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 5).await;
    let order = staff.order(&[(&mug, 1)]).await;
    let before = staff.log(&mug).await;
    while status(&shop, PLAIN, &[]).await == 200 {}
    let query = "mutation($input: PayOrderInput!) { payOrder(input: $input) { order { payment } } }";
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "succeed" });
    assert_refused(post(&shop, &json!({ "query": query, "variables": { "input": input } }), &[]).await).await;
    assert_eq!((staff.log(&mug).await, staff.stock(&mug).await), (before, (5, 0, 5)), "nothing moved");
    let read = staff.data("query($id: ID!) { order(id: $id) { payment payments { id } } }", json!({ "id": order }));
    assert_eq!(read.await["order"], json!({ "payment": "UNPAID", "payments": [] }));
    let ada = shop.signed_in(Role::Customer, "ada").await;
    assert_eq!(status(&ada, PLAIN, &[]).await, 200, "she has points of her own");
    staff.pay_sandbox(&order, "succeed").await;
    assert_eq!(staff.stock(&mug).await, (5, 1, 4));
    shop.close().await;
}

#[tokio::test]
async fn on_a_websocket_each_operation_costs_the_same_and_the_socket_stays() {
    // A point for opening it.
    let shop = production(with_points(1_000 + 2 * PLAIN_COST)).await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let mut socket = Socket::open(&shop).await;
    for id in ["1", "2"] {
        socket.subscribe(id, PLAIN, json!({})).await;
        assert_eq!(socket.data(id).await["__typename"], "Query");
        assert_eq!(socket.next().await["type"], "complete");
    }
    for (id, query) in [("3", PLAIN), ("4", STOCK), ("5", "{"), ("6", "mutation { createCart { cart { id } } }")] {
        socket.subscribe(id, query, json!({})).await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
    }
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
    assert_eq!(refused_at_the_handshake(&ada).await, (429, json!("RATE_LIMITED")), "opening one costs its address");
    assert_eq!(status(&ada, PLAIN, &[]).await, 200);
    shop.close().await;
}

#[tokio::test]
async fn on_a_websocket_a_customer_spends_their_own_points() {
    let shop = production(with_points(2 * PLAIN_COST)).await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let mut socket = Socket::open(&ada).await;
    for (id, right) in [("1", "next"), ("2", "next"), ("3", "error")] {
        socket.subscribe(id, PLAIN, json!({})).await;
        assert_eq!(socket.next().await["type"], right);
        if right == "next" {
            assert_eq!(socket.next().await["type"], "complete");
        }
    }
    assert_eq!(status(&ada, PLAIN, &[]).await, 429, "over HTTP they are the same points");
    shop.close().await;
}

#[tokio::test]
async fn event_streams_and_persisted_queries_cost_the_same() {
    let hash = format!("{:x}", Sha256::digest(PLAIN));
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let shop = production(with_points(2 * PLAIN_COST + 1_003)).await;
    let whole = json!({ "query": PLAIN, "extensions": extensions });
    assert_eq!(post(&shop, &whole, &[]).await.status().as_u16(), 200);
    let by_hash = json!({ "extensions": extensions });
    assert_eq!(post(&shop, &by_hash, &[]).await.status().as_u16(), 200);
    let events = [("accept", "text/event-stream")];
    let stream = post(&shop, &json!({ "query": STOCK }), &events).await;
    assert_eq!(
        (stream.status().as_u16(), &stream.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_refused(post(&shop, &by_hash, &[]).await).await;
    assert_refused(post(&shop, &json!({ "query": STOCK }), &events).await).await;
    assert_refused(post(&shop, &json!({ "query": PLAIN }), &events).await).await;
    shop.close().await;
}

#[tokio::test]
async fn whoever_comes_back_when_they_were_told_to_is_answered() {
    let rates = RateLimits::new(
        Rate { per_second: NonZeroU32::new(600).expect("a rate"), burst: slow(PLAIN_COST).burst },
        None,
    );
    let shop = production(TransportConfig { rates, ..patient_transport() }).await;
    // At the same time, so that even on a slow machine there are not points for all of them.
    let body = json!({ "query": PLAIN });
    let answers = join_all((0..20).map(|_| post(&shop, &body, &[]))).await;
    let refused = answers.iter().filter(|answer| answer.status().as_u16() == 429);
    let seconds = refused.map(|answer| answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap()).max();
    sleep(Duration::from_secs(seconds.expect("one of them is refused"))).await;
    assert_eq!(status(&shop, PLAIN, &[]).await, 200);
    shop.close().await;
}

#[tokio::test]
async fn guests_are_told_apart_by_what_a_trusted_proxy_says_and_by_nobody_else() {
    let trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network"), "10.0.0.0/8".parse().expect("a network")];
    let shop = production(TransportConfig { trusted_proxies, ..with_points(PLAIN_COST) }).await;
    for (forwarded, right) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("198.51.100.1, 192.0.2.2", 429),
        ("192.0.2.2, 10.1.1.1", 429),
        ("2001:db8::1", 200),
        ("2001:db8::ffff", 429),
        ("2001:db8:0:1::1", 200),
        ("nonsense", 200),
        ("other nonsense", 429),
    ] {
        assert_eq!(status(&shop, PLAIN, &[("x-forwarded-for", forwarded)]).await, right, "{forwarded}");
    }
    assert_eq!(status(&shop, PLAIN, &[]).await, 429, "what cannot be read counts for the peer");
    shop.close().await;
    let shop = production(with_points(PLAIN_COST)).await;
    for (forwarded, right) in [("192.0.2.1", 200), ("192.0.2.2", 429)] {
        assert_eq!(status(&shop, PLAIN, &[("x-forwarded-for", forwarded)]).await, right, "{forwarded}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_customer_has_so_many_sockets_and_event_streams_together() {
    let shop =
        production(TransportConfig { client_sockets: SocketLimiter::new(2, 1, None), ..patient_transport() }).await;
    let (ada, bob) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Customer, "bob").await);
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let events = [("accept", "text/event-stream")];
    let stream = |client: Client| async move { post(&client, &json!({ "query": STOCK }), &events).await };
    let socket = Socket::open(&ada).await;
    let following = stream(ada.clone()).await;
    assert_eq!(following.status().as_u16(), 200);
    assert_eq!(closed_at_hello(&ada).await, 4429);
    assert_refused(stream(ada.clone()).await).await;
    let others = [Socket::open(&bob).await, Socket::open(&bob).await];
    assert_refused(stream(bob.clone()).await).await;
    let mut unlimited = Vec::new();
    for _ in 0..5 {
        unlimited.push(Socket::open(&staff).await);
    }
    drop(socket);
    eventually("there is a permit again", || async { stream(ada.clone()).await.status().as_u16() == 200 }).await;
    drop((following, others, unlimited));
    shop.close().await;
}

#[tokio::test]
async fn guests_have_so_many_sockets_at_one_address() {
    let trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let shop = production(TransportConfig {
        client_sockets: SocketLimiter::new(1, 2, None),
        trusted_proxies,
        ..patient_transport()
    })
    .await;
    let open = async |address: &'static str| {
        Socket::try_open(&shop.url, "graphql-transport-ws", &[("x-forwarded-for", address)]).await
    };
    let mut first = open("192.0.2.1").await.expect("a socket");
    first.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(first.next().await["type"], "connection_ack");
    let forwarded = [("accept", "text/event-stream"), ("x-forwarded-for", "192.0.2.1")];
    let following = post(&shop, &json!({ "query": STOCK }), &forwarded).await;
    assert_eq!(following.status().as_u16(), 200);
    let (status, body) = open("192.0.2.1").await.err().expect("there is no permit");
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (429, &json!("RATE_LIMITED")), "{body}");
    assert_refused(post(&shop, &json!({ "query": STOCK }), &forwarded).await).await;
    assert!(open("192.0.2.2").await.is_ok(), "at another address there is");
    drop(first);
    eventually("there is a permit again", || async { open("192.0.2.1").await.is_ok() }).await;
    drop(following);
    shop.close().await;
}

#[tokio::test]
async fn sizes_are_what_they_are_set_to() {
    let room = SizeLimits { body: 2_048, message: 1_024, operations: 2, ..SizeLimits::default() };
    let shop = Shop::open_with_transport(TransportConfig { sizes: room, ..patient_transport() }).await;
    let body = |size: usize| format!("{:size$}", json!({ "query": PLAIN }).to_string());
    for (size, right) in [(2_048, 200), (2_049, 413)] {
        let request = shop.http.post(format!("{}/graphql", shop.url)).header("content-type", "application/json");
        assert_eq!(request.body(body(size)).send().await.expect("an answer").status().as_u16(), right, "{size}");
    }
    let mut socket = Socket::open(&shop).await;
    let ping = |size: usize| Message::Text(format!("{:size$}", json!({ "type": "ping" }).to_string()).into());
    socket.send_raw(ping(1_024)).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
    for id in ["1", "2", "3"] {
        socket.subscribe(id, STOCK, json!({})).await;
    }
    let refused = socket.next().await;
    assert_eq!((&refused["id"], &refused["payload"][0]["extensions"]["code"]), (&json!("3"), &json!("LIMIT_EXCEEDED")));
    socket.send_raw(ping(1_025)).await;
    assert_eq!(socket.closed().await, 1009);
    shop.close().await;
}

#[tokio::test]
async fn limits_are_what_the_command_line_says() {
    let place = Place::new().await;
    let (code, text) = run(&place, &["--max-depth", "0"]).await;
    assert!(code == 2 && text.contains("--max-depth") && text.contains("from 3 to 16"), "{code}: {text}");
    let (code, text) = run(&place, &["--pay-lease", "20s"]).await;
    assert!(code == 2 && text.contains("ONHAND_PAY_GATEWAY"), "{code}: {text}");
    let (code, text) = run(&place, &["--pay-answer", "5s"]).await;
    assert!(code == 2 && text.contains("ONHAND_WAIT_REQUEST"), "{code}: {text}");
    let tokens = ["--secret", SECRET, "--issuer", "tests", "--audience", "shop"];
    let limits = ["--max-depth", "3", "--max-body", "2048", "--max-variables-size", "1024", "--rate", "1"];
    let limits = [&tokens[..], &limits[..], &["--rate-burst", "2"]].concat();
    let process = Process::start_with(&place, &limits).await;
    let code = |answer: Option<Value>| answer.expect("an answer")["errors"][0]["extensions"]["code"].clone();
    let deep = "{ products { nodes { stock { total } } } }";
    assert_eq!(code(process.ask(deep, json!({})).await), "LIMIT_EXCEEDED");
    let answers = join_all((0..20).map(|_| process.ask(PLAIN, json!({})))).await;
    assert!(answers.into_iter().any(|answer| code(answer) == "RATE_LIMITED"));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(code(process.ask(PLAIN, json!({ "a": "x".repeat(2_048) })).await), "LIMIT_EXCEEDED");
    assert!(process.stop("TERM").await.success());
}
