//! Lists that are too long, pages that are none, and cursors from elsewhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Stand, outcome};
use crate::support::codes;

/// Every list that has pages, as a field in which `§` stands for its arguments.
const LISTS: &[&str] = &[
    "products(§) { edges { cursor } }",
    "orders(§) { edges { cursor } }",
    "stockTransactions(§) { edges { cursor } }",
    "stock(productId: \"$product\") { transactions(§) { edges { cursor } } }",
    "order(id: \"$order\") { stockTransactions(§) { edges { cursor } } }",
];

impl Stand {
    /// A list that is asked for with these arguments.
    async fn page(&self, list: &str, arguments: &str) -> Value {
        let list = list.replace("$product", &self.product).replace("$order", &self.order).replace('§', arguments);
        self.shop.ask(&format!("{{ list: {list} }}"), json!({})).await
    }

    /// The first cursor of a list at the root.
    async fn cursor(&self, list: &str) -> String {
        let page = self.page(list, "first: 1").await;
        page["data"]["list"]["edges"][0]["cursor"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned()
    }
}

#[tokio::test]
async fn a_page_has_one_to_a_hundred_rows_from_one_end() {
    let stand = Stand::open().await;
    for list in LISTS {
        for (arguments, right) in [
            ("first: -1", "error BAD_USER_INPUT"),
            ("first: 0", "error BAD_USER_INPUT"),
            ("first: -2147483648", "error BAD_USER_INPUT"),
            ("first: 101", "error LIMIT_EXCEEDED"),
            ("first: 2147483647", "error LIMIT_EXCEEDED"),
            ("last: -1", "error BAD_USER_INPUT"),
            ("last: 0", "error BAD_USER_INPUT"),
            ("last: 101", "error LIMIT_EXCEEDED"),
            ("last: 2147483647", "error LIMIT_EXCEEDED"),
            ("first: 1, last: 1", "error BAD_USER_INPUT"),
            ("first: 1.5", "error GRAPHQL_VALIDATION_FAILED"),
            ("first: \"1\"", "error GRAPHQL_VALIDATION_FAILED"),
            ("after: 1", "error GRAPHQL_VALIDATION_FAILED"),
            ("first: 100", "done"),
            ("last: 100", "done"),
            ("first: null, after: null", "done"),
        ] {
            assert_eq!(outcome(&stand.page(list, arguments).await), right, "{list} {arguments}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let stand = Stand::open().await;
    let own = [stand.cursor(LISTS[0]).await, stand.cursor(LISTS[1]).await, stand.cursor(LISTS[2]).await];
    for (number, list) in LISTS.iter().enumerate() {
        // The lists of the log share their cursors.
        let kind = number.min(2);
        let mine = own[kind].as_str();
        let middle = mine.len() / 2;
        let forged =
            [r#"["product",["mug"]]"#, r#"["order",["now","x"]]"#, r#"["log",[null,null,0]]"#, "{}", "[]", "5"];
        let mut bad: Vec<String> = forged.iter().map(|text| URL_SAFE_NO_PAD.encode(text)).collect();
        bad.extend(own.iter().filter(|cursor| *cursor != mine).cloned());
        bad.extend(["", " ", "x", "null", "é", "\0", "' OR 1=1"].map(str::to_owned));
        bad.extend([mine[..middle].to_owned(), mine[1..].to_owned(), format!("{mine}="), format!("{mine}{mine}")]);
        bad.push("A".repeat(9_000));
        for cursor in bad {
            for argument in ["after", "before"] {
                let answer = stand.page(list, &format!("{argument}: {}", json!(cursor))).await;
                assert_eq!(outcome(&answer), "error BAD_CURSOR", "{list} {argument} {cursor:?}");
            }
        }
        assert_eq!(outcome(&stand.page(list, &format!("after: \"{mine}\"")).await), "done");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_forged_cursor_that_could_be_one_is_no_failure_of_ours() {
    let stand = Stand::open().await;
    for list in &LISTS[..3] {
        let genuine = URL_SAFE_NO_PAD.decode(stand.cursor(list).await).expect("base64");
        let genuine = String::from_utf8(genuine).expect("text");
        let year = &stand.before["cart"]["updatedAt"].as_str().expect("a moment")[..5];
        for (old, new) in [(year, "+262142-"), (year, "-262143-"), (year, "0000-"), ("mug", "\\u0000"), ("mug", "%")] {
            let forged = URL_SAFE_NO_PAD.encode(genuine.replace(old, new));
            for argument in ["after", "before"] {
                let answer = outcome(&stand.page(list, &format!("{argument}: \"{forged}\"")).await);
                assert!(["done", "error BAD_CURSOR"].contains(&answer.as_str()), "{list} {new}: {answer}");
            }
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn lists_of_arguments_are_bounded() {
    let stand = Stand::open().await;
    let product = stand.product.as_str();
    let variants = [
        ("[ID!]!", "nodes(ids: $it) { id }", json!(product)),
        ("[ID!]!", "stocks(productIds: $it) { id }", json!(product)),
        ("[ID!]!", "stockTransactions(filter: { productIds: $it }) { nodes { id } }", json!(product)),
        ("[StockAction!]", "stockTransactions(filter: { actions: $it }) { nodes { id } }", json!("SHIP")),
        ("[StockReason!]", "stockTransactions(filter: { reasons: $it }) { nodes { id } }", json!("LOST")),
        ("[Availability!]", "products(availability: $it) { nodes { id } }", json!("IN_STOCK")),
        ("[ProductStatus!]", "products(status: $it) { nodes { id } }", json!("ACTIVE")),
        ("[OrderStatus!]", "orders(filter: { status: $it }) { nodes { id } }", json!("COMPLETE")),
        ("[OrderPaymentStatus!]", "orders(filter: { payment: $it }) { nodes { id } }", json!("PAID")),
        ("[OrderShippingStatus!]", "orders(filter: { shipping: $it }) { nodes { id } }", json!("FULFILLED")),
    ];
    for (kind, field, value) in variants {
        let query = format!("query($it: {kind}) {{ {field} }}");
        let answer = stand.shop.ask(&query, json!({ "it": vec![&value; 101] })).await;
        assert_eq!(outcome(&answer), "error LIMIT_EXCEEDED", "{field}");
        if kind == "[ID!]!" {
            assert_eq!(outcome(&stand.shop.ask(&query, json!({ "it": vec![&value; 100] })).await), "done", "{field}");
        }
    }
    let item = json!({ "productId": product, "quantity": 1 });
    let change = json!({ "productId": product, "quantity": 1, "action": "INCREMENT" });
    for (mutation, input) in [
        ("createCart", json!({ "items": vec![&item; 101] })),
        ("addToCart", json!({ "cartId": stand.cart, "items": vec![&item; 101] })),
        ("updateCart", json!({ "cartId": stand.cart, "items": vec![&item; 101] })),
        ("adjustStock", json!({ "changes": vec![&change; 101] })),
    ] {
        assert_eq!(stand.outcome(mutation, &input).await, "error LIMIT_EXCEEDED", "{mutation}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn the_actions_of_a_products_log_are_bounded_like_those_of_the_whole_log() {
    let stand = Stand::open().await;
    let query = "query($id: ID!, $it: [StockAction!]) { \
        stock(productId: $id) { transactions(actions: $it) { nodes { id } } } }";
    let answer = stand.shop.ask(query, json!({ "id": stand.product, "it": vec!["SHIP"; 101] })).await;
    assert_eq!(outcome(&answer), "error LIMIT_EXCEEDED");
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_cart_and_an_adjustment_have_at_most_a_hundred_products() {
    let stand = Stand::open().await;
    let shop = &stand.shop;
    let names: Vec<String> = (0..101).map(|number| format!("P{number}")).collect();
    let products = join_all(names.iter().map(|sku| shop.product(sku, 1))).await;
    let items: Vec<(&str, i32)> = products.iter().map(|product| (product.as_str(), 1)).collect();
    let cart = shop.cart(&items[..100]).await;
    assert_eq!(codes(&shop.add_to_cart(&cart, &items[100..]).await), ["LIMIT_EXCEEDED"]);
    assert_eq!(codes(&shop.update_cart(&cart, &items[100..]).await), ["LIMIT_EXCEEDED"]);
    assert_eq!(shop.read_cart(&cart).await["totalQuantity"], 100);
    assert_eq!(shop.check_out(&cart).await["order"]["items"].as_array().map(Vec::len), Some(100));
    let change = |product: &String| json!({ "productId": product, "quantity": 1, "action": "INCREMENT" });
    let changes: Vec<Value> = products.iter().take(100).map(change).collect();
    assert_eq!(stand.outcome("adjustStock", &json!({ "changes": changes })).await, "done");
    stand.shop.close().await;
}
