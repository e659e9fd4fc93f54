//! `availabilityChanged`: how it is now, then once for each crossing, and never for each sale.

use domain::id::ProductId;
use domain::stock::PublicStock;
use onhand::config::Role;
use onhand::faults::{Point, hold};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, Socket};

const CHANGES: &str = "subscription($ids: [ID!]!) { availabilityChanged(productIds: $ids) { product { sku availability } from to \
    version at } }";

/// The next change, as `SKU from to version`.
async fn next(socket: &mut Socket) -> String {
    let change = socket.data("shelf").await["availabilityChanged"].take();
    assert_eq!(change["product"]["availability"], change["to"], "the product says the same: {change}");
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {}",
        word(&change["product"]["sku"]),
        word(&change["from"]),
        word(&change["to"]),
        change["version"]
    )
}

#[tokio::test]
async fn a_shelf_hears_of_crossings_and_not_of_sales() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 0).await);
    shop.update_product(json!({ "id": mug, "lowStockThreshold": 3 })).await;
    let mut shelf = Socket::open(&shop).await;
    let unknown = "product_7zzzzzzzzzzzzzzzzzzzzzzzzz";
    shelf.subscribe("shelf", CHANGES, json!({ "ids": [mug, unknown, cup, mug] })).await;
    assert_eq!(next(&mut shelf).await, "MUG - IN_STOCK 2");
    assert_eq!(next(&mut shelf).await, "CUP - OUT_OF_STOCK 1");
    for _ in 0..6 {
        shop.adjust(&mug, "DECREMENT", 1).await;
    }
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay(&order).await;
    assert_eq!(next(&mut shelf).await, "MUG IN_STOCK LOW_STOCK 9", "six sales were no news");
    shop.ship(&order).await;
    shop.archive(&mug).await;
    shop.restore(&mug).await;
    shop.adjust(&mug, "DECREMENT", 3).await;
    assert_eq!(
        next(&mut shelf).await,
        "MUG LOW_STOCK OUT_OF_STOCK 13",
        "nor a parcel, nor what is off sale for a while"
    );
    shop.adjust(&cup, "INCREMENT", 1).await;
    assert_eq!(next(&mut shelf).await, "CUP OUT_OF_STOCK IN_STOCK 2");
    shop.update_product(json!({ "id": cup, "lowStockThreshold": 1 })).await;
    assert_eq!(next(&mut shelf).await, "CUP IN_STOCK LOW_STOCK 3", "a threshold is a line, too");
    shop.update_product(json!({ "id": cup, "manageStock": false })).await;
    assert_eq!(next(&mut shelf).await, "CUP LOW_STOCK UNTRACKED 4");
    shop.update_product(json!({ "id": cup, "manageStock": true })).await;
    assert_eq!(next(&mut shelf).await, "CUP UNTRACKED LOW_STOCK 5");

    let mut again = Socket::open(&shop).await;
    again.subscribe("shelf", CHANGES, json!({ "ids": [cup, mug] })).await;
    assert_eq!(next(&mut again).await, "CUP - LOW_STOCK 5", "a reconnect begins with what is");
    assert_eq!(next(&mut again).await, "MUG - OUT_OF_STOCK 13");
    shop.close().await;
}

/// The version and the time are those of the stock record.
#[tokio::test]
async fn a_crossing_has_the_version_and_the_time_of_its_stock() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1).await;
    let mut shelf = Socket::open(&shop).await;
    shelf.subscribe("shelf", CHANGES, json!({ "ids": [mug] })).await;
    let read = "query($id: ID!) { stock(productId: $id) { version updatedAt } }";
    for change in [None, Some(("DECREMENT", 1)), Some(("INCREMENT", 1))] {
        if let Some((action, quantity)) = change {
            shop.adjust(&mug, action, quantity).await;
        }
        let told = shelf.data("shelf").await["availabilityChanged"].take();
        let stock = shop.data(read, json!({ "id": mug })).await["stock"].take();
        assert_eq!((&told["version"], &told["at"]), (&stock["version"], &stock["updatedAt"]), "{change:?}");
    }
    shop.close().await;
}

/// Somebody who is held up while a product is sold out and filled again is told of neither; what they are told next begins
/// where they stand.
#[tokio::test(flavor = "multi_thread")]
async fn who_skips_a_crossing_and_its_way_back_is_told_what_follows_from_what_they_know() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 9).await;
    shop.update_product(json!({ "id": mug, "lowStockThreshold": 3 })).await;
    let key = mug.parse::<ProductId>().expect("an id").0;
    let mut shelf = Socket::open(&shop).await;
    let mut held = hold(Point::StockRead, Some(key));
    shelf.subscribe("shelf", CHANGES, json!({ "ids": [mug] })).await;
    timeout(PATIENCE, held.reached()).await.expect("it reads");
    shop.adjust(&mug, "SET", 0).await;
    shop.adjust(&mug, "SET", 9).await;
    held.release();
    assert_eq!(next(&mut shelf).await, "MUG - IN_STOCK 2", "as it was read");
    shop.adjust(&mug, "SET", 0).await;
    assert_eq!(next(&mut shelf).await, "MUG IN_STOCK OUT_OF_STOCK 5");

    let mut late = Socket::open(&shop).await;
    let mut held = hold(Point::StockRead, Some(key));
    late.subscribe("shelf", CHANGES, json!({ "ids": [mug] })).await;
    timeout(PATIENCE, held.reached()).await.expect("it reads");
    for units in [9, 2] {
        shop.adjust(&mug, "SET", units).await;
    }
    // The first of the two has been told by then, one by one or merged.
    let mut last = next(&mut shelf).await;
    while !last.ends_with("LOW_STOCK 7") {
        last = next(&mut shelf).await;
    }
    held.release();
    assert_eq!(next(&mut late).await, "MUG - OUT_OF_STOCK 5", "as it was read");
    assert_eq!(next(&mut late).await, "MUG OUT_OF_STOCK LOW_STOCK 7", "and straight to where it is");
    shop.close().await;
}

/// Who sees capped counts hears of the same crossings, by the version that they see.
#[tokio::test]
async fn the_public_hears_of_crossings_by_its_own_version() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 50).await;
    staff.update_product(json!({ "id": mug, "lowStockThreshold": 40 })).await;
    let (mut public, mut exact) = (Socket::open(&shop).await, Socket::open(&staff).await);
    for socket in [&mut public, &mut exact] {
        socket.subscribe("shelf", CHANGES, json!({ "ids": [mug] })).await;
        assert_eq!(next(socket).await, "MUG - IN_STOCK 2");
    }
    for _ in 0..10 {
        staff.adjust(&mug, "DECREMENT", 1).await;
    }
    assert_eq!(next(&mut exact).await, "MUG IN_STOCK LOW_STOCK 12");
    assert_eq!(next(&mut public).await, "MUG IN_STOCK LOW_STOCK 3", "nine sales behind the cap are not counted");
    staff.adjust(&mug, "SET", 4).await;
    staff.adjust(&mug, "SET", 0).await;
    assert_eq!(next(&mut exact).await, "MUG LOW_STOCK OUT_OF_STOCK 14");
    assert_eq!(next(&mut public).await, "MUG LOW_STOCK OUT_OF_STOCK 5");
    shop.close().await;
}

#[tokio::test]
async fn more_than_a_hundred_products_and_other_ids_are_refused() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1).await;
    let mut socket = Socket::open(&shop).await;
    for (ids, code) in [(vec![mug.clone(); 101], "LIMIT_EXCEEDED"), (vec![mug.replace("product", "order")], "BAD_ID")] {
        socket.subscribe("shelf", CHANGES, json!({ "ids": ids })).await;
        let refused = socket.next().await;
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{refused}");
    }
    socket.subscribe("shelf", CHANGES, json!({ "ids": vec![mug; 100] })).await;
    assert_eq!(next(&mut socket).await, "MUG - IN_STOCK 1");
    shop.close().await;
}
