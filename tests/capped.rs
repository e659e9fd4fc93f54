//! What those who see capped counts are told, by every path to a product or its stock: no more than the cap.

use domain::stock::PublicStock;
use onhand::config::Role;
use serde_json::{Map, Value, json};

use crate::support::{Client, Shop, Socket};

const CAP: i64 = 5;

/// What tells of counts, of a product.
const PRODUCT: &str = "id lowStockThreshold stock { total allocated available version updatedAt product { id lowStockThreshold \
    stock { total allocated available version } } }";

/// The same, of a stock record.
const STOCK: &str = "total allocated available version updatedAt product { lowStockThreshold stock { total allocated available version } }";

/// A shop whose public sees at most five units, of which there are fifty: one reserved, one held by an order.
struct Counter {
    shop: Shop,
    staff: Client,
    /// A customer, who reaches the parts of their orders by id.
    ada: Client,
    mug: String,
    /// An order of hers, paid and shipped, and what it is made of.
    order: Value,
}

async fn counter() -> Counter {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let mug = staff.product("MUG", 50).await;
    staff.update_product(json!({ "id": mug, "lowStockThreshold": 40 })).await;
    staff.adjust(&mug, "ALLOCATE", 1).await;
    staff.adjust(&mug, "INCREMENT", 3).await;
    let shipped = ada.order(&[(&mug, 2)]).await;
    ada.pay_sandbox(&shipped, "succeed").await;
    staff.ship(&shipped).await;
    let held = ada.order(&[(&mug, 1)]).await;
    ada.pay_sandbox(&held, "succeed").await;
    let parts = "query($id: ID!) { order(id: $id) { id items { id } payments { id } shipments { id } } }";
    let order = ada.data(parts, json!({ "id": shipped })).await["order"].take();
    Counter { shop, staff, ada, mug, order }
}

/// Checks every count in an answer, wherever it stands, and returns how many stock records there were.
fn stocks_in(answer: &Value, path: &str) -> usize {
    match answer {
        Value::Array(values) => values.iter().map(|value| stocks_in(value, path)).sum(),
        Value::Object(fields) => {
            let inner: usize = fields.values().map(|value| stocks_in(value, path)).sum();
            inner + usize::from(is_capped(fields, path))
        }
        _ => 0,
    }
}

/// Whether this is a stock record, which must then be capped.
fn is_capped(fields: &Map<String, Value>, path: &str) -> bool {
    if let Some(threshold) = fields.get("lowStockThreshold") {
        assert_eq!(threshold, &json!(CAP), "{path}: {fields:?}");
    }
    let Some(available) = fields.get("available") else { return false };
    assert_eq!(
        (available, &fields["total"], &fields["allocated"]),
        (&json!(CAP), &Value::Null, &Value::Null),
        "{path}"
    );
    // The threshold was set, which the public sees; of four movements behind the cap it sees none.
    assert_eq!(fields["version"], 2, "{path}: {fields:?}");
    true
}

#[tokio::test]
async fn no_query_shows_more_than_the_cap() {
    let Counter { shop, staff, ada, mug, order } = counter().await;
    let stock_id = staff.data("query($id: ID!) { stock(productId: $id) { id } }", json!({ "id": mug })).await;
    let stock_id = stock_id["stock"]["id"].clone();
    let cart = ada.cart(&[(&mug, 1)]).await;
    let items = format!("items {{ product {{ {PRODUCT} }} }}");
    let of_order = format!("{items} shipments {{ items {{ orderItem {{ product {{ {PRODUCT} }} }} }} }}");
    let mut paths = vec![
        (format!("query($id: ID!) {{ product(by: {{ id: $id }}) {{ {PRODUCT} }} }}"), json!(mug)),
        (format!("{{ product(by: {{ sku: \"MUG\" }}) {{ {PRODUCT} }} }}"), json!(mug)),
        (format!("{{ products(first: 1) {{ nodes {{ {PRODUCT} }} edges {{ node {{ {PRODUCT} }} }} }} }}"), json!(mug)),
        (format!("query($id: ID!) {{ stock(productId: $id) {{ {STOCK} }} }}"), json!(mug)),
        (format!("query($id: ID!) {{ stocks(productIds: [$id]) {{ {STOCK} }} }}"), json!(mug)),
        (format!("query($id: ID!) {{ cart(id: $id) {{ {items} }} }}"), json!(cart)),
        (format!("query($id: ID!) {{ order(id: $id) {{ {of_order} }} }}"), order["id"].clone()),
        (format!("{{ orders(first: 1) {{ nodes {{ {of_order} }} }} }}"), order["id"].clone()),
    ];
    for (id, kind, fields) in [
        (&json!(mug), "Product", PRODUCT),
        (&stock_id, "Stock", STOCK),
        (&json!(cart), "Cart", &items),
        (&order["id"], "Order", &of_order),
        (&order["items"][0]["id"], "OrderItem", &format!("product {{ {PRODUCT} }}")),
        (&order["shipments"][0]["id"], "Shipment", &format!("items {{ orderItem {{ product {{ {PRODUCT} }} }} }}")),
    ] {
        paths.push((format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {fields} }} }} }}"), id.clone()));
        paths.push((format!("query($id: ID!) {{ nodes(ids: [$id]) {{ ... on {kind} {{ {fields} }} }} }}"), id.clone()));
    }
    for (query, id) in paths {
        let variables = if query.contains("$id") { json!({ "id": id }) } else { json!({}) };
        let answer = ada.data(&query, variables).await;
        assert!(stocks_in(&answer, &query) > 0, "{query} shows no stock: {answer}");
    }
    shop.close().await;
}

#[tokio::test]
async fn no_mutation_shows_more_than_the_cap() {
    let Counter { shop, ada, mug, .. } = counter().await;
    let items = format!("items {{ product {{ {PRODUCT} }} }}");
    let cart = format!("cart {{ id {items} order {{ {items} }} }} userErrors {{ code }}");
    let order = format!("order {{ id {items} }} userErrors {{ code }}");
    let item = json!([{ "productId": mug, "quantity": 1 }]);
    let run = async |name: &str, kind: &str, fields: &str, input: Value| {
        let query = format!("mutation($i: {kind}) {{ {name}(input: $i) {{ {fields} }} }}");
        let answer = ada.data(&query, json!({ "i": input })).await[name].take();
        assert_eq!(answer["userErrors"], json!([]), "{name}: {answer}");
        assert!(stocks_in(&answer, name) > 0, "{name} shows no stock: {answer}");
        answer
    };
    let made = run("createCart", "CreateCartInput", &cart, json!({ "items": item })).await;
    let id = made["cart"]["id"].clone();
    run("addToCart", "AddToCartInput!", &cart, json!({ "cartId": id, "items": item })).await;
    run("updateCart", "UpdateCartInput!", &cart, json!({ "cartId": id, "items": item })).await;
    let placed = run("checkOut", "CheckOutInput!", &order, json!({ "cartId": id })).await;
    let placed = placed["order"]["id"].clone();
    let pay = |token: &str| json!({ "orderId": placed, "gateway": "sandbox", "token": token });
    let declined = format!("mutation($i: PayOrderInput!) {{ payOrder(input: $i) {{ {order} }} }}");
    let declined = ada.data(&declined, json!({ "i": pay("decline") })).await;
    assert!(stocks_in(&declined, "a refusal") > 0, "{declined}");
    run("cancelOrder", "CancelOrderInput!", &order, json!({ "orderId": placed })).await;
    let other = json!(ada.order_of(&mug).await);
    run("payOrder", "PayOrderInput!", &order, json!({ "orderId": other, "gateway": "sandbox" })).await;
    shop.close().await;
}

#[tokio::test]
async fn no_subscription_shows_more_than_the_cap() {
    let Counter { shop, staff, ada, mug, order } = counter().await;
    let waiting = ada.order_of(&mug).await;
    let mut socket = Socket::open(&ada).await;
    let stock = format!("subscription($id: ID!) {{ stockChanged(productIds: [$id]) {{ {STOCK} }} }}");
    let orders = format!(
        "subscription($id: ID!) {{ orderChanged(id: $id) {{ items {{ product {{ {PRODUCT} }} }} \
         shipments {{ items {{ orderItem {{ product {{ {PRODUCT} }} }} }} }} }} }}"
    );
    socket.subscribe("stock", &stock, json!({ "id": mug })).await;
    assert!(stocks_in(&socket.data("stock").await, "stockChanged") > 0);
    socket.subscribe("order", &orders, json!({ "id": waiting })).await;
    assert!(stocks_in(&socket.data("order").await, "orderChanged") > 0);
    ada.cancel(&waiting).await;
    assert!(stocks_in(&socket.data("order").await, "orderChanged, later") > 0, "nothing of the stock came before it");
    socket.subscribe("shipped", &orders, json!({ "id": order["id"] })).await;
    assert!(stocks_in(&socket.data("shipped").await, "orderChanged, shipped") > 0);
    // What the public sees falls below the cap: a later state is capped like the first.
    let query = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: SET, quantity: 5 }] }) \
        { stocks { available } } }";
    staff.data(query, json!({ "id": mug })).await;
    let told = socket.data("stock").await["stockChanged"].take();
    assert_eq!((&told["total"], &told["allocated"], &told["available"]), (&Value::Null, &Value::Null, &json!(3)));
    shop.close().await;
}

/// The log tells exact counts; whoever sees capped ones sees none of it.
#[tokio::test]
async fn no_path_shows_the_log() {
    let Counter { shop, staff, ada, mug, order } = counter().await;
    let log = "transactions { nodes { quantity } }";
    let (past, holders) = ("asOf(time: \"2999-12-31T00:00:00Z\") { total }", "allocations { nodes { quantity } }");
    let rows = "stockTransactions { nodes { quantity } }";
    let row = staff.data("{ stockTransactions { nodes { id } } }", json!({})).await;
    let row = row["stockTransactions"]["nodes"][0]["id"].clone();
    let node = format!("... on Product {{ stock {{ {log} }} }} ... on Order {{ {rows} }}");
    let mug = json!(mug);
    for (query, id) in [
        (format!("query($id: ID!) {{ stock(productId: $id) {{ {log} }} }}"), &mug),
        (format!("query($id: ID!) {{ stocks(productIds: [$id]) {{ {log} }} }}"), &mug),
        (format!("query($id: ID!) {{ stock(productId: $id) {{ {past} }} }}"), &mug),
        (format!("query($id: ID!) {{ product(by: {{ id: $id }}) {{ stock {{ {holders} }} }} }}"), &mug),
        (format!("query($id: ID!) {{ product(by: {{ id: $id }}) {{ stock {{ {log} }} }} }}"), &mug),
        (format!("query($id: ID!) {{ node(id: $id) {{ {node} }} }}"), &mug),
        (format!("query($id: ID!) {{ node(id: $id) {{ {node} }} }}"), &order["id"]),
        (format!("query($id: ID!) {{ order(id: $id) {{ {rows} }} }}"), &order["id"]),
        (
            format!("query($id: ID!) {{ order(id: $id) {{ items {{ product {{ stock {{ {log} }} }} }} }} }}"),
            &order["id"],
        ),
    ] {
        assert_eq!(ada.code(&query, json!({ "id": id })).await, "FORBIDDEN", "{query}");
    }
    for query in ["{ node(id: $id) { id } }", "{ nodes(ids: [$id]) { id } }"] {
        let answer = ada.data(&format!("query($id: ID!) {query}"), json!({ "id": row })).await;
        assert!(answer == json!({ "node": null }) || answer == json!({ "nodes": [null] }), "{answer}");
    }
    let mut socket = Socket::open(&ada).await;
    socket.subscribe("log", "subscription { stockTransactionAdded { cursor } }", json!({})).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "FORBIDDEN");
    shop.close().await;
}
