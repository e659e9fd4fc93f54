//! Answers are bounded while they are made, while they are written, and while they wait to be read.

use std::time::Duration;

use onhand::config::Role;
use onhand::server::{AnswerMemory, AnswerMemoryLimits, SizeLimits, Timeouts, TransportConfig};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Client, PATIENCE, Shop, Socket, Wanted, eventually, with_tokens};

const LIMIT: &str = "LIMIT_EXCEEDED";

/// The contents of one cart, as often as its id is named.
const CARTS: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Cart { items { product { description } } } } }";

/// Longest description, with quotation marks that take twice as much in JSON.
fn description() -> String {
    format!("{}{}", "\"".repeat(100), "x".repeat(9_900))
}

/// A shop with so many products that have much to say, and a cart with all of them.
async fn with_cart(wanted: Wanted, products: usize) -> (Shop, String) {
    let is_development = wanted.access.secret.is_none();
    let shop = Shop::open_as(wanted).await;
    let staff = if is_development { (*shop).clone() } else { shop.signed_in(Role::Staff, "sam").await };
    let mut items = Vec::new();
    for at in 0..products {
        let input = json!({ "sku": format!("P{at}"), "name": "A product", "description": description(), "manageStock": false,
            "price": { "amount": 1, "currency": "EUR" } });
        let query = "mutation($input: CreateProductInput!) { createProduct(input: $input) { product { id } } }";
        let made = staff.data(query, json!({ "input": input })).await;
        items.push(json!({ "productId": made["createProduct"]["product"]["id"], "quantity": 1 }));
    }
    let query = "mutation($items: [CartItemInput!]) { createCart(input: { items: $items }) { cart { id } } }";
    let cart = shop.data(query, json!({ "items": items })).await["createCart"]["cart"]["id"].clone();
    (shop, cart.as_str().expect("an id").to_owned())
}

fn times(cart: &str, count: usize) -> Value {
    json!({ "ids": vec![cart; count] })
}

fn body(cart: &str, count: usize) -> Value {
    json!({ "query": CARTS, "variables": times(cart, count) })
}

#[tokio::test]
async fn rows_and_texts_are_charged_as_they_are_resolved() {
    let (shop, cart) = with_cart(Wanted::default(), 20).await;
    // 2 MB, and 18 MB, for about the same estimate.
    let whole = shop.data(CARTS, times(&cart, 10)).await;
    assert_eq!(whole["nodes"].as_array().map(Vec::len), Some(10));
    assert_eq!(whole["nodes"][9]["items"][19]["product"]["description"], description());
    let refused = shop.ask(CARTS, times(&cart, 90)).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], LIMIT, "{refused}");
    assert_eq!((&refused["data"], refused["errors"].as_array().map(Vec::len)), (&Value::Null, Some(1)));

    let events = shop.client().post(format!("{}/graphql", shop.url)).header("accept", "text/event-stream");
    let events = events.json(&body(&cart, 90)).send().await.expect("an answer").text().await.expect("text");
    assert!(events.contains(LIMIT) && events.contains("event: complete"), "{events}");
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("1", CARTS, times(&cart, 90)).await;
    let next = socket.next().await;
    assert_eq!(next["payload"]["errors"][0]["extensions"]["code"], LIMIT, "{next}");
    assert_eq!(socket.next().await["type"], "complete");
    socket.subscribe("2", CARTS, times(&cart, 10)).await;
    assert_eq!(socket.data("2").await, whole, "and the socket goes on");
    shop.close().await;
}

/// What no text charges: fields under many names, in rows that no page bounds.
#[tokio::test]
async fn fields_are_charged_without_any_text() {
    let (shop, cart) = with_cart(Wanted::default(), 100).await;
    let fields = (0..25).map(|at| format!("a{at}: quantity")).collect::<Vec<_>>().join(" ");
    let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Cart {{ items {{ {fields} }} }} }} }}");
    assert_eq!(shop.code(&query, times(&cart, 70)).await, LIMIT);
    let whole = shop.data(&query, times(&cart, 7)).await;
    assert_eq!(whole["nodes"][6]["items"][99]["a24"], 1);
    shop.close().await;
}

/// The answer as it is sent has exactly as many bytes as it may have.
#[tokio::test]
async fn an_answer_has_as_many_bytes_as_are_allowed_and_not_one_more() {
    let query = "{ products(first: 100) { nodes { description } } }";
    let (shop, _) = with_cart(Wanted::default(), 30).await;
    let answer = shop.ask(query, json!({})).await.to_string();
    shop.close().await;
    for (most, is_allowed) in [(answer.len(), true), (answer.len() - 1, false)] {
        let room = SizeLimits { answer: most, ..SizeLimits::default() };
        let (shop, _) = with_cart(
            Wanted { transport: TransportConfig { sizes: room, ..TransportConfig::default() }, ..Wanted::default() },
            30,
        )
        .await;
        let found = shop.ask(query, json!({})).await;
        if is_allowed {
            assert_eq!(found.to_string(), answer);
        } else {
            assert_eq!(found["errors"][0]["extensions"]["code"], LIMIT, "{found}");
        }
        shop.close().await;
    }
}

/// Somebody who asks for an answer and does not read it.
async fn stalled(shop: &Client, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // So that the kernel takes as little as may be for whoever does not read.
    socket.set_recv_buffer_size(4_096).expect("a socket option");
    let address = shop.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a connection");
    let body = body.to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("it is taken");
    stream
}

fn with_unsent(total: usize, per_client: usize, grace: Duration) -> (TransportConfig, AnswerMemory) {
    // Answers of some megabytes take their time where nothing is optimised.
    let times = Timeouts { request: PATIENCE, ..Timeouts::default() };
    let transport = TransportConfig {
        timeouts: times,
        answer_memory: AnswerMemory::new(AnswerMemoryLimits { total, per_client, grace }),
        ..TransportConfig::default()
    };
    let unsent = transport.answer_memory.clone();
    (transport, unsent)
}

const MEGABYTE: usize = 1_024 * 1_024;

#[tokio::test]
async fn readers_who_do_not_read_give_way_to_those_who_do() {
    let (transport, unsent) = with_unsent(8 * MEGABYTE, 8 * MEGABYTE, Duration::ZERO);
    let (shop, cart) = with_cart(Wanted { transport, ..Wanted::default() }, 20).await;
    let large = body(&cart, 19);
    let mut readers = Vec::new();
    for _ in 0..8 {
        readers.push(stalled(&shop, &large).await);
        assert!(unsent.bytes() <= 8 * MEGABYTE, "{} bytes", unsent.bytes());
    }
    eventually("some are waited for", || async { unsent.bytes() > MEGABYTE }).await;
    for _ in 0..3 {
        let whole = shop.data(CARTS, times(&cart, 19)).await;
        assert_eq!(whole["nodes"].as_array().map(Vec::len), Some(19));
    }
    drop(readers);
    eventually("nothing is kept for who is gone", || async { unsent.bytes() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn one_client_has_so_much_unread_and_others_go_on() {
    let (transport, unsent) = with_unsent(100 * MEGABYTE, 8 * MEGABYTE, Duration::from_hours(1));
    let (shop, cart) = with_cart(Wanted { access: with_tokens(), transport, ..Wanted::default() }, 20).await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let large = body(&cart, 19);
    let mut readers = Vec::new();
    let mut refused = Value::Null;
    while refused.is_null() && readers.len() < 20 {
        readers.push(stalled(&shop, &large).await);
        let answer = shop.ask(CARTS, times(&cart, 19)).await;
        refused = answer["errors"][0]["extensions"]["code"].clone();
    }
    assert_eq!(refused, "RATE_LIMITED", "the guests at this address are full");
    assert!(unsent.bytes() <= 8 * MEGABYTE, "{} bytes", unsent.bytes());
    assert_eq!(shop.data("{ __typename }", json!({})).await["__typename"], "Query", "small answers are not counted");
    let products = "{ products(first: 20) { nodes { description } } }";
    assert_eq!(ada.data(products, json!({})).await["products"]["nodes"].as_array().map(Vec::len), Some(20));
    drop(readers);
    eventually("nothing is kept for who is gone", || async { unsent.bytes() == 0 }).await;
    assert_eq!(shop.data(CARTS, times(&cart, 19)).await["nodes"].as_array().map(Vec::len), Some(19));
    shop.close().await;
}

#[tokio::test]
async fn a_subscription_without_memory_ends_its_socket_when_what_was_begun_is_answered() {
    let (transport, _) = with_unsent(16 * 1_024, 16 * 1_024, Duration::from_hours(1));
    let requests = transport.requests.clone();
    let shop = Shop::open_with_transport(transport).await;
    let input = json!({ "sku": "MUG", "name": "Mug", "description": description(), "initialStock": 5,
        "price": { "amount": 1, "currency": "EUR" } });
    let query = "mutation($input: CreateProductInput!) { createProduct(input: $input) { product { id } } }";
    let made = shop.data(query, json!({ "input": input })).await;
    let mug = made["createProduct"]["product"]["id"].as_str().expect("an id").to_owned();
    let order = shop.order(&[(&mug, 1)]).await;
    let pay = format!(
        "mutation {{ payOrder(input: {{ orderId: \"{order}\", gateway: \"sandbox\", token: \"delay:1500\", idempotencyKey: \"a\" }}) {{ order {{ payment }} }} }}"
    );
    let much = (0..9).map(|at| format!("a{at}: product {{ description }}")).collect::<Vec<_>>().join(" ");
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("m", &pay, json!({})).await;
    eventually("it runs", || async { requests.in_use() == 1 }).await;
    let follow = format!("subscription($ids: [ID!]!) {{ stockChanged(productIds: $ids) {{ {much} }} }}");
    socket.subscribe("s", &follow, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("m").await["payOrder"]["order"]["payment"], "PAID");
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "m" }));
    assert_eq!(socket.closed().await, 1013);
    shop.close().await;
}
