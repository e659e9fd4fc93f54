//! Quantities outside their range, and what is no quantity at all.

use serde_json::{Value, json};

use super::{Stand, outcome};

const ACTIONS: &[&str] = &["INCREMENT", "DECREMENT", "ALLOCATE", "DEALLOCATE", "SET"];

/// Inputs in which `§` is a quantity, and the least that is good there.
const QUANTITIES: &[(&str, i32, &str)] = &[
    ("createCart", 1, r#"{ "items": [{ "productId": "$product", "quantity": § }] }"#),
    ("addToCart", 1, r#"{ "cartId": "$cart", "items": [{ "productId": "$product", "quantity": § }] }"#),
    ("updateCart", 0, r#"{ "cartId": "$cart", "items": [{ "productId": "$product", "quantity": § }] }"#),
    ("adjustStock", 1, r#"{ "changes": [{ "productId": "$product", "quantity": §, "action": "INCREMENT" }] }"#),
    ("adjustStock", 1, r#"{ "changes": [{ "productId": "$product", "quantity": §, "action": "DECREMENT" }] }"#),
    ("adjustStock", 1, r#"{ "changes": [{ "productId": "$product", "quantity": §, "action": "ALLOCATE" }] }"#),
    ("adjustStock", 1, r#"{ "changes": [{ "productId": "$product", "quantity": §, "action": "DEALLOCATE" }] }"#),
    ("adjustStock", 0, r#"{ "changes": [{ "productId": "$product", "quantity": §, "action": "SET" }] }"#),
    (
        "createProduct",
        0,
        r#"{ "sku": "S", "name": "N", "price": { "amount": 1, "currency": "EUR" }, "initialStock": § }"#,
    ),
    (
        "createProduct",
        0,
        r#"{ "sku": "S", "name": "N", "price": { "amount": 1, "currency": "EUR" }, "lowStockThreshold": § }"#,
    ),
    ("updateProduct", 0, r#"{ "id": "$product", "lowStockThreshold": § }"#),
];

/// A value as it is written in a document.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", literal(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::String(word) if ACTIONS.contains(&word.as_str()) => word.clone(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn a_quantity_is_a_whole_number_in_its_range() {
    let stand = Stand::open().await;
    for (mutation, least, template) in QUANTITIES {
        for quantity in [0, -1, -2_147_483_648, 1_000_000_001, 2_147_483_647] {
            if (*least..=1_000_000_000).contains(&quantity) {
                continue;
            }
            let input = stand.input(&template.replace('§', &quantity.to_string()));
            assert_eq!(stand.outcome(mutation, &input).await, "refused INVALID_QUANTITY", "{mutation} {input}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_quantity_of_the_wrong_type_never_reaches_the_shop() {
    let stand = Stand::open().await;
    let wrong = ["1.5", "1.0", "1e2", "\"1\"", "true", "null", "[]", "{}", "1000000000000000000000"];
    for (mutation, _, template) in QUANTITIES {
        // Null means the default where there is one.
        let is_optional = template.contains("initialStock") || template.contains("lowStockThreshold");
        for value in wrong.iter().filter(|value| !is_optional || **value != "null") {
            let input = stand.input(&template.replace('§', value));
            let answer = stand.outcome(mutation, &input).await;
            assert_eq!(answer, "error BAD_USER_INPUT", "{mutation} {input}");
            let input = literal(&stand.input(&template.replace('§', "\"§\""))).replace("\"§\"", value);
            let document = format!("mutation {{ {mutation}(input: {input}) {{ userErrors {{ code }} }} }}");
            let answer = outcome(&stand.shop.ask(&document, json!({})).await);
            assert_eq!(answer, "error GRAPHQL_VALIDATION_FAILED", "{document}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_document_with_a_number_beyond_int_is_not_valid_so_none_of_it_is_executed() {
    let stand = Stand::open().await;
    let add = |quantity: &str| {
        let (cart, product) = (&stand.cart, &stand.product);
        format!(
            "addToCart(input: {{ cartId: \"{cart}\", items: [{{ productId: \"{product}\", quantity: {quantity} }}] }}) \
             {{ userErrors {{ code }} }}"
        )
    };
    for beyond in ["2147483648", "-2147483649", "9007199254740993"] {
        let document = format!("mutation {{ good: {} bad: {} }}", add("1"), add(beyond));
        let answer = stand.shop.ask(&document, json!({})).await;
        assert_eq!(outcome(&answer), "error GRAPHQL_VALIDATION_FAILED", "{beyond}: {answer}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_variable_of_the_wrong_type_lets_nothing_of_its_document_happen() {
    let stand = Stand::open().await;
    let document = "mutation($cart: ID!, $product: ID!, $quantity: Int!) {
        good: addToCart(input: { cartId: $cart, items: [{ productId: $product, quantity: 1 }] }) { userErrors { code } }
        bad: addToCart(input: { cartId: $cart, items: [{ productId: $product, quantity: $quantity }] }) {
            userErrors { code } } }";
    for wrong in [json!("1"), json!(1.5), json!(true), json!(null), json!(2_147_483_648_i64)] {
        let variables = json!({ "cart": stand.cart, "product": stand.product, "quantity": wrong });
        let answer = stand.shop.ask(document, variables).await;
        assert_eq!(outcome(&answer), "error BAD_USER_INPUT", "{wrong}: {answer}");
        assert_eq!(stand.looks().await["cart"], stand.before["cart"], "{wrong}: {answer}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn literals_of_our_own_scalars_are_checked_like_those_of_graphql() {
    let stand = Stand::open().await;
    let product = |amount: &str| {
        let price = format!("{{ amount: {amount}, currency: \"EUR\" }}");
        format!(
            "mutation {{ createProduct(input: {{ sku: \"S\", name: \"N\", price: {price} }}) \
             {{ userErrors {{ code }} }} }}"
        )
    };
    let since = |time: &str| format!("{{ stockTransactions(filter: {{ since: {time} }}) {{ nodes {{ id }} }} }}");
    let amounts = ["1.5", "\"1\"", "true", "null", "9007199254740992", "-9007199254740992", "1000000000000000000000"];
    let times = ["\"yesterday\"", "\"\"", "1", "true", "\"2026-13-01T00:00:00Z\"", "\"2026-01-31\""];
    for document in amounts.map(product).into_iter().chain(times.map(since)) {
        let answer = stand.shop.ask(&document, json!({})).await;
        assert_eq!(outcome(&answer), "error GRAPHQL_VALIDATION_FAILED", "{document}: {answer}");
    }
    stand.close_unchanged().await;
}
