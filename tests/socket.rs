//! The protocol of the websocket, frame by frame: graphql-transport-ws with every close code that it names.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use onhand::faults::{Hold, Point, hold};
use onhand::server::{ConcurrencyLimit, Timeouts, TransportConfig};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{PATIENCE, Shop, Socket, eventually, patient_transport};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_by_a_code() {
    let shop = Shop::open().await;
    let init = json!({ "type": "connection_init" });
    let begin = json!({ "type": "subscribe", "id": "1", "payload": { "query": STOCK, "variables": { "ids": [] } } });
    let text = |text: &str| Message::Text(text.into());
    let json = |value: &serde_json::Value| Message::Text(value.to_string().into());
    let cases = [
        ("broken JSON", vec![text("{")], 4400),
        ("no type", vec![text("{}")], 4400),
        ("an unknown type", vec![text(r#"{ "type": "start" }"#)], 4400),
        ("a payload that is no object", vec![text(r#"{ "type": "connection_init", "payload": 7 }"#)], 4400),
        ("a ping with a list", vec![json(&init), text(r#"{ "type": "ping", "payload": [] }"#)], 4400),
        (
            "an operation without an id",
            vec![json(&init), text(r#"{ "type": "subscribe", "payload": { "query": "{a}" } }"#)],
            4400,
        ),
        ("half a character in an id", vec![json(&init), text(r#"{ "type": "complete", "id": "\ud83d" }"#)], 4400),
        ("a binary frame", vec![Message::Binary(vec![1].into())], 4400),
        (
            "an empty id",
            vec![json(&init), text(r#"{ "type": "subscribe", "id": "", "payload": { "query": "{a}" } }"#)],
            4400,
        ),
        ("subscribing before the acknowledgement", vec![json(&begin)], 4401),
        ("saying hello twice", vec![json(&init), json(&init)], 4429),
        ("an id that runs already", vec![json(&init), json(&begin), json(&begin)], 4409),
    ];
    for (what, frames, code) in cases {
        let mut socket = Socket::connect(&shop.url, "graphql-transport-ws").await;
        for frame in frames {
            socket.send_raw(frame).await;
        }
        assert_eq!(socket.closed().await, code, "{what}");
    }
    shop.close().await;

    let times = Timeouts { init: Duration::from_millis(100), ..Timeouts::default() };
    let shop = Shop::open_with_transport(TransportConfig { timeouts: times, ..TransportConfig::default() }).await;
    let mut silent = Socket::connect(&shop.url, "graphql-transport-ws").await;
    assert_eq!(silent.closed().await, 4408, "a client that never says hello");
    shop.close().await;
}

#[tokio::test]
async fn an_id_is_free_again_when_its_operation_has_ended() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    for _ in 0..3 {
        socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data("1").await["stockChanged"]["total"], 5);
        socket.send(&json!({ "type": "complete", "id": "1" })).await;
    }
    // Queries are answered here, too, once, and then their id is free.
    for _ in 0..2 {
        socket.subscribe("q", "{ products { nodes { sku } } }", json!({})).await;
        assert_eq!(socket.data("q").await["products"]["nodes"][0]["sku"], "MUG");
        assert_eq!(socket.next().await, json!({ "type": "complete", "id": "q" }));
    }
    socket.send(&json!({ "type": "complete", "id": "unknown" })).await;
    socket.send(&json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong", "payload": { "n": 1 } }));
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_executed_is_an_error_of_its_own() {
    let shop = Shop::open().await;
    let mut socket = Socket::open(&shop).await;
    let deep = format!("{{ a(b: {}) }}", "[".repeat(5_000));
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { stockChanged(productIds: [\"x\"]) { total } }", "BAD_ID"),
        (deep.as_str(), "LIMIT_EXCEEDED"),
    ] {
        socket.subscribe("1", query, json!({})).await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{query}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}: {message}");
    }
    assert!(socket.is_silent_for(Duration::from_millis(50)).await, "nothing follows an error");
    shop.close().await;
}

/// The others go on, and the socket stays.
#[tokio::test]
async fn a_bad_message_ends_its_operation_only() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("good", STOCK, json!({ "ids": [mug] })).await;
    socket.data("good").await;
    let search = r#""query":"query($s:String){products(search:$s){nodes{sku}}}","variables""#;
    let deep = format!("{{{search}:{{\"s\":{}{}}}}}", "[".repeat(300), "]".repeat(300));
    let long = format!("{{\"query\":\"{{ a(b: \\\"{}\\\") }}\"}}", "x".repeat(10_001));
    for (payload, code, word) in [
        (format!(r#"{{{search}:{{"s":"mug \ud83d"}}}}"#), "BAD_USER_INPUT", "half a character"),
        (format!(r#"{{{search}:{{"s":"\ude00 mug"}}}}"#), "BAD_USER_INPUT", "half a character"),
        (format!(r#"{{{search}:{{"\ud83d\u0041":1}}}}"#), "BAD_USER_INPUT", "half a character"),
        (
            r#"{"query":"{ products(search: \"\ud83d\") { nodes { sku } } }"}"#.to_owned(),
            "BAD_USER_INPUT",
            "half a character",
        ),
        (format!("{{{search}:[]}}"), "BAD_USER_INPUT", "`variables`"),
        (format!("{{{search}:\"{{}}\"}}"), "BAD_USER_INPUT", "`variables`"),
        (format!("{{{search}:{{\"s\":1e999}}}}"), "BAD_USER_INPUT", "out of range"),
        (deep, "LIMIT_EXCEEDED", "nests"),
        (long, "LIMIT_EXCEEDED", "characters"),
        (r#"{"query":7}"#.to_owned(), "BAD_USER_INPUT", "`query`"),
        (r#"{"query":"{ a }","operationName":7}"#.to_owned(), "BAD_USER_INPUT", "`operationName`"),
        (r#"{"query":"{ a }","extensions":[]}"#.to_owned(), "BAD_USER_INPUT", "`extensions`"),
        ("{}".to_owned(), "BAD_USER_INPUT", "`query`"),
        ("[]".to_owned(), "BAD_USER_INPUT", "JSON object"),
        ("null".to_owned(), "BAD_USER_INPUT", "JSON object"),
        (r#""{ a }""#.to_owned(), "BAD_USER_INPUT", "JSON object"),
    ] {
        let text = format!(r#"{{"type":"subscribe","id":"bad","payload":{payload}}}"#);
        socket.send_raw(Message::Text(text.into())).await;
        let message = socket.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("bad")), "{payload}: {message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{payload}: {message}");
        assert!(
            message["payload"][0]["message"].as_str().is_some_and(|told| told.contains(word)),
            "{payload}: {message}"
        );
    }
    let id = "a".repeat(256);
    socket.subscribe(&id, "{ products { nodes { sku } } }", json!({})).await;
    let message = socket.next().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
    assert_eq!(message["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    // A payload that nobody looks into comes back as it came.
    let ping = r#"{"type":"ping","payload":{"z":"\ud83d","a":[1e999]}}"#;
    socket.send_raw(Message::Text(ping.into())).await;
    assert_eq!(socket.next_text().await, ping.replace("ping", "pong"));
    shop.adjust(&mug, "INCREMENT", 1).await;
    assert_eq!(socket.data("good").await["stockChanged"]["total"], 6);
    shop.close().await;
}

/// In every transport, on every level, and through fragments.
#[tokio::test]
async fn fields_come_in_the_order_asked_for() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let stock = "subscription($ids: [ID!]!) { ...Root } fragment Root on Subscription { ... { z: stockChanged(productIds: $ids) \
        { version ...B total a: available } } } fragment B on Stock { allocated version }";
    let first = r#"{"data":{"z":{"version":1,"allocated":0,"total":5,"a":5}}}"#;
    let query = "{ z: products { nodes { sku name ...S } } a: __typename } fragment S on Product { stock { total available } id }";
    let listed = format!(
        r#"{{"data":{{"z":{{"nodes":[{{"sku":"MUG","name":"Product MUG","stock":{{"total":5,"available":5}},"id":"{mug}"}}]}},"a":"Query"}}}}"#
    );
    let mut socket = Socket::open(&shop).await;
    for (document, right) in [(stock, first), (query, listed.as_str())] {
        let variables = json!({ "ids": [mug] });
        socket.subscribe("1", document, variables.clone()).await;
        assert_eq!(socket.next_text().await, format!(r#"{{"type":"next","id":"1","payload":{right}}}"#));
        let body = json!({ "query": document, "variables": variables });
        let post = || shop.client().post(format!("{}/graphql", shop.url)).json(&body);
        if document == query {
            assert_eq!(socket.next().await["type"], "complete");
            assert_eq!(post().send().await.unwrap().text().await.unwrap(), right);
        } else {
            socket.send(&json!({ "type": "complete", "id": "1" })).await;
        }
        let mut events = post().header("accept", "text/event-stream").send().await.unwrap();
        let event = format!(": \n\nevent: next\ndata: {right}\n\n");
        let mut text = String::new();
        while text.len() < event.len() {
            text += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
        }
        assert!(text.starts_with(&event), "{text}");
    }
    shop.close().await;
}

#[tokio::test]
async fn operations_on_one_socket_are_bounded_and_end_with_it() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let mut socket = Socket::open(&shop).await;
    for number in 0..50 {
        let id = number.to_string();
        socket.subscribe(&id, STOCK, json!({ "ids": [mug] })).await;
        socket.data(&id).await;
    }
    socket.subscribe("one more", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    assert_eq!(shop.app.hub.watched(), 1, "one slot, however many watch");
    drop(socket);
    eventually("nobody watches any more", || async { shop.app.hub.watched() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn only_our_protocol_is_spoken_and_a_shutdown_asks_to_come_back() {
    let shop = Shop::open().await;
    let mut socket = Socket::open(&shop).await;
    let mut named = Socket::connect(&shop.url, "graphql-ws, graphql-transport-ws").await;
    named.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(named.next().await, json!({ "type": "connection_ack" }), "one of several is enough");
    let legacy = Socket::try_connect(&shop.url, "graphql-ws").await;
    assert!(legacy.is_none_or(|code| code == 4406));
    let closing = tokio::spawn(async move { socket.closed().await });
    shop.close().await;
    assert_eq!(closing.await.expect("no panic"), 1001);
}

#[tokio::test]
async fn what_is_too_large_for_a_frame_closes_cleanly_and_pings_are_only_answered() {
    let shop = Shop::open().await;
    let subscribe = |id: &str| json!({ "type": "subscribe", "id": id, "payload": { "query": "{ a }" } }).to_string();
    for (what, text, code) in [
        ("an id of 1 MB", subscribe(&"a".repeat(1_000_000)), 1009),
        ("one byte over 64 kB", " ".repeat(64 * 1_024 + 1), 1009),
        ("exactly 64 kB, but no message", " ".repeat(64 * 1_024), 4400),
    ] {
        let mut socket = Socket::open(&shop).await;
        socket.send_raw(Message::Text(text.into())).await;
        assert_eq!(socket.closed().await, code, "{what}");
    }
    let mut socket = Socket::open(&shop).await;
    for _ in 0..100_000 {
        socket.send_raw(Message::Ping(vec![0; 8].into())).await;
    }
    for _ in 0..1_000 {
        socket.send(&json!({ "type": "ping" })).await;
    }
    for _ in 0..1_000 {
        assert_eq!(socket.next().await, json!({ "type": "pong" }));
    }
    shop.close().await;
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket_and_there_are_only_so_many() {
    let transport = TransportConfig {
        origins: vec!["https://shop.example".into()],
        sockets: ConcurrencyLimit::new(2),
        ..patient_transport()
    };
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let own = shop.url.clone();
    let open = |origin: &str| {
        let (url, origin) = (shop.url.clone(), origin.to_owned());
        async move { Socket::try_open(&url, "graphql-transport-ws", &[("origin", &origin)]).await }
    };
    let code = |refused: &(u16, Value)| (refused.0, refused.1["errors"][0]["extensions"]["code"].clone());
    for origin in ["https://evil.example", "null", "http://shop.example"] {
        let refused = open(origin).await.err().expect("it is refused");
        assert_eq!(code(&refused), (403, json!("FORBIDDEN")), "{origin}");
    }
    let two = (open(&own).await.expect("ours"), open("https://shop.example").await.expect("allowed"));
    assert_eq!(sockets.in_use(), 2);
    let refused = open(&own).await.err().expect("there is no place");
    assert_eq!(code(&refused), (503, json!("OVERLOADED")));
    drop(two);
    eventually("the places are free again", || async { sockets.in_use() == 0 }).await;
    assert!(open(&own).await.is_ok());
    shop.close().await;
}

#[tokio::test]
async fn clients_that_vanish_leave_nothing_behind() {
    const VANISH: usize = 300;
    let transport = patient_transport();
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mug = shop.product("MUG", 5).await;
    let open = stream::iter(0..VANISH).map(|_| async {
        let mut socket = Socket::open(&shop).await;
        socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
        socket.data("1").await;
        socket
    });
    let open: Vec<_> = open.buffer_unordered(50).collect().await;
    assert_eq!((sockets.in_use(), shop.app.hub.watched()), (VANISH, 1));
    open.into_iter().for_each(Socket::reset);
    eventually("no socket is open", || async { sockets.in_use() == 0 && shop.app.hub.watched() == 0 }).await;
    shop.close().await;
}

#[tokio::test]
async fn a_peer_that_is_silent_is_closed_and_one_that_answers_pings_is_not() {
    let times =
        Timeouts { ping: Duration::from_millis(200), silence: Duration::from_millis(1_500), ..Timeouts::default() };
    let transport = TransportConfig { timeouts: times, ..TransportConfig::default() };
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let mut alive = Socket::open(&shop).await;
    // Nothing reads from this one, so nothing answers a ping: a peer whose end of the line is gone.
    let _half_open = Socket::open(&shop).await;
    assert_eq!(sockets.in_use(), 2);
    let listening = tokio::spawn(async move {
        assert!(timeout(Duration::from_secs(3), alive.next()).await.is_err(), "it is sent nothing but pings");
        alive
    });
    eventually("the silent one is closed", || async { sockets.in_use() == 1 }).await;
    let mut alive = listening.await.unwrap();
    alive.send(&json!({ "type": "ping" })).await;
    assert_eq!(alive.next().await, json!({ "type": "pong" }), "longer than the silence, and still there");
    shop.close().await;
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_closed() {
    let times = Timeouts { write: Duration::from_millis(300), request: PATIENCE, ..Timeouts::default() };
    let transport = TransportConfig { timeouts: times, ..TransportConfig::default() };
    let sockets = transport.sockets.clone();
    let shop = Shop::open_with_transport(transport).await;
    let price = json!({ "amount": 1, "currency": "EUR" });
    let long = "a".repeat(10_000);
    shop.create_product(json!({ "sku": "LONG", "name": "Long", "description": long, "price": price })).await;
    let product = "product(by: { sku: \"LONG\" }) { description }";
    let query = (0..20).map(|number| format!("a{number}: {product}")).collect::<Vec<_>>().join(" ");
    let mut socket = Socket::open(&shop).await;
    // Each answer has 200 kB. What the kernels on both sides hold is full after some of them, and then nothing is taken.
    for id in 0..200 {
        if sockets.in_use() == 0 || !socket.try_subscribe(&id.to_string(), &format!("{{ {query} }}")).await {
            break;
        }
    }
    eventually("it is closed", || async { sockets.in_use() == 0 }).await;
    shop.close().await;
}

/// The socket is held up with a result of the gate until all others have results as well: then they take turns.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_subscription_starves_no_quiet_one() {
    const BUSY: usize = 45;
    const ROWS: usize = 100;
    /// Each message is of any of them, by chance; the quiet one has its turn long before this.
    const MOST: usize = BUSY * ROWS / 2;
    let shop = Shop::open().await;
    let (hot, quiet, gate) =
        (shop.product("HOT", 0).await, shop.product("QUIET", 1).await, shop.product("GATE", 1).await);
    let log = "subscription($id: ID!, $after: String) { stockTransactionAdded(filter: { productIds: [$id] }, after: $after) \
        { cursor } }";
    let start = log_cursor(&shop, &hot, log).await;
    let mut socket = Socket::open(&shop).await;
    for number in 0..BUSY {
        socket.subscribe(&format!("busy {number}"), log, json!({ "id": hot, "after": start })).await;
    }
    // Results with something of the product are not shared: a task of their own puts them together.
    let own = "subscription($id: ID!) { stockChanged(productIds: [$id]) { version product { id } } }";
    for (id, product) in [("quiet", &quiet), ("gate", &gate)] {
        socket.subscribe(id, own, json!({ "id": product })).await;
        socket.data(id).await;
    }
    let (mut taken, mut answered) = (hold(Point::SocketTaken, None), hold(Point::SubscriptionAnswered, None));
    shop.adjust(&gate, "INCREMENT", 1).await;
    reached(&mut answered).await;
    answered.release();
    reached(&mut taken).await;
    let mut answered = hold(Point::SubscriptionAnswered, None);
    shop.adjust(&quiet, "INCREMENT", 1).await;
    reached(&mut answered).await;
    answered.release();
    let change = json!([{ "productId": hot, "action": "INCREMENT", "quantity": 1 }]);
    let rows = stream::iter(0..ROWS).map(|_| shop.adjust_all(json!({ "changes": change })));
    rows.buffer_unordered(16).for_each(|_| async {}).await;
    taken.release();
    assert_eq!(socket.next().await["id"], "gate");
    let mut before = 0;
    while socket.next().await["id"] != "quiet" {
        before += 1;
        assert!(before < MOST, "{before} messages of the busy ones came first");
    }
    // Otherwise the server goes on writing to it for as long as a write may take.
    drop(socket);
    shop.close().await;
}

async fn reached(held: &mut Hold) {
    timeout(PATIENCE, held.reached()).await.expect("it comes there");
}

/// A place in the log as it is being written.
async fn log_cursor(shop: &Shop, product: &str, log: &str) -> Value {
    let mut socket = Socket::open(shop).await;
    socket.follow_log("log", log, json!({ "id": product })).await;
    shop.adjust(product, "INCREMENT", 1).await;
    socket.data("log").await["stockTransactionAdded"]["cursor"].take()
}
