//! The order flow, told as stories.

use domain::stock::PublicStock;
use onhand::config::Role;
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
    let shop = Shop::open_public(PublicStock::Exact).await;
    let rare = shop.signed_in(Role::Staff, "sam").await.product("RARE-THING", 3).await;
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

#[tokio::test]
async fn a_product_is_made_changed_withdrawn_and_restored() {
    let shop = Shop::open().await;
    let price = json!({ "amount": 1250, "currency": "EUR" });
    let made =
        shop.create_product(json!({ "sku": " Tea-1 ", "name": "Tea, green", "initialStock": 4, "price": price })).await;
    assert_eq!(made["product"]["sku"], "Tea-1");
    assert_eq!(made["product"]["slug"], "tea-green");
    assert_eq!(made["product"]["stock"], json!({ "total": 4, "available": 4, "allocated": 0, "version": 1 }));
    let again = shop.create_product(json!({ "sku": "Tea-2", "name": "Tea: green!", "price": price })).await;
    assert_eq!(again["product"]["slug"], "tea-green-2", "a slug that is taken is numbered");
    let clash = shop.create_product(json!({ "sku": "TEA-1", "name": "x", "price": price })).await;
    assert_eq!((codes(&clash), &clash["userErrors"][0]["field"]), (vec!["ALREADY_EXISTS"], &json!(["input", "sku"])));

    let id = made["product"]["id"].as_str().expect("an id");
    let changed =
        shop.update_product(json!({ "id": id, "name": "Green tea", "description": "Leaves.", "slug": "green" })).await;
    assert_eq!((&changed["product"]["name"], &changed["product"]["slug"]), (&json!("Green tea"), &json!("green")));
    let kept = shop.update_product(json!({ "id": id, "name": null })).await;
    assert_eq!(kept["product"]["description"], "Leaves.", "what is not named stays");
    let removed = shop.update_product(json!({ "id": id, "description": null })).await;
    assert_eq!((&removed["product"]["description"], &removed["product"]["name"]), (&json!(null), &json!("Green tea")));
    let taken = shop.update_product(json!({ "id": id, "slug": "tea-green-2" })).await;
    assert_eq!(codes(&taken), ["ALREADY_EXISTS"]);

    let cart = shop.cart(&[(id, 1)]).await;
    assert_eq!(shop.archive(id).await["product"]["status"], "ARCHIVED");
    assert_eq!(codes(&shop.add_to_cart(&cart, &[(id, 1)]).await), ["PRODUCT_UNAVAILABLE"]);
    assert_eq!(shop.read_cart(&cart).await["items"][0]["product"]["sku"], "Tea-1", "a cart may still show it");
    assert_eq!(shop.restore(id).await["product"]["status"], "ACTIVE");
    assert_eq!(codes(&shop.add_to_cart(&cart, &[(id, 1)]).await), Vec::<&str>::new());
    shop.close().await;
}

#[tokio::test]
async fn a_product_that_is_not_managed_never_runs_out() {
    let shop = Shop::open().await;
    let price = json!({ "amount": 100, "currency": "EUR" });
    let made =
        shop.create_product(json!({ "sku": "CARD", "name": "Card", "manageStock": false, "price": price })).await;
    assert_eq!((&made["product"]["stock"], &made["product"]["availability"]), (&json!(null), &json!("UNTRACKED")));
    let card = made["product"]["id"].as_str().expect("an id");
    let order = shop.order(&[(card, 1_000_000)]).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(codes(&shop.adjust(card, "INCREMENT", 1).await), ["INVALID_STATE"]);

    // What was not managed when it was paid ships without a row, also when it is managed by then.
    shop.update_product(json!({ "id": card, "manageStock": true })).await;
    assert_eq!(shop.ship(&order).await["order"]["items"][0]["shippedQuantity"], 1_000_000);
    assert_eq!(shop.log(card).await, ["CREATE 0"]);

    // What is held when management is switched off stays held, and still leaves with a row.
    shop.adjust(card, "INCREMENT", 5).await;
    let held = shop.order(&[(card, 2)]).await;
    shop.pay(&held).await;
    shop.update_product(json!({ "id": card, "manageStock": false })).await;
    shop.ship(&held).await;
    shop.update_product(json!({ "id": card, "manageStock": true })).await;
    assert_eq!(shop.stock(card).await, (3, 0, 3));
    assert_eq!(shop.log(card).await, ["CREATE 0", "INCREMENT 5", "ALLOCATE 2", "SHIP 2"], "no second CREATE");
    shop.close().await;
}

#[tokio::test]
async fn staff_adjust_stock_all_or_nothing_and_may_look_first() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 1).await);
    let changes = json!([
        { "productId": mug, "action": "INCREMENT", "quantity": 5, "expectedVersion": 1 },
        { "productId": cup, "action": "DECREMENT", "quantity": 1 },
    ]);
    let look = shop.adjust_all(json!({ "changes": changes, "dryRun": true })).await;
    let after = json!({ "total": 15, "available": 15, "allocated": 0 });
    assert_eq!((&look["preview"][0]["after"], &look["stocks"]), (&after, &json!(null)));
    assert_eq!(shop.stock(&mug).await, (10, 0, 10), "a dry run changes nothing");

    let note = json!({ "changes": changes, "reason": "RECEIVED", "note": "Two boxes\nwere wet.", "reference": "PO-7" });
    let done = shop.adjust_all(note).await;
    assert_eq!((&done["stocks"][0]["total"], &done["stocks"][1]["total"]), (&json!(15), &json!(0)));
    let row = &done["transactions"][0];
    assert_eq!((&row["reason"], &row["reference"], &row["sequence"]), (&json!("RECEIVED"), &json!("PO-7"), &json!(2)));
    assert_eq!(row["operationId"], done["transactions"][1]["operationId"], "one operation");

    let stale = shop.adjust_all(json!({ "changes": changes })).await;
    assert_eq!(codes(&stale), ["STALE_VERSION", "INSUFFICIENT_STOCK"], "every change that cannot be is told");
    assert_eq!(shop.stock(&mug).await, (15, 0, 15), "and none is done");

    assert_eq!(codes(&shop.adjust(&mug, "ALLOCATE", 3).await), Vec::<&str>::new());
    let order = shop.order(&[(&mug, 4)]).await;
    shop.pay(&order).await;
    assert_eq!(shop.stock(&mug).await, (15, 7, 8));
    assert_eq!(codes(&shop.adjust(&mug, "DEALLOCATE", 4).await), ["INSUFFICIENT_STOCK"], "not what orders hold");
    assert_eq!(codes(&shop.adjust(&mug, "DEALLOCATE", 3).await), Vec::<&str>::new());
    assert_eq!(codes(&shop.adjust(&mug, "SET", 3).await), ["INSUFFICIENT_STOCK"], "not below what is allocated");
    assert_eq!(shop.adjust(&mug, "SET", 15).await["transactions"], json!([]), "what it is already writes nothing");
    assert_eq!(shop.adjust(&mug, "SET", 4).await["stocks"][0]["available"], 0);
    shop.close().await;
}

#[tokio::test]
async fn a_customer_and_a_reason_are_kept() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let cart = shop.cart(&[(&mug, 2)]).await;
    let customer = json!({ "name": "  Ada  ", "email": "ada@example.com" });
    let placed = shop.check_out_with(json!({ "cartId": cart, "customer": customer })).await;
    let order = placed["order"]["id"].as_str().expect("an id");
    assert_eq!(placed["order"]["total"], json!({ "amount": 2000, "currency": "EUR" }));
    assert_eq!(placed["order"]["number"].as_str().map(str::len), Some(8));
    let query = "query($id: ID!) { order(id: $id) { customer { name email } } }";
    let data = shop.data(query, json!({ "id": order })).await;
    assert_eq!(data["order"]["customer"], json!({ "name": "Ada", "email": "ada@example.com" }));
    assert_eq!(codes(&shop.check_out(&cart).await), ["INVALID_STATE"], "a cart becomes one order");
    assert_eq!(shop.read_cart(&cart).await["order"]["id"], order);
    let cancelled = shop.cancel(order).await;
    assert_eq!(
        (&cancelled["order"]["status"], &cancelled["order"]["cancelReason"]),
        (&json!("CANCELLED"), &json!("REQUESTED"))
    );
    assert_eq!(codes(&shop.pay_with(json!({ "orderId": order })).await), ["INVALID_STATE"]);

    let paid = shop.order(&[(&mug, 1)]).await;
    shop.pay(&paid).await;
    let cancel = "mutation($id: ID!) { cancelOrder(input: { orderId: $id, reason: OTHER, note: \"Broke on the way.\" }) \
        { order { cancelReason stockTransactions(first: 1) { nodes { action note } } } } }";
    let told = shop.data(cancel, json!({ "id": paid })).await["cancelOrder"]["order"].take();
    let row = json!([{ "action": "DEALLOCATE", "note": "Broke on the way." }]);
    assert_eq!((&told["cancelReason"], &told["stockTransactions"]["nodes"]), (&json!("OTHER"), &row));
    shop.close().await;
}
