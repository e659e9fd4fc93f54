//! A refusal names what is really wrong.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::Stand;
use crate::support::Socket;

/// The code and the message of the first error.
fn told(answer: &Value) -> (&str, &str) {
    let error = &answer["errors"][0];
    (error["extensions"]["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

/// A body whose one variable is this text of JSON.
fn body(variable: &str) -> String {
    format!(r#"{{ "query": "query($v: ID!) {{ order(id: $v) {{ id }} }}", "variables": {{ "v": {variable} }} }}"#)
}

#[tokio::test]
async fn values_out_of_range_are_told_the_range() {
    let stand = Stand::open().await;
    let price = |amount: &str| {
        format!(
            "mutation {{ createProduct(input: {{ sku: \"S\", name: \"N\", price: {{ amount: {amount}, currency: \"EUR\" }} }}) \
             {{ userErrors {{ code }} }} }}"
        )
    };
    let by_variable = "mutation($input: CreateProductInput!) { createProduct(input: $input) { userErrors { code } } }";
    for (amount, place) in [("9007199254740992", "literal"), ("-9007199254740992", "literal"), ("1.5", "literal")] {
        let answer = stand.shop.ask(&price(amount), json!({})).await;
        let (code, message) = told(&answer);
        assert_eq!(code, "GRAPHQL_VALIDATION_FAILED", "{answer}");
        assert!(message.contains("-9007199254740991 to 9007199254740991"), "{place}: {message}");
        let amount: Value = serde_json::from_str(amount).expect("a number");
        let input = json!({ "sku": "S", "name": "N", "price": { "amount": amount, "currency": "EUR" } });
        let answer = stand.shop.ask(by_variable, json!({ "input": input })).await;
        let (code, message) = told(&answer);
        assert_eq!(code, "BAD_USER_INPUT", "{answer}");
        assert!(message.contains("input.price.amount") && message.contains("9007199254740991"), "{message}");
    }
    let since = "query($at: DateTime) { stockTransactions(filter: { since: $at }) { nodes { id } } }";
    let answer = stand.shop.ask(since, json!({ "at": "yesterday" })).await;
    assert!(told(&answer).1.contains("2026-01-31T12:00:00.000001Z"), "{answer}");
    stand.close_unchanged().await;
}

#[tokio::test]
async fn json_that_is_too_deep_or_has_too_long_a_number_is_told_so() {
    let stand = Stand::open().await;
    let long = "1".repeat(400);
    for (variable, code, part) in [
        (format!("{}{}", "[".repeat(127), "]".repeat(127)), "LIMIT_EXCEEDED", "brackets deep"),
        (format!("{}1{}", "{\"a\":".repeat(127), "}".repeat(127)), "LIMIT_EXCEEDED", "brackets deep"),
        (long.clone(), "BAD_USER_INPUT", "out of range"),
        ("nonsense".to_owned(), "BAD_USER_INPUT", "is a JSON object"),
    ] {
        let request = stand.shop.client().post(format!("{}/graphql", stand.shop.url)).body(body(&variable));
        let answer = request.header("content-type", "application/json").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer: Value = answer.json().await.expect("JSON");
        let (found, message) = told(&answer);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(part), "{message}");
        if code != "BAD_USER_INPUT" || variable == long {
            let variables = format!(r#"{{ "v": {variable} }}"#);
            let query = [("query", "query($v: ID!) { order(id: $v) { id } }"), ("variables", variables.as_str())];
            let answer = stand.shop.client().get(format!("{}/graphql", stand.shop.url)).query(&query).send();
            let answer: Value = answer.await.expect("an answer").json().await.expect("JSON");
            assert!(told(&answer).1.contains(part), "{answer}");
            let mut socket = Socket::open(&stand.shop).await;
            let subscribe = format!(r#"{{ "type": "subscribe", "id": "1", "payload": {} }}"#, body(&variable));
            socket.send_raw(Message::Text(subscribe.into())).await;
            let message = socket.next().await;
            let error = &message["payload"][0];
            assert_eq!((&message["type"], &error["extensions"]["code"]), (&json!("error"), &json!(code)), "{message}");
            assert!(error["message"].as_str().is_some_and(|told| told.contains(part)), "{message}");
        }
    }
    let answer = stand.shop.ask(&format!("{{ stock(productId: {long}) {{ total }} }}"), json!({})).await;
    assert_eq!(told(&answer), ("LIMIT_EXCEEDED", "A name or a number has at most 100 characters."));
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_text_with_a_character_that_no_database_keeps_is_told_so() {
    let stand = Stand::open().await;
    let search = "query($text: String) { products(search: $text) { nodes { id } } }";
    let pay = "mutation($input: PayOrderInput!) { payOrder(input: $input) { userErrors { code } } }";
    let input = |name: &str| json!({ "input": { "orderId": stand.order, name: "a\0" } });
    for (query, variables, name) in [
        (search, json!({ "text": "a\0" }), "search"),
        (pay, input("token"), "token"),
        (pay, input("gateway"), "gateway"),
    ] {
        let answer = stand.shop.ask(query, variables).await;
        let (code, message) = told(&answer);
        assert_eq!(code, "BAD_USER_INPUT");
        assert!(message.contains(name) && message.contains("U+0000"), "{message}");
    }
    let answer = stand.shop.ask(search, json!({ "text": "x".repeat(201) })).await;
    assert_eq!(told(&answer), ("BAD_USER_INPUT", "`search` has at most 200 characters."));
    stand.close_unchanged().await;
}

/// With an offset, a moment may be in a year of UTC that has no four digits.
#[tokio::test]
async fn moments_are_in_years_of_four_digits() {
    let stand = Stand::open().await;
    let query = "query($since: DateTime, $until: DateTime) { stockTransactions(filter: { since: $since, until: $until }) { \
        nodes { id } } }";
    for bad in
        ["9999-12-31T23:30:00-01:00", "0000-01-01T00:30:00+01:00", "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"]
    {
        for name in ["since", "until"] {
            let answer = stand.shop.ask(query, json!({ name: bad })).await;
            let (code, message) = told(&answer);
            assert!(code == "BAD_USER_INPUT" && message.contains("0000 to 9999"), "{bad}: {answer}");
        }
        let literal = format!("{{ stockTransactions(filter: {{ since: \"{bad}\" }}) {{ nodes {{ id }} }} }}");
        assert_eq!(stand.shop.code(&literal, json!({})).await, "GRAPHQL_VALIDATION_FAILED", "{bad}");
    }
    let all = json!({ "since": "0000-01-01T00:00:00Z", "until": "9999-12-31T23:59:59.999999Z" });
    let rows = stand.shop.data(query, all).await;
    assert!(rows["stockTransactions"]["nodes"].as_array().is_some_and(|rows| !rows.is_empty()), "{rows}");
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_key_that_no_database_keeps_names_no_product() {
    let stand = Stand::open().await;
    let query = "query($by: ProductKey!) { product(by: $by) { id } }";
    for by in [json!({ "slug": "a\0" }), json!({ "sku": "MUG\0" }), json!({ "slug": "\0" })] {
        assert_eq!(stand.shop.data(query, json!({ "by": by })).await, json!({ "product": null }), "{by}");
    }
    stand.close_unchanged().await;
}
