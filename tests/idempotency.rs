//! Idempotency keys: one effect and one answer, however often a request comes.

use std::sync::Arc;
use std::time::Duration;

use domain::actor::Actor;
use domain::commands::{AdjustStock, StockChange};
use domain::payment::KeyId;
use domain::stock::{Action, PublicStock};
use domain::transaction::Reason;
use domain::world::idempotency::{Key, Keyed};
use futures_util::future::join_all;
use onhand::config::Role;
use onhand::faults::{self, Point};
use onhand::writer::retention::{self, Lifetimes};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Shop, codes, eventually, is_postgres, short_times};

#[tokio::test]
async fn every_mutation_with_a_key_has_one_effect_and_one_answer() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 10).await;
    let cart = shop.cart(&[]).await;

    let add =
        "mutation($i: AddToCartInput!) { addToCart(input: $i) { cart { id totalQuantity } userErrors { code } } }";
    let input = json!({ "cartId": cart, "items": [{ "productId": mug, "quantity": 2 }], "idempotencyKey": "add" });
    twice(&shop, add, &input).await;
    assert_eq!(shop.read_cart(&cart).await["totalQuantity"], 2, "added once");

    let check_out = "mutation($i: CheckOutInput!) { checkOut(input: $i) { order { id number } userErrors { code } } }";
    let placed = twice(&shop, check_out, &json!({ "cartId": cart, "idempotencyKey": "check out" })).await;
    let order = placed["checkOut"]["order"]["id"].clone();

    let pay = "mutation($i: PayOrderInput!) { payOrder(input: $i) { payment { id status } order { id } userErrors { code } } }";
    twice(&shop, pay, &json!({ "orderId": order, "gateway": "sandbox", "idempotencyKey": "pay" })).await;
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 2"], "paid once");

    let ship =
        "mutation($i: ShipOrderInput!) { shipOrder(input: $i) { order { id shipments { id } } userErrors { code } } }";
    twice(&shop, ship, &json!({ "orderId": order, "idempotencyKey": "ship" })).await;

    let another = shop.order(&[(&mug, 1)]).await;
    let cancel =
        "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { order { id status } userErrors { code } } }";
    twice(&shop, cancel, &json!({ "orderId": another, "idempotencyKey": "cancel" })).await;

    let adjust =
        "mutation($i: AdjustStockInput!) { adjustStock(input: $i) { transactions { id } userErrors { code } } }";
    let change = json!([{ "productId": mug, "action": "INCREMENT", "quantity": 5 }]);
    twice(&shop, adjust, &json!({ "changes": change, "idempotencyKey": "adjust" })).await;
    assert_eq!(shop.stock(&mug).await, (13, 0, 13));
    shop.close().await;
}

async fn twice(shop: &Client, query: &str, input: &Value) -> Value {
    let first = shop.data(query, json!({ "i": input })).await;
    assert_eq!(shop.data(query, json!({ "i": input })).await, first, "the same answer: {query}");
    let errors = first.as_object().and_then(|data| data.values().next()).map(|payload| payload["userErrors"].clone());
    assert_eq!(errors, Some(json!([])), "{first}");
    first
}

/// C15: a key stands for one input. C17: a decline is an answer; a new attempt needs a new key.
#[tokio::test]
async fn a_key_is_for_one_input_and_a_decline_is_an_answer() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let (first, second) = (shop.order(&[(&mug, 1)]).await, shop.order(&[(&mug, 1)]).await);
    let pay = |order: &str, token: &str, key: &str| {
        shop.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": token, "idempotencyKey": key }))
    };
    let declined = pay(&first, "decline", "K").await;
    assert_eq!(codes(&declined), ["PAYMENT_DECLINED"]);
    assert_eq!(pay(&first, "decline", "K").await, declined);
    assert_eq!(codes(&pay(&first, "succeed", "K").await), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(codes(&pay(&second, "decline", "K").await), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(shop.read_order(&second).await["payments"], json!([]), "untouched");
    let ship = "mutation($i: ShipOrderInput!) { shipOrder(input: $i) { userErrors { code } } }";
    let other = shop.data(ship, json!({ "i": { "orderId": first, "idempotencyKey": "K" } })).await;
    assert_eq!(codes(&other["shipOrder"]), ["IDEMPOTENCY_KEY_REUSED"], "a key is for one mutation, too");
    assert_eq!(codes(&pay(&first, "succeed", "K2").await), Vec::<&str>::new());
    shop.close().await;
}

#[tokio::test]
async fn a_refusal_that_changed_nothing_is_not_kept() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.adjust(&mug, "DECREMENT", 1).await;
    let input = json!({ "orderId": order, "idempotencyKey": "K" });
    assert_eq!(codes(&shop.pay_with(input.clone()).await), ["INSUFFICIENT_STOCK"]);
    shop.adjust(&mug, "INCREMENT", 1).await;
    assert_eq!(shop.pay_with(input).await["order"]["payment"], "PAID", "the same request succeeds later");
    shop.close().await;
}

/// C16: two at once with one key have one effect; while the first is under way the second hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_with_one_key_have_one_effect() {
    let shop = Arc::new(Shop::open().await);
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "delay:150", "idempotencyKey": "K" });
    let attempts: Vec<_> = (0..4)
        .map(|_| {
            let (shop, input) = (Arc::clone(&shop), input.clone());
            tokio::spawn(async move { shop.pay_with(input).await })
        })
        .collect();
    let mut payments = std::collections::BTreeSet::new();
    for attempt in attempts {
        let payload = attempt.await.expect("no panic");
        assert!(codes(&payload).iter().all(|code| *code == "PAYMENT_IN_PROGRESS"), "{payload}");
        payments.insert(payload["payment"]["id"].as_str().expect("a payment").to_owned());
    }
    assert_eq!(payments.len(), 1, "one attempt");
    let third = shop.pay_with(input).await;
    assert_eq!((third["payment"]["status"].as_str(), codes(&third).len()), (Some("SUCCEEDED"), 0));
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 1"]);
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}

#[tokio::test]
async fn an_open_payment_answers_under_its_key_once_it_is_settled() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "never:declined", "idempotencyKey": "K" });
    let open = shop.pay_with(input.clone()).await;
    assert_eq!((open["payment"]["status"].as_str(), codes(&open).len()), (Some("IN_PROGRESS"), 0));
    assert_eq!(codes(&shop.pay_with(input.clone()).await), ["PAYMENT_IN_PROGRESS"]);
    eventually("recovery settles it", || async { shop.read_order(&order).await["payment"] == "UNPAID" }).await;
    let settled = shop.pay_with(input).await;
    assert_eq!((settled["payment"]["status"].as_str(), codes(&settled)), (Some("DECLINED"), vec!["PAYMENT_DECLINED"]));
    assert_eq!(settled["payment"]["id"], open["payment"]["id"]);
    shop.close().await;
}

async fn round(shop: &Shop, cart_lifetime: Duration) {
    let lifetimes = Lifetimes::with_carts(cart_lifetime);
    retention::round((&shop.app.writer, &shop.app.store), &shop.app.clock, &lifetimes, &CancellationToken::new())
        .await
        .expect("a round");
}

#[tokio::test]
async fn keys_are_forgotten_and_carts_expire_when_their_time_is_over() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 10).await;
    let old = shop.cart(&[(&mug, 1)]).await;
    let input =
        json!({ "changes": [{ "productId": mug, "action": "INCREMENT", "quantity": 1 }], "idempotencyKey": "K" });
    shop.adjust_all(input.clone()).await;
    let month = Duration::from_hours(30 * 24);
    shop.advance(Duration::from_hours(23));
    round(&shop, month).await;
    shop.adjust_all(input.clone()).await;
    assert_eq!(shop.stock(&mug).await.0, 11, "remembered for a day");
    shop.advance(Duration::from_hours(2));
    round(&shop, month).await;
    shop.adjust_all(input).await;
    assert_eq!(shop.stock(&mug).await.0, 12, "and then forgotten");

    let touched = shop.cart(&[(&mug, 1)]).await;
    shop.advance(Duration::from_hours(29 * 24));
    round(&shop, month).await;
    assert_eq!(shop.read_cart(&old).await["status"], "EXPIRED");
    assert_eq!(shop.read_cart(&touched).await["status"], "OPEN");
    assert_eq!(codes(&shop.check_out(&old).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.add_to_cart(&old, &[(&mug, 1)]).await), ["INVALID_STATE"]);
    shop.close().await;
}

/// How many rows of idempotency keys PostgreSQL says were inserted, and how many were read.
async fn keys_counted(shop: &Shop) -> (i64, i64) {
    let counted = "SELECT n_tup_ins AS inserted, seq_tup_read + COALESCE(idx_tup_fetch, 0) AS read \
        FROM pg_stat_user_tables WHERE relname = 'idempotency_key'";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, counted);
    let row = shop.database().query_one_raw(statement).await.expect("an answer").expect("the table");
    (row.try_get("", "inserted").expect("a count"), row.try_get("", "read").expect("a count"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_never_reads_the_keys_of_others() {
    const KEYS: i64 = 20_000;
    const GUESTS: i64 = 255;
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await.parse().expect("an id");
    let many = format!(
        "INSERT INTO idempotency_key (scope, key, mutation, fingerprint, answer, created_at) \
         SELECT 'subject:busy', 'key ' || n, 'adjustStock', '', '[]', now() FROM generate_series(1, {KEYS}) AS n"
    );
    shop.database().execute_unprepared(&many).await.expect("many keys");
    // While the writer stands still its queue fills, so that the keys come in a few batches.
    let mut standing = faults::hold(Point::WriterBegun, None);
    let adjust = |scope: String, key: String| {
        let change = StockChange { product: mug, action: Action::Increment, quantity: 1, expected_version: None };
        let command = AdjustStock::check(vec![change], Reason::Correction, None, None, false).expect("a sound change");
        let key = Key {
            id: KeyId { scope, key },
            mutation: "adjustStock",
            fingerprint: String::new(),
            other_fingerprint: None,
        };
        let writer = shop.app.writer.clone();
        tokio::spawn(async move { writer.submit(&Actor::System, Keyed { key: Some(key), command }).await })
    };
    let guests = (1..=GUESTS).map(|n| adjust(format!("guest:{n}"), format!("key {n}")));
    let all: Vec<_> = guests.chain([adjust("subject:busy".to_owned(), "another".to_owned())]).collect();
    standing.reached().await;
    standing.release();
    for answer in join_all(all).await {
        answer.expect("no panic").expect("an answer");
    }
    eventually("the reads are counted", || async { keys_counted(&shop).await.0 == KEYS + GUESTS + 1 }).await;
    let (_, read) = keys_counted(&shop).await;
    assert!(read < KEYS, "{read} keys were read for a batch that names {GUESTS} others");
    shop.close().await;
}

/// A guest's key is for the cart or the order that the input names: the same key at another one is another key.
#[tokio::test]
async fn a_guests_key_is_for_one_cart_or_one_order() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 100).await;
    let guest = Client::clone(&shop);
    let carts = [guest.cart(&[]).await, guest.cart(&[]).await];
    let add =
        "mutation($i: AddToCartInput!) { addToCart(input: $i) { cart { id totalQuantity } userErrors { code } } }";
    for cart in &carts {
        let items = json!([{ "productId": mug, "quantity": 2 }]);
        let input = json!({ "cartId": cart, "items": items, "idempotencyKey": "K" });
        let added = twice(&guest, add, &input).await;
        assert_eq!(added["addToCart"]["cart"], json!({ "id": cart, "totalQuantity": 2 }), "once in each");
    }
    let check_out = "mutation($i: CheckOutInput!) { checkOut(input: $i) { order { id } userErrors { code } } }";
    let mut orders = Vec::new();
    for cart in &[guest.cart(&[(&mug, 1)]).await, guest.cart(&[(&mug, 1)]).await] {
        let placed = twice(&guest, check_out, &json!({ "cartId": cart, "idempotencyKey": "K" })).await;
        orders.push(placed["checkOut"]["order"]["id"].as_str().expect("an order").to_owned());
    }
    assert_ne!(orders[0], orders[1]);
    let pay =
        "mutation($i: PayOrderInput!) { payOrder(input: $i) { payment { id } order { id } userErrors { code } } }";
    let mut payments = Vec::new();
    for order in &orders {
        let input = json!({ "orderId": order, "gateway": "sandbox", "idempotencyKey": "K" });
        let answer = twice(&guest, pay, &input).await["payOrder"].take();
        assert_eq!(answer["order"]["id"], json!(order));
        payments.push(answer["payment"]["id"].as_str().expect("a payment").to_owned());
    }
    assert_ne!(payments[0], payments[1]);
    assert_eq!(guest.stock(&mug).await, (100, 2, 98), "each was paid, once");
    let cancel =
        "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { order { id status } userErrors { code } } }";
    for order in [guest.order_of(&mug).await, guest.order_of(&mug).await] {
        let cancelled = twice(&guest, cancel, &json!({ "orderId": order, "idempotencyKey": "K" })).await;
        assert_eq!(cancelled["cancelOrder"]["order"], json!({ "id": order, "status": "CANCELLED" }));
    }
    shop.close().await;
}
