//! Searching: it costs by the size of the catalogue, and however much is searched for what is not there, whoever reads
//! something else does not wait for it.

use std::num::NonZeroU32;

use entity::{product, stock};
use futures_util::future::join_all;
use onhand::clock::Clock;
use onhand::config::Role;
use onhand::read::{MAX_SCAN_COST, MAX_SCANS, MAX_WAITING_SCANS};
use onhand::server::{Rate, RateLimits, TransportConfig};
use sea_orm::{EntityTrait, IntoActiveModel, TransactionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Shop, Wanted, is_postgres, with_tokens};

const SEARCH: &str = "query($text: String) { products(search: $text) { nodes { sku } } }";
const BY_AVAILABILITY: &str = "{ products(availability: [OUT_OF_STOCK]) { nodes { sku } } }";

/// Products and their stock, written past the server.
async fn fill(shop: &Shop, count: usize) {
    const AT_ONCE: usize = 1_000;
    let now = Clock::system().now();
    for from in (0..count).step_by(AT_ONCE) {
        let ids: Vec<(usize, Uuid)> = (from..count.min(from + AT_ONCE)).map(|n| (n, Uuid::new_v4())).collect();
        let products = ids.iter().map(|(n, id)| {
            let row = product::Model {
                id: *id,
                sku: format!("SKU-{n}"),
                sku_key: format!("sku-{n}"),
                slug: format!("product-{n}"),
                name: format!("Product {n}"),
                name_key: format!("product {n}"),
                description: None,
                price_amount: 100,
                price_currency: "EUR".to_owned(),
                status: "active".to_owned(),
                created_at: now,
                updated_at: now,
            };
            row.into_active_model()
        });
        let stocks = ids.iter().map(|(_, id)| {
            let row = stock::Model {
                product_id: *id,
                managed: false,
                low_stock_threshold: 0,
                total: 0,
                allocated: 0,
                by_hand: 0,
                held: 0,
                sequence: 0,
                version: 1,
                updated_at: now,
                shown_version: 1,
                shown_at: now,
            };
            row.into_active_model()
        });
        let db = shop.database();
        product::Entity::insert_many(products).exec_without_returning(db).await.expect("products");
        stock::Entity::insert_many(stocks).exec_without_returning(db).await.expect("their stock");
    }
}

#[tokio::test]
async fn a_search_costs_by_what_there_is_to_look_through() {
    const PRODUCTS: usize = 4_000;
    // A point, three for the fields of the list, twenty rows of one field, and a fifth of a point for 4,000 products.
    const PLAIN: u32 = 1_000 + 2 + 20;
    const SCAN: u32 = 200;
    let burst = NonZeroU32::new(2 * PLAIN + 2 * SCAN).expect("some points");
    let rates = RateLimits::new(Rate { per_second: NonZeroU32::MIN, burst }, None);
    let transport = TransportConfig { rates, ..TransportConfig::default() };
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await;
    fill(&shop, PRODUCTS).await;
    assert_eq!(shop.app.store.scan_cost(1, 1), 0, "nothing is known of the catalogue before the first search");
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let found = staff.data(SEARCH, json!({ "text": "product 3999" })).await;
    assert_eq!(found["products"]["nodes"], json!([{ "sku": "SKU-3999" }]));
    assert_eq!(shop.app.store.scan_cost(1, 0), u64::from(SCAN));
    let indexed = if is_postgres() { SCAN / 10 } else { SCAN };
    assert_eq!(shop.app.store.scan_cost(0, 1), u64::from(indexed), "an index helps with words");
    assert!(shop.app.store.scan_cost(u64::MAX, 1) >= MAX_SCAN_COST, "no sum is too large");

    // Two letters are no word that an index helps with; an empty text is no search.
    for text in ["zz", "-- --"] {
        assert_eq!(shop.data(SEARCH, json!({ "text": text })).await["products"]["nodes"], json!([]));
    }
    assert_eq!(shop.code("{ __typename }", json!({})).await, "RATE_LIMITED", "all points are spent");
    let ada = shop.signed_in(Role::Customer, "ada").await;
    ada.data(SEARCH, json!({ "text": " " })).await;
    ada.data(SEARCH, json!({ "text": null })).await;
    let left = ada.ask(BY_AVAILABILITY, json!({})).await;
    assert_eq!(left["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{left}");
    let bob = shop.signed_in(Role::Customer, "bob").await;
    for _ in 0..2 {
        assert_eq!(bob.data(BY_AVAILABILITY, json!({})).await["products"]["nodes"], json!([]));
    }
    assert_eq!(bob.code("{ __typename }", json!({})).await, "RATE_LIMITED");
    shop.close().await;
}

/// While every search hangs, readiness and all other reads answer, and searches beyond the bound are refused at once.
#[tokio::test(flavor = "multi_thread")]
async fn searches_that_hang_keep_nobody_else_waiting() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let cart = shop.cart(&[]).await;
    // For as long as it takes, also on a slow machine.
    let held = "SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE product IN ACCESS EXCLUSIVE MODE";
    #[expect(clippy::disallowed_methods, reason = "somebody holds what is searched")]
    let somebody = shop.database().begin().await.expect("a transaction");
    sea_orm::ConnectionTrait::execute_unprepared(&somebody, held).await.expect("the table");
    let extra = 30;
    let searches = (0..MAX_SCANS as usize + MAX_WAITING_SCANS + extra).map(|number| {
        let (client, query) = (shop.clone(), if number % 2 == 0 { SEARCH } else { BY_AVAILABILITY });
        tokio::spawn(async move { client.ask(query, json!({ "text": "not there" })).await })
    });
    let searches: Vec<_> = searches.collect();
    let read = "query($id: ID!) { cart(id: $id) { status } }";
    for _ in 0..20 {
        assert_eq!(shop.data(read, json!({ "id": cart })).await["cart"]["status"], "OPEN");
        let ready = shop.http.get(format!("{}/health/ready", shop.url)).send().await.expect("an answer");
        assert_eq!(ready.status().as_u16(), 200);
    }
    let answers: Vec<Value> = join_all(searches).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    somebody.rollback().await.expect("an end");
    let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
    let overloaded = answers.iter().filter(|answer| code(answer) == "OVERLOADED").count();
    assert!(overloaded >= extra, "{overloaded} searches were refused");
    // Those that hang end when their statement, or their request, has taken too long.
    let ends = ["OVERLOADED", "UNAVAILABLE", "TIMEOUT"];
    assert!(answers.iter().all(|answer| ends.contains(&code(answer).as_str())), "{answers:?}");
    assert_eq!(shop.data(SEARCH, json!({ "text": "not there" })).await["products"]["nodes"], json!([]), "it goes on");
    shop.close().await;
}
