//! What a refusal tells, and whom: staff are told which item, shoppers never are.

use domain::stock::PublicStock;
use onhand::config::Role;
use serde_json::{Value, json};

use crate::support::{Client, Shop, codes};

/// All that a shopper is told.
fn told_to_shoppers() -> Value {
    json!([{ "code": "INSUFFICIENT_STOCK", "message": "There is not enough stock.", "field": null }])
}

fn told_to_staff(item: usize) -> Value {
    let mut told = told_to_shoppers();
    told[0]["field"] = json!(["input", "items", item.to_string(), "quantity"]);
    told
}

async fn shop() -> (Shop, Client) {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    (shop, staff)
}

#[tokio::test]
async fn only_staff_are_told_which_item_there_is_not_enough_of() {
    let (shop, staff) = shop().await;
    let (mug, pen) = (staff.product("MUG", 5).await, staff.product("PEN", 2).await);
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let guest = Client::clone(&shop);
    let cart = guest.cart(&[(&mug, 1)]).await;
    for client in [&staff, &ada, &guest] {
        let told = |item| if std::ptr::eq(client, &raw const staff) { told_to_staff(item) } else { told_to_shoppers() };
        for (items, item) in [
            (&[(mug.as_str(), 5), (&pen, 3)][..], 1),
            (&[(&pen, 3), (&mug, 5)], 0),
            (&[(&mug, 9), (&pen, 9)], 0),
            (&[(&pen, 1), (&mug, 1), (&pen, 2)], 0),
        ] {
            assert_eq!(client.create_cart(items).await, json!({ "cart": null, "userErrors": told(item) }), "{items:?}");
        }
        let added = client.add_to_cart(&cart, &[(&pen, 2), (&mug, 5)]).await;
        assert_eq!(added, json!({ "cart": null, "userErrors": told(1) }), "with what the cart has already");
        let updated = client.update_cart(&cart, &[(&mug, 5), (&pen, 3)]).await;
        assert_eq!(updated, json!({ "cart": null, "userErrors": told(1) }));
    }
    // The cart and the order are one thing each: there is no item of the input to name.
    staff.adjust(&mug, "SET", 0).await;
    for client in [&staff, &guest] {
        assert_eq!(client.check_out(&cart).await["userErrors"], told_to_shoppers());
    }
    staff.adjust(&mug, "SET", 5).await;
    let order = staff.order(&[(&mug, 1)]).await;
    staff.adjust(&mug, "SET", 0).await;
    assert_eq!(staff.pay_with(json!({ "orderId": order })).await["userErrors"], told_to_shoppers());
    shop.close().await;
}

/// A refusal is not kept with its key: what staff were told reaches nobody else, and each is told anew.
#[tokio::test]
async fn a_key_brings_nobody_what_somebody_else_was_told() {
    let (shop, staff) = shop().await;
    let mug = staff.product("MUG", 5).await;
    let guest = Client::clone(&shop);
    let cart = guest.cart(&[(&mug, 1)]).await;
    let query = "mutation($i: AddToCartInput!) { addToCart(input: $i) { userErrors { code message field } } }";
    let input = json!({ "cartId": cart, "items": [{ "productId": mug, "quantity": 9 }], "idempotencyKey": "K" });
    for _ in 0..2 {
        for (client, told) in [(&staff, told_to_staff(0)), (&guest, told_to_shoppers())] {
            let answer = client.data(query, json!({ "i": input })).await;
            assert_eq!(answer["addToCart"]["userErrors"], told);
        }
    }
    staff.adjust(&mug, "SET", 10).await;
    let answer = guest.data(query, json!({ "i": input })).await;
    assert_eq!(answer["addToCart"]["userErrors"], json!([]), "and succeeds under its key later");
    shop.close().await;
}

#[tokio::test]
async fn a_product_that_comes_twice_is_added_up_but_not_set() {
    let (shop, staff) = shop().await;
    let (mug, pen) = (staff.product("MUG", 9).await, staff.product("PEN", 9).await);
    let cart = shop.cart(&[(&mug, 1), (&mug, 1)]).await;
    let added = shop.add_to_cart(&cart, &[(&mug, 1), (&pen, 1), (&mug, 2)]).await;
    assert_eq!(added["cart"]["totalQuantity"], 6, "{added}");
    let before = shop.read_cart(&cart).await;
    let refused = shop.update_cart(&cart, &[(&mug, 1), (&pen, 2), (&mug, 1)]).await;
    assert_eq!(codes(&refused), ["INVALID_INPUT"], "{refused}");
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "items", "2", "productId"]));
    assert_eq!(shop.read_cart(&cart).await, before, "nothing changed");
    shop.close().await;
}

#[tokio::test]
async fn a_gateway_for_staff_is_named() {
    let (shop, staff) = shop().await;
    let mug = staff.product("MUG", 9).await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let query = "mutation($i: PayOrderInput!) { payOrder(input: $i) { userErrors { code } } }";
    let guest = Client::clone(&shop);
    for (client, told) in [
        (&ada, "The gateway \"manual\" is for staff only."),
        (&guest, "The gateway \"manual\" is for staff only; sign in."),
    ] {
        let order = client.order(&[(&mug, 1)]).await;
        // An order that is not there is answered alike.
        for id in [order.as_str(), "order_7zzzzzzzzzzzzzzzzzzzzzzzzz"] {
            for input in [json!({ "orderId": id }), json!({ "orderId": id, "gateway": "manual" })] {
                assert_eq!(client.ask(query, json!({ "i": input })).await["errors"][0]["message"], told);
            }
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn an_id_of_no_kind_that_can_be_found_is_told_which_there_are() {
    let (shop, staff) = shop().await;
    let kinds = "\"product\", \"stock\", \"transaction\", \"cart\", \"order\", \"item\", \"payment\", \"refund\", \
        \"shipment\", \"webhook\", \"delivery\"";
    let query = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
    for (id, came) in [
        ("thing_00000000000000000000000001", "this is one of kind \"thing\"."),
        ("operation_00000000000000000000000001", "this is one of kind \"operation\"."),
        ("tea", "this is not an id: tea"),
    ] {
        let answer = staff.ask(query, json!({ "id": id })).await;
        for error in answer["errors"].as_array().expect("errors") {
            assert_eq!(error["message"], format!("An id of kind {kinds} was expected, but {came}"), "{answer}");
        }
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(2), "{answer}");
    }
    shop.close().await;
}
