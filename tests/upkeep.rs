//! What the server deletes by itself: idempotency keys, carts, and what replicas told each other stay bounded, however
//! many of them are made, and nothing that somebody may still need goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::id::ProductId;
use entity::{cart, cart_item, idempotency_key, stock_demand};
use futures_util::future::join_all;
use onhand::clock::Clock;
use onhand::writer::retention::{self, EXPIRED_CART_LIFETIME, Lifetimes};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Shop, codes, eventually, is_postgres, patient_times, short_times};

/// Less than a day by more than a test takes.
const NEARLY_A_DAY: Duration = Duration::from_mins(24 * 60 - 10);
const REST_OF_DAY: Duration = Duration::from_mins(10);
const MONTH: Duration = Duration::from_hours(30 * 24);
const REST_OF_MONTH: Duration = Duration::from_hours(29 * 24);

/// More than one statement takes.
const MANY: u64 = 3_001;

async fn round(shop: &Shop, lifetimes: Lifetimes) {
    retention::round((&shop.app.writer, &shop.app.store), &shop.app.clock, &lifetimes, &CancellationToken::new())
        .await
        .expect("a round");
}

async fn count<E: EntityTrait>(shop: &Shop) -> u64
where
    E::Model: Sync,
{
    E::find().count(shop.database()).await.expect("a count")
}

/// Keys and carts of now, each cart with an item, written past the server.
async fn make_many(shop: &Shop, product: ProductId, status: &str) {
    let now = Clock::system().now();
    let mut carts = Vec::new();
    let mut items = Vec::new();
    let mut keys = Vec::new();
    for number in 0..MANY {
        let id = Uuid::new_v4();
        let (status, owner) = (status.to_owned(), None);
        carts.push(cart::Model { id, status, owner, created_at: now, updated_at: now }.into_active_model());
        items.push(cart_item::Model { cart_id: id, product_id: product.0, line: 0, quantity: 1 }.into_active_model());
        let key = idempotency_key::Model {
            scope: format!("guest:{id}"),
            key: number.to_string(),
            mutation: "addToCart".to_owned(),
            fingerprint: String::new(),
            payment_id: None,
            answer: Some("null".to_owned()),
            created_at: now,
        };
        keys.push(key.into_active_model());
    }
    let db = shop.database();
    if status == "open" {
        let in_carts = i64::try_from(MANY).expect("few");
        let demand =
            stock_demand::Model { product_id: product.0, batch: Uuid::new_v4(), in_carts, in_unpaid_orders: 0 };
        stock_demand::Entity::insert(demand.into_active_model()).exec_without_returning(db).await.expect("a demand");
    }
    cart::Entity::insert_many(carts).exec_without_returning(db).await.expect("carts");
    cart_item::Entity::insert_many(items).exec_without_returning(db).await.expect("items");
    idempotency_key::Entity::insert_many(keys).exec_without_returning(db).await.expect("keys");
}

#[tokio::test]
async fn one_round_prunes_everything_that_is_over_and_nothing_else() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 2)]).await;
    make_many(&shop, mug.parse().expect("an id"), "open").await;
    make_many(&shop, mug.parse().expect("an id"), "expired").await;
    let lifetimes = Lifetimes::with_carts(MONTH);
    round(&shop, lifetimes).await;
    assert_eq!(count::<cart::Entity>(&shop).await, 2 * MANY + 1, "nothing is over yet");
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 2 * MANY);

    shop.advance(NEARLY_A_DAY);
    round(&shop, lifetimes).await;
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 2 * MANY, "their day is not over");
    shop.advance(REST_OF_DAY + Duration::from_secs(1));
    round(&shop, lifetimes).await;
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 0, "keys are kept for a day");
    assert_eq!(count::<cart::Entity>(&shop).await, 2 * MANY + 1);

    let touched = shop.cart(&[(&mug, 1)]).await;
    shop.advance(REST_OF_MONTH);
    round(&shop, lifetimes).await;
    let expired = cart::Entity::find().filter(cart::Column::Status.eq("expired"));
    assert_eq!(expired.count(shop.database()).await.expect("a count"), 2 * MANY, "carts are open for a month");

    shop.advance(EXPIRED_CART_LIFETIME);
    round(&shop, lifetimes).await;
    assert_eq!(count::<cart::Entity>(&shop).await, 2, "that of the order, and the one that was touched");
    assert_eq!(count::<cart_item::Entity>(&shop).await, 2);
    assert_eq!(shop.read_cart(&touched).await["status"], "EXPIRED");
    let read = "query($id: ID!) { order(id: $id) { total { amount } items { quantity product { sku } } } }";
    let order = shop.data(read, json!({ "id": order })).await;
    assert_eq!(order["order"]["items"], json!([{ "quantity": 2, "product": { "sku": "MUG" } }]));
    shop.close().await;
}

/// Replicas that slept for up to nine minutes read what they were told meanwhile: it goes after ten, and not before.
#[tokio::test]
async fn what_replicas_told_each_other_goes_after_ten_minutes() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let insert = "INSERT INTO change (kind, id, version, created_at) SELECT 'stock', gen_random_uuid(), 1, \
        clock_timestamp() - age * interval '1 second' FROM unnest(ARRAY[0, 540, 601, 6000]) AS age";
    shop.database().execute_unprepared(insert).await.expect("rows");
    round(&shop, Lifetimes::with_carts(MONTH)).await;
    let left = "SELECT count(*) AS left FROM change WHERE created_at > clock_timestamp() - interval '601 seconds'";
    for (query, expected) in [(left, 2), ("SELECT count(*) AS left FROM change", 2)] {
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, query);
        let row = shop.database().query_one_raw(statement).await.expect("an answer").expect("a row");
        assert_eq!(row.try_get::<i64>("", "left").expect("a count"), expected, "{query}");
    }
    shop.close().await;
}

/// While keys and carts are made without a pause, what is left after a round is no more than what was made meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn tables_stay_bounded_under_load() {
    let shop = Arc::new(Shop::open().await);
    let mug = shop.product("MUG", 0).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let made: Vec<_> = (0..8)
        .map(|client| {
            let (shop, mug, is_over) = (Arc::clone(&shop), mug.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut made = 0_u64;
                while !is_over.load(Ordering::Relaxed) {
                    let change = json!({ "productId": mug, "action": "INCREMENT", "quantity": 1 });
                    let key = format!("{client} {made}");
                    shop.adjust_all(json!({ "changes": [change], "idempotencyKey": key })).await;
                    shop.create_cart(&[]).await;
                    made += 1;
                }
                made
            })
        })
        .collect();
    make_many(&shop, mug.parse().expect("an id"), "open").await;
    let none = Lifetimes {
        unpaid_order: None,
        open_cart: Duration::ZERO,
        expired_cart: Duration::ZERO,
        key: Duration::ZERO,
        change: Duration::ZERO,
        delivery: Duration::ZERO,
    };
    for _ in 0..10 {
        round(&shop, none).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let made: u64 = join_all(made).await.into_iter().map(|made| made.expect("no panic")).sum();
    assert!(made > 0);
    // The clock has microseconds: what was made in this one is not over.
    shop.advance(Duration::from_millis(1));
    round(&shop, none).await;
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 0);
    assert_eq!(count::<cart::Entity>(&shop).await + count::<cart_item::Entity>(&shop).await, 0);
    if is_postgres() {
        let left = "SELECT count(*) AS left FROM change";
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, left);
        let row = shop.database().query_one_raw(statement).await.expect("an answer").expect("a row");
        assert_eq!(row.try_get::<i64>("", "left").expect("a count"), 0);
    }
    let demand = stock_demand::Entity::find().filter(stock_demand::Column::Batch.ne(Uuid::nil()));
    assert!(demand.count(shop.database()).await.expect("a count") <= 1, "what batches added is merged");
    assert_eq!(shop.stock(&mug).await.0, i64::try_from(made).expect("a count"), "nothing else went with them");
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}

#[tokio::test]
async fn the_key_of_an_open_payment_is_kept() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "never", "idempotencyKey": "K" });
    let open = shop.pay_with(input.clone()).await;
    assert_eq!(open["payment"]["status"], "IN_PROGRESS");
    let none = Lifetimes { unpaid_order: None, key: Duration::ZERO, ..Lifetimes::with_carts(MONTH) };
    round(&shop, none).await;
    let again = shop.pay_with(input).await;
    assert_eq!((codes(&again), &again["payment"]["id"]), (vec!["PAYMENT_IN_PROGRESS"], &open["payment"]["id"]));
    shop.close().await;
}

/// A cart that was deleted is, by every path, what an id is that was made up.
#[tokio::test]
async fn a_deleted_cart_is_one_that_never_was() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let gone = shop.cart(&[(&mug, 1)]).await;
    shop.advance(MONTH + EXPIRED_CART_LIFETIME + Duration::from_secs(1));
    round(&shop, Lifetimes::with_carts(MONTH)).await;
    let never = domain::id::CartId(Uuid::new_v4()).to_string();
    let mut answers = Vec::new();
    for id in [&gone, &never] {
        let read = "query($id: ID!) { cart(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }";
        let read = shop.ask(read, json!({ "id": id })).await;
        let added = shop.add_to_cart(id, &[(&mug, 1)]).await;
        let set = shop.update_cart(id, &[(&mug, 0)]).await;
        let placed = shop.check_out(id).await;
        assert_eq!(codes(&placed), ["NOT_FOUND"]);
        answers.push(json!([read, added, set, placed]));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][0]["data"], json!({ "cart": null, "node": null, "nodes": [Value::Null] }));
    shop.close().await;
}

/// The key stands for the payment until its answer is told, and for a day after it was made: once the payment is settled,
/// whoever comes back with the key hears of that payment and begins no other.
#[tokio::test]
async fn the_key_of_an_open_payment_is_still_there_when_it_is_settled() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 1)]).await;
    let input = json!({ "orderId": order, "gateway": "sandbox", "token": "error:declined", "idempotencyKey": "K" });
    let open = shop.pay_with(input.clone()).await;
    assert_eq!(open["payment"]["status"], "IN_PROGRESS");
    let none = Lifetimes { unpaid_order: None, key: Duration::ZERO, ..Lifetimes::with_carts(MONTH) };
    round(&shop, none).await;
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 1);
    shop.advance(patient_times().pay_lease);
    eventually("recovery settles it", async || shop.read_order(&order).await["payment"] == "UNPAID").await;
    let again = shop.pay_with(input).await;
    assert_eq!((codes(&again), &again["payment"]["id"]), (vec!["PAYMENT_DECLINED"], &open["payment"]["id"]));
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 1", "DEALLOCATE 1"], "one attempt");
    round(&shop, none).await;
    assert_eq!(count::<idempotency_key::Entity>(&shop).await, 0, "its time is over");
    shop.close().await;
}
