//! Lists: filters, order, pages in both directions, and every kind of thing by its id.

use serde_json::{Value, json};

use crate::support::{Shop, Socket, codes};

/// The values of one field of all nodes of a connection.
fn column(connection: &Value, field: &str) -> Vec<String> {
    let nodes = connection["nodes"].as_array().unwrap_or_else(|| panic!("{connection}"));
    nodes.iter().map(|node| node[field].as_str().unwrap_or_default().to_owned()).collect()
}

async fn named(shop: &Shop, sku: &str, name: &str, stock: i32) -> String {
    let input = json!({ "sku": sku, "name": name, "initialStock": stock, "lowStockThreshold": 3,
        "price": { "amount": 100, "currency": "EUR" } });
    shop.create_product(input).await["product"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn products_are_found_by_words_availability_and_status() {
    let shop = Shop::open().await;
    named(&shop, "CUP-1", "Émile's cup", 9).await;
    named(&shop, "CUP-2", "100% wool_mug", 2).await;
    let gone = named(&shop, "POT", "zinc pot", 0).await;
    named(&shop, "old", "Anvil", 5).await;
    let untracked =
        json!({ "sku": "CARD", "name": "Card", "manageStock": false, "price": { "amount": 1, "currency": "EUR" } });
    shop.create_product(untracked).await;
    let query = "query($s: String, $a: [Availability!], $t: [ProductStatus!]) { products(search: $s, availability: $a, status: $t) \
        { nodes { sku } } }";
    let find = async |variables: Value| column(&shop.data(query, variables).await["products"], "sku");
    assert_eq!(find(json!({})).await, ["CUP-2", "old", "CARD", "CUP-1", "POT"], "by name, without case and accents");
    assert_eq!(find(json!({ "s": "EMILE" })).await, ["CUP-1"]);
    assert_eq!(find(json!({ "s": "cup-" })).await, ["CUP-2", "CUP-1"]);
    assert_eq!(find(json!({ "s": "0% w" })).await, ["CUP-2"]);
    for nothing in ["%", "_", "\\", "c_p"] {
        let right: &[&str] = if nothing == "%" || nothing == "_" { &["CUP-2"] } else { &[] };
        assert_eq!(find(json!({ "s": nothing })).await, right, "{nothing:?} is searched for as it stands");
    }
    assert_eq!(find(json!({ "a": ["LOW_STOCK", "OUT_OF_STOCK"] })).await, ["CUP-2", "POT"]);
    assert_eq!(find(json!({ "a": ["IN_STOCK"] })).await, ["old", "CUP-1"]);
    assert_eq!(find(json!({ "a": ["UNTRACKED"] })).await, ["CARD"]);
    shop.archive(&gone).await;
    assert_eq!(find(json!({ "a": ["OUT_OF_STOCK"] })).await, Vec::<String>::new());
    assert_eq!(find(json!({ "t": ["ARCHIVED"] })).await, ["POT"]);
    assert_eq!(find(json!({ "t": ["ARCHIVED", "ACTIVE"], "s": "POT" })).await, ["POT"]);
    shop.close().await;
}

#[tokio::test]
async fn pages_go_forth_and_back() {
    let shop = Shop::open().await;
    for number in 0..7 {
        // Two names are the same, so that the id decides.
        named(&shop, &format!("S{number}"), &format!("Name {}", number / 2), 1).await;
    }
    let query = "query($f: Int, $a: String, $l: Int, $b: String) { products(first: $f, after: $a, last: $l, before: $b) \
        { nodes { sku } edges { cursor node { sku } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let page = async |variables: Value| shop.data(query, variables).await["products"].take();
    let all = column(&page(json!({})).await, "sku");
    let mut forth = Vec::new();
    let mut after = json!(null);
    loop {
        let found = page(json!({ "f": 3, "a": after })).await;
        forth.extend(column(&found, "sku"));
        after = found["pageInfo"]["endCursor"].clone();
        if found["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(forth, all);
    let last = page(json!({ "l": 3 })).await;
    assert_eq!(column(&last, "sku"), all[4..]);
    assert_eq!((&last["pageInfo"]["hasPreviousPage"], &last["pageInfo"]["hasNextPage"]), (&json!(true), &json!(false)));
    let before = page(json!({ "l": 3, "b": last["pageInfo"]["startCursor"] })).await;
    assert_eq!(column(&before, "sku"), all[1..4]);
    let between = page(json!({ "f": 10, "a": before["edges"][0]["cursor"], "b": last["edges"][1]["cursor"] })).await;
    assert_eq!(column(&between, "sku"), all[2..5]);
    shop.close().await;
}

#[tokio::test]
async fn orders_and_the_log_are_filtered() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 9).await, shop.product("CUP", 9).await);
    let (paid, open) = (shop.order(&[(&mug, 1)]).await, shop.order(&[(&cup, 1)]).await);
    shop.pay(&paid).await;
    let orders = "query($f: OrderFilter) { orders(filter: $f) { nodes { id } } }";
    let find = async |filter: Value| column(&shop.data(orders, json!({ "f": filter })).await["orders"], "id");
    assert_eq!(find(json!(null)).await, [open.clone(), paid.clone()], "newest first");
    assert_eq!(find(json!({ "payment": ["PAID"] })).await, [paid.as_str()]);
    assert_eq!(find(json!({ "status": ["INCOMPLETE"], "shipping": ["UNFULFILLED"] })).await, [open]);
    assert_eq!(find(json!({ "shipping": ["FULFILLED"] })).await, Vec::<String>::new());

    let log = "query($f: StockTransactionFilter) { stockTransactions(filter: $f) { nodes { action createdAt } } }";
    let rows = async |filter: Value| shop.data(log, json!({ "f": filter })).await["stockTransactions"].take();
    assert_eq!(column(&rows(json!(null)).await, "action"), ["ALLOCATE", "CREATE", "CREATE"]);
    assert_eq!(column(&rows(json!({ "productIds": [cup] })).await, "action"), ["CREATE"]);
    assert_eq!(column(&rows(json!({ "orderId": paid })).await, "action"), ["ALLOCATE"]);
    assert_eq!(column(&rows(json!({ "actions": ["CREATE"] })).await, "action").len(), 2);
    assert_eq!(column(&rows(json!({ "reasons": ["ORDER_PAYMENT"] })).await, "action"), ["ALLOCATE"]);
    let newest = rows(json!({ "orderId": paid })).await["nodes"][0]["createdAt"].clone();
    assert_eq!(column(&rows(json!({ "since": newest })).await, "action"), ["ALLOCATE"], "its own moment is in it");
    assert_eq!(column(&rows(json!({ "until": newest })).await, "action").len(), 3);
    assert_eq!(column(&rows(json!({ "productIds": [] })).await, "action").len(), 3, "an empty list is none");
    shop.close().await;
}

#[tokio::test]
async fn everything_has_a_global_id() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 9).await;
    let cart = shop.cart(&[(&mug, 2)]).await;
    let order = shop.check_out(&cart).await["order"]["id"].as_str().expect("an id").to_owned();
    shop.pay(&order).await;
    shop.ship(&order).await;
    let query = "query($id: ID!) { order(id: $id) { id items { id product { id stock { id } } } payments { id } shipments { id } \
        stockTransactions { nodes { id order { id } product { id } operationId } } } }";
    let found = shop.data(query, json!({ "id": order })).await["order"].take();
    let ids = json!([
        found["id"],
        found["items"][0]["id"],
        found["items"][0]["product"]["id"],
        found["items"][0]["product"]["stock"]["id"],
        found["payments"][0]["id"],
        found["shipments"][0]["id"],
        found["stockTransactions"]["nodes"][0]["id"],
        cart,
        "order_7zzzzzzzzzzzzzzzzzzzzzzzzz",
    ]);
    let nodes = shop.data("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", json!({ "ids": ids })).await;
    let kinds: Vec<_> =
        nodes["nodes"].as_array().expect("nodes").iter().map(|node| node["__typename"].clone()).collect();
    let right = ["Order", "OrderItem", "Product", "Stock", "Payment", "Shipment", "StockTransaction", "Cart"];
    assert_eq!(kinds[..8], right.map(|kind| json!(kind)));
    assert_eq!(nodes["nodes"][8], json!(null));
    assert_eq!(found["stockTransactions"]["nodes"].as_array().map(Vec::len), Some(2));
    shop.close().await;
}

/// One rule for every list that something is filtered by: an empty one is as if it were not given.
#[tokio::test]
async fn an_empty_list_in_a_filter_filters_nothing() {
    let shop = Shop::open().await;
    let (mug, old) = (shop.product("MUG", 5).await, shop.product("OLD", 5).await);
    shop.archive(&old).await;
    shop.order(&[(&mug, 1)]).await;
    let sku = "nodes { sku }";
    for (plain, empty) in [
        (
            format!("products {{ {sku} }}"),
            ["availability: []", "status: []", "availability: [], status: []"]
                .map(|arguments| format!("products({arguments}) {{ {sku} }}"))
                .to_vec(),
        ),
        (
            "orders { nodes { id } }".to_owned(),
            vec!["orders(filter: { status: [], payment: [], shipping: [] }) { nodes { id } }".to_owned()],
        ),
        (
            "stockTransactions { nodes { id } }".to_owned(),
            ["productIds", "actions", "reasons"]
                .map(|list| format!("stockTransactions(filter: {{ {list}: [] }}) {{ nodes {{ id }} }}"))
                .to_vec(),
        ),
        (
            format!("stock(productId: \"{mug}\") {{ transactions {{ nodes {{ id }} }} }}"),
            vec![format!("stock(productId: \"{mug}\") {{ transactions(actions: []) {{ nodes {{ id }} }} }}")],
        ),
    ] {
        let all = shop.data(&format!("{{ {plain} }}"), json!({})).await;
        assert!(all.to_string().contains("[{"), "there is something: {all}");
        for empty in empty {
            assert_eq!(shop.data(&format!("{{ {empty} }}"), json!({})).await, all, "{empty}");
        }
    }
    let mut socket = Socket::open(&shop).await;
    let query =
        "subscription { stockTransactionAdded(filter: { productIds: [], actions: [], reasons: [] }) { cursor } }";
    socket.follow_log("log", query, json!({})).await;
    shop.adjust(&mug, "INCREMENT", 1).await;
    assert!(socket.data("log").await["stockTransactionAdded"]["cursor"].is_string());
    shop.close().await;
}

/// What a list is sorted by may be many times as long as what is shown: one of these characters stands for eighteen.
#[tokio::test]
async fn every_cursor_that_is_sent_is_taken_back() {
    let shop = Shop::open().await;
    let names = ["\u{fdfa}".repeat(200), "\u{1f469}".repeat(200), "\\\"".repeat(100), r"a \u0000 b".to_owned()];
    for (at, name) in names.iter().enumerate() {
        let input = json!({ "sku": format!("S{at}"), "name": name, "price": { "amount": 1, "currency": "EUR" } });
        assert!(codes(&shop.create_product(input).await).is_empty(), "{name}");
    }
    let query = "query($after: String) { products(first: 1, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } }";
    let (mut found, mut after) = (Vec::new(), json!(null));
    loop {
        let mut page = shop.data(query, json!({ "after": after })).await["products"].take();
        found.push(page["nodes"][0]["name"].as_str().expect("a name").to_owned());
        after = page["pageInfo"]["endCursor"].take();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    found.sort_unstable();
    let mut names = names.to_vec();
    names.sort_unstable();
    assert_eq!(found, names);
    shop.close().await;
}
