//! SKUs that look alike, and prices that change on the way.

use serde_json::{Value, json};

use super::{charges, open};
use crate::support::{Shop, codes};

async fn create(shop: &Shop, sku: &str) -> Value {
    let price = json!({ "amount": 100, "currency": "EUR" });
    shop.create_product(json!({ "sku": sku, "name": "A thing", "price": price })).await
}

// C44
#[tokio::test]
async fn skus_that_differ_only_in_space_case_or_form_are_one() {
    let shop = open().await;
    let same = [
        ["A1", " A1 ", "a1", "\ta1\n"],
        ["CAF\u{c9}", "cafe\u{301}", "CAFE\u{301}", " caf\u{e9}"],
        ["STRASSE", "stra\u{df}e", "Stra\u{1e9e}e", "strasse"],
    ];
    for [first, others @ ..] in same {
        let made = create(&shop, first).await;
        assert_eq!(made["product"]["sku"], first);
        for sku in others {
            let refused = create(&shop, sku).await;
            assert_eq!(codes(&refused), ["ALREADY_EXISTS"], "{sku:?} beside {first:?}");
            assert_eq!(refused["userErrors"][0]["field"], json!(["input", "sku"]));
            let found =
                shop.data("query($sku: String!) { product(by: { sku: $sku }) { id } }", json!({ "sku": sku })).await;
            assert_eq!(found["product"]["id"], made["product"]["id"], "{sku:?} finds {first:?}");
        }
    }
    for sku in ["\u{ff21}1", "A\u{200b}1", "A1\u{fe0f}", "\u{410}1"] {
        assert!(!codes(&create(&shop, sku).await).is_empty(), "{sku:?} looks like A1");
    }
    for sku in ["A2", "A 1", "A-1", "CAFE", "А-\u{41f}"] {
        assert_eq!(codes(&create(&shop, sku).await), [""; 0], "{sku:?} is another one");
    }
    assert_eq!(create(&shop, "  B1 ").await["product"]["sku"], "B1", "trimmed");
    let report = shop.close().await;
    assert_eq!(report.products, 9);
}

// C49
#[tokio::test]
async fn an_order_is_charged_what_it_cost_at_check_out() {
    let shop = open().await;
    let shoe = shop.product("SHOE", 10).await;
    let order = shop.order(&[(&shoe, 2)]).await;
    let open = shop.cart(&[(&shoe, 1)]).await;
    let price = json!({ "amount": 1_200, "currency": "EUR" });
    shop.update_product(json!({ "id": shoe, "price": price, "name": "Boot", "slug": "boot" })).await;

    assert_eq!(shop.read_cart(&open).await["subtotal"]["amount"], 1_200, "a cart shows the price of now");
    let answer = shop.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": "succeed" })).await;
    assert_eq!(answer["payment"]["amount"], json!({ "amount": 2_000, "currency": "EUR" }));
    assert_eq!(charges(&shop).await, 1);
    let item = &answer["order"]["items"][0];
    assert_eq!((&item["name"], &item["unitPrice"]["amount"]), (&json!("Product SHOE"), &json!(1_000)));
    assert_eq!(shop.check_out(&open).await["order"]["total"]["amount"], 1_200);
    shop.close().await;
}

// C49: the price of a line in a cart may become one of another currency, or too high to be told.
#[tokio::test]
async fn a_cart_survives_prices_that_no_longer_add_up() {
    let shop = open().await;
    let (tie, belt) = (shop.product("TIE", 10).await, shop.product("BELT", 10).await);
    for (price, code) in [
        (json!({ "amount": 900, "currency": "USD" }), "CURRENCY_MISMATCH"),
        (json!({ "amount": 9_007_199_254_740_991_i64, "currency": "EUR" }), "AMOUNT_TOO_LARGE"),
    ] {
        let cart = shop.cart(&[(&tie, 2), (&belt, 1)]).await;
        shop.update_product(json!({ "id": tie, "price": price })).await;
        let shown = shop.read_cart(&cart).await;
        assert_eq!((&shown["totalQuantity"], &shown["subtotal"]), (&json!(3), &Value::Null));
        assert_eq!(codes(&shop.check_out(&cart).await), [code]);
        assert_eq!(codes(&shop.add_to_cart(&cart, &[(&belt, 1)]).await), [code]);
        assert_eq!(codes(&shop.update_cart(&cart, &[(&tie, 0)]).await), [""; 0]);
        assert_eq!(shop.check_out(&cart).await["order"]["total"]["amount"], 1_000);
        shop.update_product(json!({ "id": tie, "price": { "amount": 1_000, "currency": "EUR" } })).await;
    }
    shop.close().await;
}
