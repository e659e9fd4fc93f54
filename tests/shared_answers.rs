//! Queries of the catalogue that many send at the same time are executed once for them. Nobody is told anything older than
//! what there was when they asked, nor anything that another may see.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::stock::PublicStock;
use futures_util::future::join_all;
use onhand::config::Role;
use serde_json::{Value, json};

use crate::metrics::{scrape, value};
use crate::support::{Client, Shop};

const PAGE: &str =
    "query($first: Int!) { products(first: $first) { nodes { sku stock { total available version } } } }";

/// How many ask at the same time.
const READERS: usize = 16;

async fn version(client: &Client) -> i64 {
    let page = client.data(PAGE, json!({ "first": 20 })).await;
    page["products"]["nodes"][0]["stock"]["version"].as_i64().expect("a version")
}

#[tokio::test]
async fn whoever_asks_after_a_change_is_told_of_it() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1_000).await;
    let is_over = AtomicBool::new(false);
    let write = async {
        for _ in 0..40 {
            let changed = shop.adjust(&mug, "DECREMENT", 1).await;
            let acknowledged = changed["stocks"][0]["version"].as_i64().expect("a version");
            let read = version(&shop).await;
            assert!(read >= acknowledged, "{read} after {acknowledged}");
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let read = async || {
        let (mut last, mut count) = (0, 0);
        while !is_over.load(Ordering::SeqCst) {
            let read = version(&shop).await;
            assert!(read >= last, "{read} after {last}");
            (last, count) = (read, count + 1);
        }
        count
    };
    let ((), counts) = tokio::join!(write, join_all((0..READERS).map(|_| read())));
    assert!(counts.iter().sum::<usize>() > 0);
    let shared = value(&scrape(&shop).await.1, "onhand_answers_shared_total");
    assert!(shared > 0.0, "of {counts:?} reads by {READERS} none was shared");
    shop.close().await;
}

#[tokio::test]
async fn nobody_is_answered_with_what_another_may_see() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let customer = shop.signed_in(Role::Customer, "kim").await;
    staff.product("MUG", 50).await;
    let numbers = async |client: &Client| {
        let answers = join_all((0..READERS).map(|_| client.data(PAGE, json!({ "first": 20 })))).await;
        answers.into_iter().map(|mut page| page["products"]["nodes"][0]["stock"].take()).collect::<Vec<Value>>()
    };
    let (of_staff, of_customer, of_guest) = tokio::join!(numbers(&staff), numbers(&customer), numbers(&shop));
    for stock in of_staff {
        assert_eq!(json!([stock["total"], stock["available"]]), json!([50, 50]));
    }
    for stock in of_customer.into_iter().chain(of_guest) {
        assert_eq!(json!([stock["total"], stock["available"]]), json!([null, 5]));
    }
    shop.close().await;
}

#[tokio::test]
async fn other_variables_and_other_operations_have_answers_of_their_own() {
    const BOTH: &str = "query A { products { nodes { sku } } } query B { products { nodes { name } } }";
    let shop = Shop::open().await;
    for sku in ["CUP", "MUG", "POT"] {
        shop.product(sku, 1).await;
    }
    let skus = async |first: usize| {
        let page = shop.data(PAGE, json!({ "first": first })).await;
        (first, page["products"]["nodes"].as_array().map_or(0, Vec::len))
    };
    let named = async |name: &'static str| {
        let body = json!({ "query": BOTH, "operationName": name });
        let request = shop.client().post(format!("{}/graphql", shop.url)).json(&body);
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let node = &answer["data"]["products"]["nodes"][0];
        (name, node["sku"].is_string(), node["name"].is_string())
    };
    let pages = join_all((0..3 * READERS).map(|at| skus(at % 3 + 1)));
    let both = join_all((0..2 * READERS).map(|at| named(if at % 2 == 0 { "A" } else { "B" })));
    let (pages, both) = tokio::join!(pages, both);
    assert!(pages.iter().all(|(first, found)| first == found), "{pages:?}");
    assert!(both.iter().all(|(name, sku, title)| *sku == (*name == "A") && *title == (*name == "B")), "{both:?}");
    shop.close().await;
}

#[tokio::test]
async fn errors_come_to_each_and_what_is_too_large_is_answered_all_the_same() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let description = "x".repeat(2_000);
    for at in 0..20 {
        let sku = format!("S-{at:02}");
        let price = json!({ "amount": 100, "currency": "EUR" });
        staff.create_product(json!({ "sku": sku, "name": sku, "price": price, "description": description })).await;
    }
    let archived = "{ products(status: [ARCHIVED]) { nodes { sku } } }";
    let codes = join_all((0..READERS).map(|_| shop.code(archived, json!({})))).await;
    assert!(codes.iter().all(|code| code == "UNAUTHENTICATED"), "{codes:?}");
    let large = "{ products(first: 20) { nodes { description } } }";
    for _ in 0..2 {
        let pages = join_all((0..READERS).map(|_| shop.data(large, json!({})))).await;
        for page in pages {
            let nodes = page["products"]["nodes"].as_array().expect("a list");
            assert!(nodes.len() == 20 && nodes.iter().all(|node| node["description"] == description.as_str()));
        }
    }
    shop.close().await;
}
