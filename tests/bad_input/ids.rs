//! Ids that are unknown, of another kind, or no ids at all.

use serde_json::json;

use super::{Stand, outcome};
use crate::support::Socket;

/// Where `§` stands in an input of these mutations, an id belongs: of this kind.
const MUTATIONS_WITH_IDS: &[(&str, &str)] = &[
    ("updateProduct", r#"product { "id": "§", "name": "X" }"#),
    ("archiveProduct", r#"product { "id": "§" }"#),
    ("restoreProduct", r#"product { "id": "§" }"#),
    ("adjustStock", r#"product { "changes": [{ "productId": "§", "action": "INCREMENT", "quantity": 1 }] }"#),
    ("createCart", r#"product { "items": [{ "productId": "§", "quantity": 1 }] }"#),
    ("addToCart", r#"product { "cartId": "$cart", "items": [{ "productId": "§", "quantity": 1 }] }"#),
    ("addToCart", r#"cart { "cartId": "§", "items": [] }"#),
    ("updateCart", r#"product { "cartId": "$cart", "items": [{ "productId": "§", "quantity": 1 }] }"#),
    ("updateCart", r#"cart { "cartId": "§", "items": [] }"#),
    ("checkOut", r#"cart { "cartId": "§" }"#),
    ("payOrder", r#"order { "orderId": "§" }"#),
    ("cancelOrder", r#"order { "orderId": "§" }"#),
    ("shipOrder", r#"order { "orderId": "§" }"#),
    ("updateWebhook", r#"webhook { "id": "§" }"#),
    ("deleteWebhook", r#"webhook { "id": "§" }"#),
    ("repeatWebhookDelivery", r#"delivery { "deliveryId": "§" }"#),
];

/// Root fields with an id of this kind: the argument with its type, and the field.
const QUERIES_WITH_IDS: &[(&str, &str, &str)] = &[
    ("product", "ID!", "node(id: $it) { id }"),
    ("product", "[ID!]!", "nodes(ids: $it) { id }"),
    ("product", "ID!", "product(by: { id: $it }) { id }"),
    ("product", "ID!", "stock(productId: $it) { id }"),
    ("product", "[ID!]!", "stocks(productIds: $it) { id }"),
    ("cart", "ID!", "cart(id: $it) { id }"),
    ("order", "ID!", "order(id: $it) { id }"),
    ("product", "[ID!]!", "stockTransactions(filter: { productIds: $it }) { nodes { id } }"),
    ("order", "ID!", "stockTransactions(filter: { orderId: $it }) { nodes { id } }"),
];

/// Ids that no thing of this kind has.
fn bad_ids(kind: &str) -> Vec<String> {
    let other = if kind == "product" { "order" } else { "product" };
    let zeros = "0".repeat(25);
    let mut bad = vec![
        format!("{other}_{zeros}1"),
        format!("stock_{zeros}1"),
        format!("{}_{zeros}1", kind.to_uppercase()),
        format!("thing_{zeros}1"),
        format!("{kind}_{zeros}l"),
        format!("{kind}_8{zeros}"),
        format!("{kind}_{zeros}"),
        format!("{kind}_{zeros}1 "),
        format!("{kind}_{zeros}1\0"),
        format!("{kind}-{zeros}1"),
        format!("{kind}_"),
        format!("{kind}_{}", "0".repeat(10_000)),
    ];
    bad.extend(["", " ", "_", "1", "\0", "\u{202e}", "null", "' OR 1=1 --", "🫖"].map(str::to_owned));
    bad
}

#[tokio::test]
async fn mutations_tell_unknown_ids_from_bad_ones() {
    let stand = Stand::open().await;
    for (mutation, entry) in MUTATIONS_WITH_IDS {
        let (kind, template) = entry.split_once(' ').expect("a kind");
        let with = |id: &str| {
            let id = json!(id).to_string();
            stand.input(&template.replace("\"§\"", &id))
        };
        let unknown = with(&format!("{kind}_{}", "0".repeat(26)));
        assert_eq!(stand.outcome(mutation, &unknown).await, "refused NOT_FOUND", "{mutation} {unknown}");
        for id in bad_ids(kind) {
            assert_eq!(stand.outcome(mutation, &with(&id)).await, "error BAD_ID", "{mutation} {id:?}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn queries_tell_unknown_ids_from_bad_ones() {
    let stand = Stand::open().await;
    for (kind, argument, field) in QUERIES_WITH_IDS {
        let query = format!("query($it: {argument}) {{ it: {field} }}");
        let variables = |id: &str| json!({ "it": if argument.starts_with('[') { json!([id]) } else { json!(id) } });
        let unknown = stand.shop.data(&query, variables(&format!("{kind}_{}", "0".repeat(26)))).await["it"].take();
        assert!([json!(null), json!([null]), json!({ "nodes": [] })].contains(&unknown), "{field}: {unknown}");
        // A node may be of any kind, so an id of another kind is only unknown there.
        let is_node = field.starts_with("node");
        for id in bad_ids(kind).iter().skip(if is_node { 2 } else { 0 }) {
            let answer = stand.shop.ask(&query, variables(id)).await;
            assert_eq!(outcome(&answer), "error BAD_ID", "{field} {id:?}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn subscriptions_tell_unknown_ids_from_bad_ones() {
    let stand = Stand::open().await;
    let mut socket = Socket::open(&stand.shop).await;
    for (kind, argument, field) in [
        ("product", "[ID!]!", "stockChanged(productIds: $it) { id }"),
        ("product", "[ID!]!", "stockTransactionAdded(filter: { productIds: $it }) { cursor }"),
        ("order", "ID!", "stockTransactionAdded(filter: { orderId: $it }) { cursor }"),
        ("order", "ID!", "orderChanged(id: $it) { id }"),
    ] {
        let query = format!("subscription($it: {argument}) {{ {field} }}");
        for (number, id) in bad_ids(kind).iter().enumerate() {
            let name = format!("{field} {number}");
            let it = if argument.starts_with('[') { json!([id]) } else { json!(id) };
            socket.subscribe(&name, &query, json!({ "it": it })).await;
            assert_eq!(refused_with(&mut socket, &name).await, "BAD_ID", "{field} {id:?}");
        }
    }
    let unknown = |kind: &str| format!("{kind}_{}", "0".repeat(26));
    let query = "subscription($it: ID!) { orderChanged(id: $it) { id } }";
    socket.subscribe("order", query, json!({ "it": unknown("order") })).await;
    assert_eq!(refused_with(&mut socket, "order").await, "NOT_FOUND");
    let query = "subscription($it: [ID!]!) { stockChanged(productIds: $it) { product { id } } }";
    socket.subscribe("stock", query, json!({ "it": [unknown("product"), stand.product] })).await;
    assert_eq!(socket.data("stock").await["stockChanged"]["product"]["id"], stand.product, "unknown ids are skipped");
    socket.subscribe("long", query, json!({ "it": vec![stand.product.as_str(); 101] })).await;
    assert_eq!(refused_with(&mut socket, "long").await, "LIMIT_EXCEEDED");
    stand.close_unchanged().await;
}

/// The code with which an operation on a socket ends before it brings anything.
async fn refused_with(socket: &mut Socket, name: &str) -> String {
    let message = socket.next().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(name)), "{message}");
    message["payload"][0]["extensions"]["code"].as_str().expect("a code").to_owned()
}
