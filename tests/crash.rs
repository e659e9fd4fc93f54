//! The real binary: killed in the middle of load, stopped by a signal, started twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::process::run;
use crate::support::{Place, Process, eventually, is_postgres};

const MUG: &str = "product_01j0000000e008000000000002";

/// Buys one unit again and again until the server is gone. Returns the orders whose payment was acknowledged.
async fn buy((url, client): (String, reqwest::Client), ends: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Vec<String> {
    let ask = async |query: &str, variables: Value| -> Option<Value> {
        let body = json!({ "query": query, "variables": variables });
        let answer = client.post(format!("{url}/graphql")).json(&body).send().await.ok()?;
        answer.json().await.ok()
    };
    let cart = "mutation($p: ID!) { createCart(input: { items: [{ productId: $p, quantity: 1 }] }) { cart { id } } }";
    let check_out = "mutation($c: ID!) { checkOut(input: { cartId: $c }) { order { id } } }";
    let pay = "mutation($o: ID!) { payOrder(input: { orderId: $o, gateway: \"sandbox\" }) { order { payment } } }";
    let receive = "mutation($p: ID!) { adjustStock(input: { reason: RECEIVED, changes: [{ productId: $p, action: INCREMENT, \
        quantity: 1 }] }) { stocks { total } } }";
    let mut paid = Vec::new();
    while !ends.load(Ordering::SeqCst) {
        let sale = async {
            ask(receive, json!({ "p": MUG })).await?;
            let cart = ask(cart, json!({ "p": MUG })).await?["data"]["createCart"]["cart"]["id"].clone();
            let order = ask(check_out, json!({ "c": cart })).await?["data"]["checkOut"]["order"]["id"].clone();
            let answer = ask(pay, json!({ "o": order })).await?;
            let is_paid = answer["data"]["payOrder"]["order"]["payment"] == "PAID";
            Some(order.as_str().filter(|_| is_paid)?.to_owned())
        };
        let sold = sale.await;
        count.fetch_add(usize::from(sold.is_some()), Ordering::SeqCst);
        paid.extend(sold);
    }
    paid
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_kill_9() {
    let place = Place::new().await;
    for round in 0..3 {
        let server = Process::start(&place).await;
        let ends = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let buyer = || tokio::spawn(buy(server.another(), Arc::clone(&ends), Arc::clone(&count)));
        let buyers: Vec<_> = (0..16).map(|_| buyer()).collect();
        eventually("there is load", || async { count.load(Ordering::SeqCst) >= 50 + 10 * round }).await;
        server.kill().await;
        ends.store(true, Ordering::SeqCst);
        let paid: Vec<String> = join_all(buyers).await.into_iter().flat_map(|paid| paid.expect("no panic")).collect();
        assert!(paid.len() >= 50, "{}", paid.len());

        let (code, report) = run(&place, &["verify"]).await;
        assert_eq!(code, 0, "{report}");
        let server = Process::start(&place).await;
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { payment } } }";
        for ids in paid.chunks(100) {
            let answer = server.ask(query, json!({ "ids": ids })).await.expect("an answer");
            let orders = answer["data"]["nodes"].as_array().expect("orders");
            assert!(orders.iter().all(|order| order["payment"] == "PAID"), "round {round}: {answer}");
        }
        eventually("recovery has settled what was being paid", || async {
            let open = "{ orders(filter: { payment: IN_PROGRESS }) { nodes { id } } }";
            let answer = server.ask(open, json!({})).await.unwrap_or_default();
            answer["data"]["orders"]["nodes"] == json!([])
        })
        .await;
        assert!(server.stop("TERM").await.success());
        let (code, report) = run(&place, &["verify"]).await;
        assert_eq!(code, 0, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_finishes_what_was_begun() {
    for signal in ["TERM", "INT"] {
        let place = Place::new().await;
        let server = Process::start(&place).await;
        let order =
            "mutation($p: ID!) { createCart(input: { items: [{ productId: $p, quantity: 1 }] }) { cart { id } } }";
        let cart =
            server.ask(order, json!({ "p": MUG })).await.expect("a cart")["data"]["createCart"]["cart"]["id"].clone();
        let check_out = "mutation($c: ID!) { checkOut(input: { cartId: $c }) { order { id } } }";
        let order =
            server.ask(check_out, json!({ "c": cart })).await.expect("an order")["data"]["checkOut"]["order"]["id"]
                .clone();
        let (url, client) = server.another();
        let pay = "mutation($o: ID!) { payOrder(input: { orderId: $o, gateway: \"sandbox\", token: \"delay:700\" }) { order { payment } } }";
        let body = json!({ "query": pay, "variables": { "o": order } });
        let paying = tokio::spawn(client.post(format!("{url}/graphql")).json(&body).send());
        let open = "{ orders(filter: { payment: IN_PROGRESS }) { nodes { id } } }";
        eventually("the payment has begun", || async {
            let answer = server.ask(open, json!({})).await.unwrap_or_default();
            answer["data"]["orders"]["nodes"].as_array().is_some_and(|orders| orders.len() == 1)
        })
        .await;
        assert!(server.stop(signal).await.success(), "{signal} ends it with 0");
        let answer: Value = paying.await.expect("no panic").expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["data"]["payOrder"]["order"]["payment"], "PAID", "{answer}");
    }
}

#[tokio::test]
async fn one_server_per_file_and_verify_beside_it() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    for second in ["serve", "migrate"].iter().filter(|_| !is_postgres()) {
        let (code, said) = run(&place, &[second, "--listen", "127.0.0.1:0"]).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("another onhand is using"), "{said}");
    }
    let (code, said) = run(&place, &["verify"]).await;
    assert_eq!((code, said.trim()), (0, "checked 12 products, 11 stock transactions and 0 orders: no differences"));
    assert!(server.stop("INT").await.success());

    // A second start keeps everything, and adds nothing to a catalogue that is not empty.
    let server = Process::start(&place).await;
    let answer = server.ask("{ products(first: 100) { nodes { sku } } }", json!({})).await.expect("an answer");
    assert_eq!(answer["data"]["products"]["nodes"].as_array().map(Vec::len), Some(12));
    assert!(server.stop("TERM").await.success());
}

#[tokio::test]
async fn verify_says_what_differs() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    assert!(server.stop("TERM").await.success());
    let databases = onhand::database::open(&place.url).await.expect("the database");
    sea_orm::ConnectionTrait::execute_unprepared(
        databases.write.as_ref().unwrap_or(&databases.read),
        "UPDATE stock SET total = total + 1 WHERE total = 24",
    )
    .await
    .expect("an update that the constraints allow");
    drop(databases);
    let (code, said) = run(&place, &["verify"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(MUG) && said.contains("1 difference"), "{said}");
    let (code, said) = run(&place, &["verify", "--database-url", "sqlite://nowhere.db"]).await;
    assert_eq!(code, 2, "{said}");
}

#[tokio::test]
async fn only_loopback_is_listened_to() {
    let place = Place::new().await;
    let (code, said) = run(&place, &["--listen", "0.0.0.0:0"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("loopback"), "{said}");
}
