//! What staff see of a product's stock beyond the present numbers: as they stood at a moment, and which orders hold units.

use std::time::Duration;

use onhand::config::Role;
use serde_json::{Value, json};

use crate::support::{Shop, Wanted, paid, short_times, with_tokens};

const AS_OF: &str =
    "query($id: ID!, $at: DateTime!) { stock(productId: $id) { asOf(time: $at) { total available allocated } } }";

const HOLDERS: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { stock(productId: $id) { \
    allocations(first: $first, after: $after, last: $last, before: $before) { nodes { order { id } quantity since expiresAt } \
    edges { cursor node { order { number } } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";

async fn as_of(shop: &Shop, product: &str, at: &Value) -> Value {
    shop.data(AS_OF, json!({ "id": product, "at": at })).await["stock"]["asOf"].take()
}

/// The holders of a product, each as order and quantity.
async fn holders(shop: &Shop, product: &str) -> Vec<(String, i64)> {
    let mut data = shop.data(HOLDERS, json!({ "id": product })).await;
    let nodes = data["stock"]["allocations"]["nodes"].take();
    let holder = |node: &Value| {
        assert_eq!(node["expiresAt"], Value::Null);
        (node["order"]["id"].as_str().expect("an id").to_owned(), node["quantity"].as_i64().expect("a count"))
    };
    nodes.as_array().expect("nodes").iter().map(holder).collect()
}

/// Every row says the numbers after it: so they stood from its moment to that of the next one.
#[tokio::test]
async fn numbers_stand_as_they_did_at_each_moment_of_the_log() {
    let shop = Shop::open().await;
    let before = json!("1970-01-01T00:00:00Z");
    let mug = shop.product("MUG", 10).await;
    for (action, quantity) in [("INCREMENT", 5), ("ALLOCATE", 3), ("SET", 7), ("DEALLOCATE", 2)] {
        shop.advance(Duration::from_mins(1));
        shop.adjust(&mug, action, quantity).await;
    }
    let log = "query($id: ID!) { stock(productId: $id) { transactions { nodes { createdAt after { total available allocated } } } } }";
    let mut rows = shop.data(log, json!({ "id": mug })).await["stock"]["transactions"]["nodes"].take();
    let rows = rows.as_array_mut().expect("rows");
    rows.reverse();
    assert_eq!(rows.len(), 5);
    assert_eq!(as_of(&shop, &mug, &before).await, Value::Null, "before the first transaction");
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(as_of(&shop, &mug, &row["createdAt"]).await, row["after"], "inclusive");
        let at: chrono::DateTime<chrono::Utc> = row["createdAt"].as_str().expect("a time").parse().expect("a time");
        let just_before = json!((at - chrono::TimeDelta::microseconds(1)).to_rfc3339());
        let expected = if place == 0 { Value::Null } else { rows[place - 1]["after"].clone() };
        assert_eq!(as_of(&shop, &mug, &just_before).await, expected, "a moment before row {place}");
    }
    assert_eq!(as_of(&shop, &mug, &json!("2999-12-31T00:00:00Z")).await, rows[4]["after"]);
    shop.close().await;
}

/// Many products and many moments in one request: each gets its own answer.
#[tokio::test]
async fn many_moments_are_read_together_and_each_gets_its_own_numbers() {
    let shop = Shop::open().await;
    let mut products = Vec::new();
    for number in 1..=70 {
        products.push(shop.product(&format!("P{number}"), number).await);
    }
    shop.advance(Duration::from_mins(1));
    let between = "query($id: ID!) { stock(productId: $id) { updatedAt } }";
    let between = shop.data(between, json!({ "id": products[69] })).await["stock"]["updatedAt"].take();
    for product in &products {
        shop.adjust(product, "INCREMENT", 1_000).await;
    }
    let query = "query($ids: [ID!]!, $then: DateTime!) { stocks(productIds: $ids) { then: asOf(time: $then) { total } \
        now: asOf(time: \"2999-12-31T00:00:00Z\") { total } never: asOf(time: \"1970-01-01T00:00:00Z\") { total } } }";
    let told = shop.data(query, json!({ "ids": products, "then": between })).await;
    for (place, stock) in told["stocks"].as_array().expect("stocks").iter().enumerate() {
        let units = i64::try_from(place).expect("few") + 1;
        let expected = json!({ "then": { "total": units }, "now": { "total": units + 1_000 }, "never": null });
        assert_eq!(*stock, expected, "product {place}");
    }
    shop.close().await;
}

#[tokio::test]
async fn orders_that_hold_units_are_listed_from_payment_to_parcel() {
    let shop = Shop::open_with(short_times()).await;
    let (mug, cup) = (shop.product("MUG", 20).await, shop.product("CUP", 20).await);
    let (first, second) = (shop.order(&[(&mug, 1), (&cup, 4)]).await, shop.order(&[(&mug, 2)]).await);
    let (unpaid, declined) = (shop.order(&[(&mug, 3)]).await, shop.order(&[(&mug, 4)]).await);
    shop.adjust(&mug, "ALLOCATE", 5).await;
    assert_eq!(holders(&shop, &mug).await, [], "unpaid orders and staff hold nothing here");
    // Whoever was placed first comes first, whoever pays first.
    assert_eq!(shop.pay(&second).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.pay(&first).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.pay_sandbox(&declined, "decline").await.payment, "DECLINED");
    assert_eq!(holders(&shop, &mug).await, [(first.clone(), 1), (second.clone(), 2)]);
    assert_eq!(holders(&shop, &cup).await, [(first.clone(), 4)]);
    shop.pay_with(json!({ "orderId": unpaid, "gateway": "sandbox", "token": "never" })).await;
    assert_eq!(
        holders(&shop, &mug).await,
        [(first.clone(), 1), (second.clone(), 2), (unpaid.clone(), 3)],
        "being paid"
    );
    shop.ship(&first).await;
    shop.cancel(&second).await;
    assert_eq!(holders(&shop, &mug).await, [(unpaid, 3)]);
    assert_eq!(holders(&shop, &cup).await, []);
    shop.close().await;
}

/// An order that was declined and paid later holds its units since it was paid.
#[tokio::test]
async fn units_are_held_since_they_were_allocated_last() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 20).await, shop.product("CUP", 20).await);
    let order = shop.order(&[(&mug, 1), (&cup, 1)]).await;
    assert_eq!(shop.pay_sandbox(&order, "decline").await.payment, "DECLINED");
    shop.advance(Duration::from_mins(1));
    shop.adjust(&mug, "ALLOCATE", 1).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let log = "query($id: ID!) { order(id: $id) { stockTransactions { nodes { action createdAt product { id } } } } }";
    let rows = shop.data(log, json!({ "id": order })).await["order"]["stockTransactions"]["nodes"].take();
    let rows = rows.as_array().expect("rows");
    for product in [&mug, &cup] {
        let newest = rows.iter().find(|row| row["action"] == "ALLOCATE" && row["product"]["id"] == json!(product));
        let data = shop.data(HOLDERS, json!({ "id": product })).await;
        assert_eq!(data["stock"]["allocations"]["nodes"][0]["since"], newest.expect("newest first")["createdAt"]);
    }
    shop.close().await;
}

#[tokio::test]
async fn pages_of_holders_have_each_of_them_once() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 100).await;
    let mut orders = Vec::new();
    for _ in 0..7 {
        let order = shop.order_of(&mug).await;
        shop.pay(&order).await;
        orders.push(order);
        // Items of one millisecond have no order among themselves.
        shop.advance(Duration::from_millis(5));
    }
    let page = async |arguments: Value| {
        let mut variables = arguments;
        variables["id"] = json!(mug);
        let list = shop.data(HOLDERS, variables).await["stock"]["allocations"].take();
        let nodes = list["nodes"].as_array().expect("nodes").iter();
        let ids: Vec<String> = nodes.map(|node| node["order"]["id"].as_str().expect("an id").to_owned()).collect();
        (ids, list["pageInfo"].clone())
    };
    let (mut forth, mut after) = (Vec::new(), Value::Null);
    loop {
        let (ids, info) = page(json!({ "first": 3, "after": after })).await;
        forth.extend(ids);
        after = info["endCursor"].clone();
        // What is shipped meanwhile is on no later page, and moves nobody.
        if forth.len() == 3 {
            shop.ship(&orders[4]).await;
        }
        if info["hasNextPage"] == json!(false) {
            break;
        }
    }
    orders.remove(4);
    assert_eq!(forth, orders);
    let (back, info) = page(json!({ "last": 2 })).await;
    assert_eq!((back.as_slice(), &info["hasPreviousPage"]), (&orders[4..], &json!(true)));
    let (back, _) = page(json!({ "last": 100, "before": info["startCursor"] })).await;
    assert_eq!(back.as_slice(), &orders[..4]);
    let list = "query($id: ID!, $a: String) { stock(productId: $id) { transactions(after: $a) { nodes { id } } } }";
    assert_eq!(shop.code(list, json!({ "id": mug, "a": after })).await, "BAD_CURSOR", "a cursor of another list");
    shop.close().await;
}

#[tokio::test]
async fn only_staff_see_the_past_and_who_holds_units() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), ..Wanted::default() }).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let mug = staff.product("MUG", 1).await;
    let order = ada.order_of(&mug).await;
    ada.pay_sandbox(&order, "succeed").await;
    for field in ["asOf(time: \"2999-12-31T00:00:00Z\") { total }", "allocations { nodes { quantity order { id } } }"] {
        let query = format!("query($id: ID!) {{ stock(productId: $id) {{ available {field} }} }}");
        assert_eq!(ada.code(&query, json!({ "id": mug })).await, "FORBIDDEN", "{field}");
        assert_eq!(shop.code(&query, json!({ "id": mug })).await, "UNAUTHENTICATED", "{field}");
        let seen = staff.data(&query, json!({ "id": mug })).await;
        assert_eq!(seen["stock"]["available"], 0, "{seen}");
    }
    let seen = staff.data(HOLDERS, json!({ "id": mug })).await;
    assert_eq!(seen["stock"]["allocations"]["nodes"][0]["order"]["id"], json!(order));
    shop.close().await;
}
