//! What one answer shows of one thing is of one moment, however fast the thing changes meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Shop, Socket, codes, paid};

/// Everything of an order that changes when somebody tries to pay it.
const ORDER: &str = "id payment items { quantity allocatedQuantity } payments { id status }";

/// Readers beside the one who writes.
const READERS: usize = 4;

/// Why what an answer shows of an order cannot have been so at any moment.
fn torn(order: &Value) -> Option<String> {
    let all = |field: &str| order[field].as_array().unwrap_or_else(|| panic!("{order}")).iter();
    let allocated: i64 = all("items").map(|item| item["allocatedQuantity"].as_i64().expect("a count")).sum();
    let ordered: i64 = all("items").map(|item| item["quantity"].as_i64().expect("a count")).sum();
    let open = all("payments").filter(|payment| payment["status"] == "IN_PROGRESS").count();
    let right = match order["payment"].as_str() {
        Some("UNPAID") => (0, 0),
        Some("IN_PROGRESS") => (ordered, 1),
        other => panic!("{other:?}"),
    };
    ((allocated, open) != right).then(|| order.to_string())
}

/// Has readers ask for this while something is done, and returns what they were answered.
async fn while_reading(shop: &Arc<Shop>, query: &str, variables: Value, done: impl Future<Output = ()>) -> Vec<Value> {
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = (0..READERS).map(|_| {
        let (shop, is_over) = (Arc::clone(shop), Arc::clone(&is_over));
        let (query, variables) = (query.to_owned(), variables.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                answers.push(shop.data(&query, variables.clone()).await);
            }
            answers
        })
    });
    let readers: Vec<_> = readers.collect();
    done.await;
    is_over.store(true, Ordering::Relaxed);
    join_all(readers).await.into_iter().flat_map(|answers| answers.expect("no panic")).collect()
}

async fn close(shop: Arc<Shop>) {
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_its_items_and_its_payments_are_of_one_moment() {
    let shop = Arc::new(Shop::open().await);
    let (bag, mug) = (shop.product("BAG", 5).await, shop.product("MUG", 5).await);
    let order = shop.order(&[(&bag, 2), (&mug, 1)]).await;
    let query = format!(
        "query($id: ID!, $ids: [ID!]!) {{ order(id: $id) {{ {ORDER} }} nodes(ids: $ids) {{ ... on Order {{ {ORDER} }} }} \
         orders {{ nodes {{ {ORDER} }} }} }}"
    );
    let mut screen = Socket::open(&shop).await;
    let follow = format!("subscription($id: ID!) {{ orderChanged(id: $id) {{ {ORDER} updatedAt }} }}");
    screen.subscribe("order", &follow, json!({ "id": order })).await;
    let mut shown = vec![screen.data("order").await["orderChanged"].take()];

    let answers = while_reading(&shop, &query, json!({ "id": order, "ids": [order] }), async {
        for _ in 0..30 {
            let declined = shop.pay_sandbox(&order, "decline").await;
            assert_eq!(declined, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
        }
    });
    let answers = answers.await;
    let last = shop.data("query($id: ID!) { order(id: $id) { updatedAt } }", json!({ "id": order })).await;
    while shown.last().is_some_and(|order| order["updatedAt"] != last["order"]["updatedAt"]) {
        shown.push(screen.data("order").await["orderChanged"].take());
    }
    let read = answers.iter().flat_map(|data| [&data["order"], &data["nodes"][0], &data["orders"]["nodes"][0]]);
    let found: Vec<_> = read.chain(&shown).filter_map(torn).collect();
    assert!(found.is_empty(), "{} of {} and {}: {:#?}", found.len(), answers.len(), shown.len(), found.first());
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shipment_is_of_the_moment_of_its_order() {
    let shop = Arc::new(Shop::open().await);
    let bag = shop.product("BAG", 500).await;
    let query = "query($id: ID!) { order(id: $id) { shipping items { allocatedQuantity shippedQuantity } shipments { items { \
        quantity orderItem { shippedQuantity } } } } }";
    for _ in 0..8 {
        let order = shop.order(&[(&bag, 3)]).await;
        assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
        let shipped = async { assert!(codes(&shop.ship(&order).await).is_empty()) };
        for answer in while_reading(&shop, query, json!({ "id": order }), shipped).await {
            let before = json!({ "shipping": "UNFULFILLED", "shipments": [],
                "items": [{ "allocatedQuantity": 3, "shippedQuantity": 0 }] });
            let after = json!({ "shipping": "FULFILLED", "items": [{ "allocatedQuantity": 0, "shippedQuantity": 3 }],
                "shipments": [{ "items": [{ "quantity": 3, "orderItem": { "shippedQuantity": 3 } }] }] });
            assert!([&before, &after].contains(&&answer["order"]), "{answer}");
        }
    }
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_its_items_and_its_order_are_of_one_moment() {
    let shop = Arc::new(Shop::open().await);
    let (bag, mug) = (shop.product("BAG", 500).await, shop.product("MUG", 500).await);
    let query = "query($id: ID!) { cart(id: $id) { status totalQuantity subtotal { amount } items { quantity subtotal { \
        amount } } order { id } } }";
    for _ in 0..8 {
        let cart = shop.cart(&[(&bag, 1), (&mug, 1)]).await;
        let filled = async {
            for quantity in 1..4 {
                shop.update_cart(&cart, &[(&bag, quantity), (&mug, quantity)]).await;
                for product in [&bag, &mug] {
                    let price = json!({ "amount": 1000 + quantity, "currency": "EUR" });
                    shop.update_product(json!({ "id": product, "price": price })).await;
                }
            }
            assert!(codes(&shop.check_out(&cart).await).is_empty());
        };
        for answer in while_reading(&shop, query, json!({ "id": cart }), filled).await {
            let cart = &answer["cart"];
            let items = cart["items"].as_array().expect("items");
            let sum =
                |of: &dyn Fn(&Value) -> Option<i64>| items.iter().map(|item| of(item).expect("a number")).sum::<i64>();
            assert_eq!(cart["totalQuantity"], sum(&|item| item["quantity"].as_i64()), "{cart}");
            assert_eq!(items[0]["quantity"], items[1]["quantity"], "they are set together: {cart}");
            assert_eq!(cart["subtotal"]["amount"], sum(&|item| item["subtotal"]["amount"].as_i64()), "{cart}");
            assert_eq!(cart["status"] == "OPEN", cart["order"].is_null(), "{cart}");
        }
    }
    close(shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_and_its_stock_record_are_of_one_moment() {
    let shop = Arc::new(Shop::open().await);
    let bag = shop.product("BAG", 5).await;
    let cart = shop.cart(&[(&bag, 1)]).await;
    let product = "name lowStockThreshold stock { version product { stock { version } } }";
    let query = format!(
        "query($id: ID!, $cart: ID!) {{ product(by: {{ sku: \"BAG\" }}) {{ {product} }} node(id: $id) {{ ... on Product {{ \
         {product} }} }} products {{ nodes {{ {product} }} }} cart(id: $cart) {{ items {{ product {{ {product} }} }} }} }}"
    );
    shop.update_product(json!({ "id": bag, "name": "Low at 0", "lowStockThreshold": 0 })).await;
    let changed = async {
        for threshold in (0..40).map(|round| round % 7) {
            let name = format!("Low at {threshold}");
            shop.update_product(json!({ "id": bag, "name": name, "lowStockThreshold": threshold })).await;
        }
    };
    for answer in while_reading(&shop, &query, json!({ "id": bag, "cart": cart }), changed).await {
        let shown = [
            &answer["product"],
            &answer["node"],
            &answer["products"]["nodes"][0],
            &answer["cart"]["items"][0]["product"],
        ];
        for product in shown {
            assert_eq!(product["name"], format!("Low at {}", product["lowStockThreshold"]), "{product}");
            assert_eq!(product["stock"]["product"]["stock"]["version"], product["stock"]["version"], "{product}");
        }
    }
    close(shop).await;
}
