//! Input that no sensible client sends: each piece of it is answered with a code of the contract, and changes nothing.

mod causes;
mod http;
mod ids;
mod lists;
mod quantities;
mod values;

use onhand::config::PaymentTimeouts;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Shop, paid, short_times};

/// Every `extensions.code` of the contract, but for INTERNAL: that would be our own failure.
const CODES: &str = "GRAPHQL_PARSE_FAILED GRAPHQL_VALIDATION_FAILED BAD_USER_INPUT BAD_ID BAD_CURSOR LIMIT_EXCEEDED \
    UNAUTHENTICATED FORBIDDEN NOT_FOUND RATE_LIMITED OVERLOADED UNAVAILABLE TIMEOUT PERSISTED_QUERY_NOT_FOUND";

/// A shop with something of everything in it, and how it looks.
struct Stand {
    shop: Shop,
    product: String,
    cart: String,
    /// Unpaid.
    order: String,
    before: Value,
}

impl Stand {
    async fn open() -> Self {
        // It waits for its gateway as long as a test does, however busy the machine is.
        let times =
            PaymentTimeouts { pay_answer: PATIENCE, pay_gateway: PATIENCE, pay_lease: PATIENCE, ..short_times() };
        let shop = Shop::open_with(times).await;
        let product = shop.product("MUG", 10).await;
        let cart = shop.cart(&[(&product, 1)]).await;
        let order = shop.order(&[(&product, 2)]).await;
        let sold = shop.order(&[(&product, 3)]).await;
        assert_eq!(shop.pay(&sold).await, paid("SUCCEEDED", "PAID", &[]));
        let mut stand = Self { shop, product, cart, order, before: Value::Null };
        stand.before = stand.looks().await;
        stand
    }

    /// Everything that anybody can see.
    async fn looks(&self) -> Value {
        let query = "query($cart: ID!) {
            products(first: 100, status: [ACTIVE, ARCHIVED]) { nodes { id sku slug name description status updatedAt
                price { amount currency } lowStockThreshold manageStock stock { total allocated version } } }
            stockTransactions(first: 100) { nodes { id action quantity } }
            orders(first: 100) { nodes { id status updatedAt payments { id } shipments { id }
                items { allocatedQuantity } } }
            cart(id: $cart) { status updatedAt items { quantity } } }";
        self.shop.data(query, json!({ "cart": self.cart })).await
    }

    /// Nothing has changed, nor is any invariant broken.
    async fn close_unchanged(self) {
        assert_eq!(self.looks().await, self.before, "nothing changes");
        self.shop.close().await;
    }

    /// An input with this stand's own ids filled in.
    fn input(&self, text: &str) -> Value {
        let text = text.replace("$product", &self.product).replace("$cart", &self.cart).replace("$order", &self.order);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// What became of a mutation, in short.
    async fn outcome(&self, mutation: &str, input: &Value) -> String {
        outcome(&self.send(mutation, input).await)
    }

    async fn send(&self, mutation: &str, input: &Value) -> Value {
        let (first, rest) = mutation.split_at(1);
        let kind = format!("{}{rest}Input{}", first.to_uppercase(), if mutation == "createCart" { "" } else { "!" });
        let query =
            format!("mutation($input: {kind}) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}");
        self.shop.ask(&query, json!({ "input": input })).await
    }
}

/// What became of a request: `refused CODE` for a user error, `error CODE` for another one, or `done`.
fn outcome(answer: &Value) -> String {
    assert!(answer.to_string().len() < 8_192, "an answer to bad input is short");
    if let Some(error) = answer["errors"].get(0) {
        let code = error["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}"));
        assert!(CODES.split(' ').any(|known| known == code), "{answer}");
        return format!("error {code}");
    }
    let payload = answer["data"].as_object().and_then(|data| data.values().next()).expect("data");
    match payload["userErrors"].as_array().map(Vec::as_slice) {
        Some([error, ..]) => format!("refused {}", error["code"].as_str().expect("a code")),
        _ => "done".to_owned(),
    }
}
