//! The order flow, told as stories.

use serde_json::json;

use crate::support::{Shop, codes, paid};

#[tokio::test]
async fn one_order_from_cart_to_shipped() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;

    let order = shop.order(&[(&mug, 2)]).await;
    assert_eq!(shop.stock(&mug).await, (10, 0, 10), "neither cart nor check-out takes stock");
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.stock(&mug).await, (10, 2, 8));
    let shipped = shop.ship(&order).await;
    assert_eq!(shipped["order"]["shipping"], "FULFILLED");
    assert_eq!(shop.stock(&mug).await, (8, 0, 8), "available does not move when goods leave");
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 2", "SHIP 2"]);

    let report = shop.close().await;
    assert_eq!((report.products, report.transactions, report.orders), (1, 3, 1));
}

#[tokio::test]
async fn a_refused_cart_names_neither_product_nor_count() {
    let shop = Shop::open().await;
    let rare = shop.product("RARE-THING", 3).await;
    let cart = shop.cart(&[(&rare, 2)]).await;
    let refused = shop.add_to_cart(&cart, &[(&rare, 2)]).await;
    assert_eq!(codes(&refused), ["INSUFFICIENT_STOCK"]);
    assert_eq!(refused["cart"], json!(null));
    assert_eq!(refused["userErrors"][0]["field"], json!(null));
    let message = refused["userErrors"][0]["message"].as_str().unwrap_or_default();
    assert!(!message.contains("RARE") && !message.contains(char::is_numeric), "{message}");
    assert_eq!(shop.read_cart(&cart).await["totalQuantity"], 2, "nothing changed");
    shop.close().await;
}
