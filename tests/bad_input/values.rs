//! Texts that are blank, too long or hold what cannot be seen; prices, gateways, reasons and versions that are wrong.

use serde_json::{Value, json};

use super::Stand;
use crate::support::codes;

const PRODUCT: &str = r#"{ "sku": "S", "name": "N", "price": { "amount": 1, "currency": "EUR" } }"#;
const UPDATE: &str = r#"{ "id": "$product" }"#;
const ADJUST: &str = r#"{ "changes": [{ "productId": "$product", "action": "INCREMENT", "quantity": 1 }] }"#;
const CHECK_OUT: &str = r#"{ "cartId": "$cart", "customer": { "email": "a@b" } }"#;
const ADD: &str = r#"{ "cartId": "$cart", "items": [{ "productId": "$product", "quantity": 1 }] }"#;
const ORDER: &str = r#"{ "orderId": "$order" }"#;

/// A text of an input: the mutation, an input that is good, where the text goes, how long it may be, whether it must
/// be there, and other texts that are bad.
type Text = (&'static str, &'static str, &'static str, usize, bool, &'static [&'static str]);

const TEXTS: &[Text] = &[
    ("createProduct", PRODUCT, "sku", 64, true, &["a\nb", "a\u{202e}b", "\u{200f}a", "a\u{200b}b", "a\u{feff}"]),
    ("createProduct", PRODUCT, "name", 200, true, &["two\nlines", "a\u{7}"]),
    ("createProduct", PRODUCT, "slug", 100, true, &["UPPER", "a b", "a--b", "-a", "a-", "é", "a_b", "a/b"]),
    ("createProduct", PRODUCT, "description", 10_000, false, &["a\u{7}"]),
    ("updateProduct", UPDATE, "name", 200, true, &["two\nlines", "a\u{7}"]),
    ("updateProduct", UPDATE, "slug", 100, true, &["UPPER", "a b", "a--b", "-a", "é"]),
    ("updateProduct", UPDATE, "description", 10_000, false, &["a\u{7}"]),
    ("adjustStock", ADJUST, "note", 1_000, false, &["a\u{7}"]),
    ("adjustStock", ADJUST, "reference", 200, false, &["two\nlines"]),
    ("checkOut", CHECK_OUT, "customer/name", 200, false, &["two\nlines"]),
    ("checkOut", CHECK_OUT, "customer/email", 254, true, &["no", "a@", "@b", "a@b@c", "a b@c", "@", "a@b\n.c"]),
    ("cancelOrder", ORDER, "note", 1_000, false, &["a\u{7}"]),
    ("shipOrder", ORDER, "carrier", 200, false, &["two\nlines"]),
    ("shipOrder", ORDER, "trackingNumber", 200, false, &["two\nlines"]),
];

/// The same input with a text at this path.
fn with(mut input: Value, path: &str, text: &str) -> Value {
    let (parent, name) = path.rsplit_once('/').map_or((String::new(), path), |(p, name)| (format!("/{p}"), name));
    input.pointer_mut(&parent).expect("an object")[name] = json!(text);
    input
}

#[tokio::test]
async fn texts_are_bounded_and_visible_and_the_refusal_names_the_field() {
    let stand = Stand::open().await;
    for (mutation, input, path, longest, must_be_there, others) in TEXTS {
        let long = ["x".repeat(longest + 1), "x".repeat(longest * 3), format!("a{}", "\u{301}".repeat(longest + 1))];
        let blank = ["", " ", "\u{a0}\t \u{2003}"].into_iter().filter(|_| *must_be_there);
        let bad = others.iter().copied().chain(["a\0b", "\0"]).chain(blank).chain(long.iter().map(String::as_str));
        for text in bad {
            let answer = stand.send(mutation, &with(stand.input(input), path, text)).await;
            let payload = &answer["data"][mutation];
            assert!(payload.is_object(), "{mutation} {path} {text:?}: {answer}");
            assert_eq!(codes(payload), ["INVALID_INPUT"], "{mutation} {path} {text:?}");
            let field: Vec<&str> = std::iter::once("input").chain(path.split('/')).collect();
            assert_eq!(payload["userErrors"][0]["field"], json!(field), "{mutation} {path}");
        }
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn texts_of_the_greatest_length_are_kept() {
    let stand = Stand::open().await;
    for (mutation, input, path, longest, ..) in TEXTS {
        let text = match *path {
            "customer/email" => format!("{}@b", "x".repeat(longest - 2)),
            "slug" => mutation[..1].repeat(*longest),
            _ => "\u{e9}".repeat(*longest),
        };
        let mut input = with(stand.input(input), path, &text);
        if *mutation == "createProduct" && *path != "sku" {
            input["sku"] = json!(path);
        }
        // Everything that needs a thing of its own gets a fresh one.
        let items = [(stand.product.as_str(), 1)];
        match *mutation {
            "checkOut" => input["cartId"] = json!(stand.shop.cart(&items).await),
            "cancelOrder" => input["orderId"] = json!(stand.shop.order(&items).await),
            "shipOrder" => {
                let order = stand.shop.order(&items).await;
                stand.shop.pay(&order).await;
                input["orderId"] = json!(order);
            }
            _ => {}
        }
        assert_eq!(stand.outcome(mutation, &input).await, "done", "{mutation} {path}");
    }
    stand.shop.close().await;
}

#[tokio::test]
async fn a_thousand_combining_marks_are_no_sku() {
    let stand = Stand::open().await;
    for text in [format!("a{}", "\u{301}".repeat(1_000)), "\u{301}".repeat(1_000), "e\u{301}".repeat(65)] {
        let input = with(stand.input(PRODUCT), "sku", &text);
        assert_eq!(stand.outcome("createProduct", &input).await, "refused INVALID_INPUT");
    }
    for text in ["mug", "MUG", " Mug\t"] {
        let input = with(stand.input(PRODUCT), "sku", text);
        assert_eq!(stand.outcome("createProduct", &input).await, "refused ALREADY_EXISTS", "{text:?}");
    }
    let slug = with(stand.input(PRODUCT), "slug", "product-mug");
    assert_eq!(stand.outcome("createProduct", &slug).await, "refused ALREADY_EXISTS");
    stand.close_unchanged().await;
}

#[tokio::test]
async fn idempotency_keys_are_bounded_and_visible() {
    let stand = Stand::open().await;
    let inputs = [
        ("adjustStock", ADJUST),
        ("addToCart", ADD),
        ("checkOut", CHECK_OUT),
        ("payOrder", ORDER),
        ("cancelOrder", ORDER),
        ("shipOrder", ORDER),
    ];
    for (mutation, input) in inputs {
        for key in ["", "a\0b", "a\nb", "\u{7f}", &"k".repeat(256), &"k".repeat(10_000)] {
            let input = with(stand.input(input), "idempotencyKey", key);
            assert_eq!(stand.outcome(mutation, &input).await, "error BAD_USER_INPUT", "{mutation} {key:?}");
        }
    }
    assert_eq!(stand.looks().await, stand.before);
    for key in ["k".repeat(255), "é".repeat(255)] {
        assert_eq!(stand.outcome("adjustStock", &with(stand.input(ADJUST), "idempotencyKey", &key)).await, "done");
    }
    stand.shop.close().await;
}

#[tokio::test]
async fn what_the_shop_does_not_know_or_allow_is_refused() {
    let stand = Stand::open().await;
    let change = |rest: &str| format!(r#"{{ "changes": [{{ "productId": "$product", "quantity": 1, {rest} }}] }}"#);
    let reason = |reason: &str| {
        let change = r#"{ "productId": "$product", "quantity": 1, "action": "INCREMENT" }"#;
        format!(r#"{{ "changes": [{change}], "reason": "{reason}" }}"#)
    };
    let pay = |rest: &str| format!(r#"{{ "orderId": "$order", {rest} }}"#);
    let product = |rest: &str| format!(r#"{{ "sku": "S", "name": "N", {rest} }}"#);
    let price = |amount: &str, code: &str| format!(r#""price": {{ "amount": {amount}, "currency": "{code}" }}"#);
    let one = r#"{ "productId": "$product", "action": "INCREMENT", "quantity": 1 }"#;
    let mut table = vec![
        ("payOrder", pay(r#""gateway": "stripe""#), "refused NOT_FOUND"),
        ("payOrder", pay(r#""gateway": """#), "refused NOT_FOUND"),
        ("payOrder", pay(r#""gateway": "Sandbox""#), "refused NOT_FOUND"),
        ("payOrder", pay(r#""gateway": "man\u0000ual""#), "error BAD_USER_INPUT"),
        (
            "payOrder",
            pay(&format!(r#""gateway": "sandbox", "token": "{}""#, "x".repeat(4_097))),
            "error BAD_USER_INPUT",
        ),
        ("adjustStock", change(r#""action": "CREATE""#), "refused INVALID_INPUT"),
        ("adjustStock", change(r#""action": "SHIP""#), "refused INVALID_INPUT"),
        ("adjustStock", change(r#""action": "SET", "expectedVersion": 99"#), "refused STALE_VERSION"),
        ("adjustStock", change(r#""action": "INCREMENT", "expectedVersion": -1"#), "refused STALE_VERSION"),
        ("adjustStock", format!(r#"{{ "changes": [{one}, {one}] }}"#), "refused INVALID_INPUT"),
        ("adjustStock", r#"{ "changes": [] }"#.to_owned(), "refused INVALID_INPUT"),
        ("createProduct", product(&price("-1", "EUR")), "refused INVALID_INPUT"),
        ("updateProduct", format!(r#"{{ "id": "$product", {} }}"#, price("-1", "EUR")), "refused INVALID_INPUT"),
        ("createProduct", product(&price("9007199254740992", "EUR")), "error BAD_USER_INPUT"),
        ("createProduct", product(&price("1.5", "EUR")), "error BAD_USER_INPUT"),
        (
            "createProduct",
            product(&format!(r#"{}, "manageStock": false, "initialStock": 1"#, price("1", "EUR"))),
            "refused INVALID_INPUT",
        ),
    ];
    table.extend(
        ["", "EU", "EURO", "eur", "ZZZ", "€", "EUR "]
            .map(|code| ("createProduct", product(&price("1", code)), "refused INVALID_INPUT")),
    );
    let tokens = ["", "SUCCEED", "tok_visa", "delay:", "delay:-1", "delay:600001", "never:x", "succeed "];
    table.extend(tokens.map(|token| {
        ("payOrder", pay(&format!(r#""gateway": "sandbox", "token": "{token}""#)), "refused INVALID_INPUT")
    }));
    let reasons = ["INITIAL", "ORDER_PAYMENT", "PAYMENT_FAILED", "PAYMENT_VOIDED", "ORDER_CANCELLED", "ORDER_SHIPPED"];
    table.extend(reasons.map(|word| ("adjustStock", reason(word), "refused INVALID_INPUT")));
    for (mutation, input, right) in table {
        assert_eq!(stand.outcome(mutation, &stand.input(&input)).await, right, "{mutation} {input}");
    }
    stand.close_unchanged().await;
}

#[tokio::test]
async fn a_cart_has_one_currency_and_an_amount_that_can_be_told() {
    let stand = Stand::open().await;
    let shop = &stand.shop;
    let create = async |sku: &str, amount: i64, currency: &str| {
        let price = json!({ "amount": amount, "currency": currency });
        let made = shop.create_product(json!({ "sku": sku, "name": sku, "price": price, "initialStock": 9 })).await;
        made["product"]["id"].as_str().expect("a product").to_owned()
    };
    let dollars = create("DOLLARS", 1, "USD").await;
    let dear = create("DEAR", 9_007_199_254_740_991, "EUR").await;
    let cart = stand.cart.as_str();
    assert_eq!(codes(&shop.add_to_cart(cart, &[(&dollars, 1)]).await), ["CURRENCY_MISMATCH"]);
    assert_eq!(codes(&shop.update_cart(cart, &[(&dollars, 1)]).await), ["CURRENCY_MISMATCH"]);
    assert_eq!(codes(&shop.create_cart(&[(&dollars, 1), (&dear, 1)]).await), ["CURRENCY_MISMATCH"]);
    assert_eq!(codes(&shop.create_cart(&[(&dear, 2)]).await), ["AMOUNT_TOO_LARGE"]);
    assert_eq!(codes(&shop.add_to_cart(cart, &[(&dear, 1)]).await), ["AMOUNT_TOO_LARGE"], "with what is in it");
    assert_eq!(codes(&shop.create_cart(&[(&dear, 1)]).await), [""; 0], "the largest amount there is");
    assert_eq!(shop.read_cart(cart).await["items"].as_array().map(Vec::len), Some(1));
    stand.shop.close().await;
}
