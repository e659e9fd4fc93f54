//! Mutations over a websocket, and as events: served as over HTTP, to their end whatever becomes of the connection, and with
//! a key where the mutation takes one.

use std::time::Duration;

use onhand::config::Role;
use onhand::server::{ConcurrencyLimit, Rate, RateLimits, Timeouts, TransportConfig};
use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, Shop, Socket, Wanted, eventually, with_tokens};

const ADJUST: &str =
    "mutation($i: AdjustStockInput!) { adjustStock(input: $i) { stocks { total } userErrors { code } } }";
const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";

/// Times that no busy machine exceeds.
fn patient() -> Timeouts {
    Timeouts { request: PATIENCE, drain: PATIENCE, ..Timeouts::default() }
}

fn receive(product: &str, quantity: i32, key: &str) -> Value {
    let change = json!([{ "productId": product, "action": "INCREMENT", "quantity": quantity }]);
    json!({ "i": { "changes": change, "idempotencyKey": key } })
}

/// The one answer of an operation.
async fn answer(socket: &mut Socket, id: &str) -> Value {
    let data = socket.data(id).await;
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": id }));
    data
}

/// The first code of an operation's error.
async fn refusal(socket: &mut Socket, id: &str) -> Value {
    let message = socket.next().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
    message["payload"][0]["extensions"]["code"].clone()
}

#[tokio::test]
async fn they_are_served_in_order_beside_what_is_followed() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    let set = |alias: &str, to: i32| {
        format!(
            "{alias}: adjustStock(input: {{ idempotencyKey: \"{alias}\", changes: [{{ productId: \"{mug}\", action: SET, quantity: {to} }}] }}) {{ stocks {{ total }} }}"
        )
    };
    let document = format!("mutation {{ {} ...on Mutation {{ {} }} {} }}", set("z", 7), set("y", 3), set("x", 9));
    socket.subscribe("m", &document, json!({})).await;
    let one = |total| json!({ "stocks": [{ "total": total }] });
    let answered = answer(&mut socket, "m").await;
    assert_eq!(answered, json!({ "z": one(7), "y": one(3), "x": one(9) }));
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "SET 7", "SET 3", "SET 9"], "one after the other");

    socket.subscribe("s", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("s").await["stockChanged"]["total"], 9);
    socket.subscribe("m", ADJUST, receive(&mug, 1, "one more")).await;
    let (mut told, mut completed, mut seen) = (false, false, false);
    while !(told && completed && seen) {
        let message = socket.next().await;
        match (message["id"].as_str(), message["type"].as_str()) {
            (Some("m"), Some("next")) => told = true,
            (Some("m"), Some("complete")) => completed = true,
            _ => seen = message["payload"]["data"]["stockChanged"]["total"] == 10,
        }
    }
    // What is refused by the business is an answer; what cannot be executed is an error, and the socket lives on.
    socket.subscribe("m", ADJUST, json!({ "i": { "changes": [], "idempotencyKey": "none" } })).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    socket.subscribe("m", "mutation { nothing }", json!({})).await;
    assert_eq!(refusal(&mut socket, "m").await, "GRAPHQL_VALIDATION_FAILED");
    shop.close().await;
}

#[tokio::test]
async fn a_mutation_that_takes_a_key_needs_one() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let cart = shop.cart(&[]).await;
    let item = format!("items: [{{ productId: \"{mug}\", quantity: 1 }}]");
    let add = |key: &str| format!("addToCart(input: {{ cartId: \"{cart}\", {item} {key} }}) {{ cart {{ id }} }}");
    let whole = "mutation($i: AddToCartInput!) { addToCart(input: $i) { cart { id } } }";
    let field = |more: &str| format!("mutation($k: String{more}) {{ {} }}", add("idempotencyKey: $k"));
    let fragment = format!("mutation {{ ...F }} fragment F on Mutation {{ ...{{ a: {} }} }}", add(""));
    let input = json!({ "i": { "cartId": cart, "items": [] } });
    let null = json!({ "i": { "cartId": cart, "items": [], "idempotencyKey": null } });
    let dry = |dry: &str| {
        let variable = if dry.contains('$') { "($dry: Boolean)" } else { "" };
        format!("mutation{variable} {{ adjustStock(input: {{ changes: [], {dry} }}) {{ userErrors {{ code }} }} }}")
    };
    let whole_dry = "mutation($i: AdjustStockInput!) { adjustStock(input: $i) { userErrors { code } } }";
    let mut socket = Socket::open(&shop).await;
    for (document, variables) in [
        (format!("mutation {{ {} }}", add("")), json!({})),
        (format!("mutation {{ {} }}", add("idempotencyKey: null")), json!({})),
        (format!("mutation {{ a: {} b: {} }}", add("idempotencyKey: \"a\""), add("")), json!({})),
        (format!("mutation {{ createCart {{ cart {{ id }} }} {} }}", add("")), json!({})),
        (fragment, json!({})),
        (field(""), json!({})),
        (field(""), json!({ "k": null })),
        (whole.to_owned(), input),
        (whole.to_owned(), null),
    ] {
        socket.subscribe("1", &document, variables.clone()).await;
        let message = socket.next().await;
        assert_eq!(message["type"], "error", "{document}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], "BAD_USER_INPUT", "{document}: {message}");
        let told = message["payload"][0]["message"].as_str().unwrap_or_default();
        assert!(told.contains("`addToCart` needs an `idempotencyKey`"), "{told}");
        let body = json!({ "query": document, "variables": variables });
        let events =
            shop.client().post(format!("{}/graphql", shop.url)).json(&body).header("accept", "text/event-stream");
        let events = events.send().await.expect("an answer").text().await.expect("text");
        assert!(events.contains("BAD_USER_INPUT") && events.contains("event: complete"), "{document}: {events}");
    }
    assert_eq!(shop.read_cart(&cart).await["totalQuantity"], 0, "nothing was executed");
    for (document, variables) in [
        (format!("mutation {{ {} }}", add("idempotencyKey: \"1\"")), json!({})),
        (field(""), json!({ "k": "2" })),
        (field(" = \"3\""), json!({})),
        (whole.to_owned(), json!({ "i": { "cartId": cart, "items": [], "idempotencyKey": "4" } })),
        (format!("mutation {{ createCart {{ cart {{ id }} }} ...@skip(if: true) {{ {} }} }}", add("")), json!({})),
        ("mutation { createCart { cart { id } } }".to_owned(), json!({})),
        (dry("dryRun: true"), json!({})),
        (dry("dryRun: $dry"), json!({ "dry": true })),
        (whole_dry.to_owned(), json!({ "i": { "changes": [], "dryRun": true } })),
    ] {
        socket.subscribe("1", &document, variables).await;
        answer(&mut socket, "1").await;
    }
    for (document, variables) in [
        (dry("dryRun: false"), json!({})),
        (dry("dryRun: $dry"), json!({ "dry": false })),
        (dry("dryRun: $dry"), json!({})),
        (whole_dry.to_owned(), json!({ "i": { "changes": [], "dryRun": false } })),
        (whole_dry.to_owned(), json!({ "i": { "changes": [] } })),
    ] {
        socket.subscribe("1", &document, variables.clone()).await;
        assert_eq!(refusal(&mut socket, "1").await, "BAD_USER_INPUT", "{document} {variables}");
    }
    shop.data(&format!("mutation {{ {} }}", add("")), json!({})).await;
    shop.close().await;
}

#[tokio::test]
async fn a_key_is_the_same_over_whatever_it_comes() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let variables = receive(&mug, 2, "delivery 7");
    let first = shop.data(ADJUST, variables.clone()).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("1", ADJUST, variables.clone()).await;
    assert_eq!(answer(&mut socket, "1").await, first);
    let body = json!({ "query": ADJUST, "variables": variables });
    let events = shop.client().post(format!("{}/graphql", shop.url)).json(&body).header("accept", "text/event-stream");
    let events = events.send().await.expect("an answer").text().await.expect("text");
    assert!(events.contains(&format!("event: next\ndata: {}\n\n", json!({ "data": first }))), "{events}");
    assert_eq!(shop.stock(&mug).await, (7, 0, 7), "once");

    // A link does nothing, whatever it accepts.
    let link = shop.client().get(format!("{}/graphql", shop.url)).header("accept", "text/event-stream");
    let link = link.query(&[("query", ADJUST), ("variables", &receive(&mug, 2, "link").to_string())]);
    let refused = link.send().await.expect("an answer").text().await.expect("text");
    assert!(refused.contains("GET is for queries") && refused.contains("BAD_USER_INPUT"), "{refused}");
    assert_eq!(shop.stock(&mug).await, (7, 0, 7));
    shop.close().await;
}

/// Two mutations in one document, the first of which takes its time at the gateway.
async fn two_payments(shop: &Client) -> (String, [String; 2]) {
    let mug = shop.product("MUG", 5).await;
    let orders = [shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await];
    let pay = |order: &str, token: &str| {
        format!(
            "payOrder(input: {{ orderId: \"{order}\", gateway: \"sandbox\", token: \"{token}\", idempotencyKey: \"{order}\" }}) {{ order {{ payment }} }}"
        )
    };
    let document = format!("mutation {{ a: {} b: {} }}", pay(&orders[0], "delay:1500"), pay(&orders[1], "succeed"));
    (document, orders)
}

async fn all_are_paid(shop: &Shop, orders: &[String]) {
    for order in orders {
        eventually("it is paid", || async { shop.read_order(order).await["payment"] == "PAID" }).await;
    }
}

#[tokio::test]
async fn they_run_to_their_end_when_nobody_waits_for_them() {
    for leave in ["reset", "complete", "close"] {
        let transport = TransportConfig { timeouts: patient(), ..TransportConfig::default() };
        let requests = transport.requests.clone();
        let shop = Shop::open_with_transport(transport).await;
        let (document, orders) = two_payments(&shop).await;
        let mut socket = Socket::open(&shop).await;
        socket.subscribe("1", &document, json!({})).await;
        eventually("it runs", || async { requests.in_use() == 1 }).await;
        match leave {
            "reset" => socket.reset(),
            "complete" => {
                socket.send(&json!({ "type": "complete", "id": "1" })).await;
                socket.send(&json!({ "type": "ping" })).await;
                assert_eq!(socket.next().await, json!({ "type": "pong" }));
            }
            _ => drop(socket),
        }
        all_are_paid(&shop, &orders).await;
        eventually("its place is free", || async { requests.in_use() == 0 }).await;
        shop.close().await;
    }
}

#[tokio::test]
async fn they_are_answered_before_a_shutdown_closes_the_socket() {
    let transport = TransportConfig { timeouts: patient(), ..TransportConfig::default() };
    let requests = transport.requests.clone();
    let shop = Shop::open_with_transport(transport).await;
    let (document, _) = two_payments(&shop).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("s", STOCK, json!({ "ids": [] })).await;
    socket.subscribe("1", &document, json!({})).await;
    let body = json!({ "query": document.replace("a:", "again:").replace("b:", "more:") });
    eventually("it runs", || async { requests.in_use() == 1 }).await;
    let events = shop.client().post(format!("{}/graphql", shop.url)).json(&body).header("accept", "text/event-stream");
    let events = events.send().await.expect("a stream");
    let closing = tokio::spawn(shop.close());
    let paid = json!({ "order": { "payment": "PAID" } });
    assert_eq!(answer(&mut socket, "1").await, json!({ "a": paid, "b": paid }));
    assert_eq!(socket.closed().await, 1001);
    let events = events.text().await.expect("text");
    assert!(events.contains("event: next") && events.contains("event: complete"), "{events}");
    closing.await.expect("no panic");
}

#[tokio::test]
async fn a_socket_alone_is_drained_and_meanwhile_others_are_told_to_come_back() {
    for _ in 0..4 {
        let transport = TransportConfig { timeouts: patient(), ..TransportConfig::default() };
        let (requests, sockets) = (transport.requests.clone(), transport.sockets.clone());
        let shop = Shop::open_with_transport(transport).await;
        // No connection of HTTP is left open.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        let client = Client { http: http.clone(), ..Client::clone(&shop) };
        let (document, _) = two_payments(&client).await;
        let mut socket = Socket::open(&shop).await;
        socket.subscribe("1", &document, json!({})).await;
        eventually("it runs", || async { requests.in_use() == 1 }).await;
        // One more is open until the drain was seen, however fast the payment is.
        let open = sockets.try_acquire().expect("a free permit");
        let url = format!("{}/health/ready", shop.url);
        let closing = tokio::spawn(shop.close());
        eventually("it drains", || async {
            // A connection that is just being closed is no answer.
            let Ok(told) = http.get(&url).send().await else { return false };
            told.text().await.is_ok_and(|told| told == "draining\n")
        })
        .await;
        assert!(!closing.is_finished(), "it waits for the sockets");
        let paid = json!({ "order": { "payment": "PAID" } });
        assert_eq!(answer(&mut socket, "1").await, json!({ "a": paid, "b": paid }));
        assert_eq!(socket.closed().await, 1001);
        drop(open);
        closing.await.expect("no panic");
    }
}

#[tokio::test]
async fn they_are_answered_before_the_end_of_a_token_closes_the_socket() {
    let transport = TransportConfig { timeouts: patient(), ..TransportConfig::default() };
    let requests = transport.requests.clone();
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await;
    let ada = shop.signed_in_for(Role::Customer, "ada", Duration::from_mins(1)).await;
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("s", STOCK, json!({ "ids": [] })).await;
    let somebody = shop.keep_busy().await;
    socket.subscribe("1", "mutation { createCart { cart { id } } }", json!({})).await;
    eventually("it waits", || async { requests.in_use() == 1 }).await;
    shop.advance(Duration::from_mins(2));
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }), "it is not closed yet");
    // Nothing new begins, and is left for the client's next connection.
    socket.subscribe("2", "mutation { createCart { cart { id } } }", json!({})).await;
    somebody.rollback().await.expect("an end");
    assert!(answer(&mut socket, "1").await["createCart"]["cart"]["id"].is_string());
    assert_eq!(socket.closed().await, 4403);
    shop.close().await;
}

#[tokio::test]
async fn they_have_the_deadline_of_a_request() {
    let transport = TransportConfig {
        timeouts: Timeouts { request: Duration::from_millis(700), ..Timeouts::default() },
        ..TransportConfig::default()
    };
    let requests = transport.requests.clone();
    let shop = Shop::open_with_transport(transport).await;
    let somebody = shop.keep_busy().await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("1", "mutation { createCart { cart { id } } }", json!({})).await;
    let message = socket.next().await;
    assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "TIMEOUT", "{message}");
    let told = message["payload"]["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(told.contains("send it again with its key"), "{told}");
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "1" }));
    assert_eq!(requests.in_use(), 0);
    somebody.rollback().await.expect("an end");
    shop.close().await;
}

#[tokio::test]
async fn they_take_a_place_in_flight_and_what_they_cost() {
    let requests = ConcurrencyLimit::new(1);
    let shop =
        Shop::open_with_transport(TransportConfig { requests: requests.clone(), ..TransportConfig::default() }).await;
    let mut socket = Socket::open(&shop).await;
    let busy = requests.try_acquire().expect("a free permit");
    for operation in ["mutation { createCart { cart { id } } }", "{ products { nodes { id } } }"] {
        socket.subscribe("1", operation, json!({})).await;
        assert_eq!(refusal(&mut socket, "1").await, "OVERLOADED", "{operation}");
    }
    drop(busy);
    // What goes on keeps no place.
    for id in ["a", "b", "c"] {
        socket.subscribe(id, STOCK, json!({ "ids": [] })).await;
    }
    socket.subscribe("1", "mutation { createCart { cart { id } } }", json!({})).await;
    answer(&mut socket, "1").await;
    shop.close().await;

    let rates = RateLimits::new(Rate::of_points(100, 100), None).with_cart_rows(Rate::of_points(4, 4));
    let transport = TransportConfig { rates, ..TransportConfig::default() };
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let price = json!({ "amount": 1, "currency": "EUR" });
    let create = "mutation($i: CreateProductInput!) { createProduct(input: $i) { product { id } } }";
    let mug =
        staff.data(create, json!({ "i": { "sku": "MUG", "name": "Mug", "initialStock": 5, "price": price } })).await;
    let item = json!({ "productId": mug["createProduct"]["product"]["id"], "quantity": 1 });
    let fill = "mutation($i: [CartItemInput!]) { createCart(input: { items: $i }) { cart { totalQuantity } } }";
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("1", fill, json!({ "i": vec![&item; 9] })).await;
    assert_eq!(refusal(&mut socket, "1").await, "LIMIT_EXCEEDED", "rows of carts from one address");
    socket.subscribe("1", fill, json!({ "i": vec![&item; 2] })).await;
    assert_eq!(answer(&mut socket, "1").await["createCart"]["cart"]["totalQuantity"], 2);
    shop.close().await;
}
