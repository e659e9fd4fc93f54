//! What a cart accepts, and that it stays usable whatever it refused.

use serde_json::{Value, json};

use super::{charges, open};
use crate::support::{codes, paid};

/// SKU and quantity of each line.
fn lines(cart: &Value) -> Vec<(&str, i64)> {
    let items = cart["items"].as_array().unwrap_or_else(|| panic!("no cart: {cart}"));
    items.iter().filter_map(|item| item["product"]["sku"].as_str().zip(item["quantity"].as_i64())).collect()
}

// C05
#[tokio::test]
async fn all_units_of_a_product_in_a_cart_count_together() {
    let shop = open().await;
    let pen = shop.product("PEN", 5).await;
    let cart = shop.cart(&[(&pen, 5)]).await;
    for items in [&[(pen.as_str(), 5)][..], &[(&pen, 1)], &[(&pen, 1), (&pen, 1)]] {
        assert_eq!(codes(&shop.add_to_cart(&cart, items).await), ["INSUFFICIENT_STOCK"], "{items:?}");
    }
    for items in [&[(pen.as_str(), 3), (&pen, 3)][..], &[(&pen, 5), (&pen, 5)], &[(&pen, 6)]] {
        assert_eq!(codes(&shop.create_cart(items).await), ["INSUFFICIENT_STOCK"], "{items:?}");
    }
    assert_eq!(codes(&shop.update_cart(&cart, &[(&pen, 6)]).await), ["INSUFFICIENT_STOCK"]);
    let merged = shop.create_cart(&[(&pen, 2), (&pen, 3)]).await;
    assert_eq!(lines(&merged["cart"]), [("PEN", 5)], "one line for each product");
    let order = shop.check_out(&cart).await["order"]["id"].as_str().expect("an order").to_owned();
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let merged = merged["cart"]["id"].as_str().expect("a cart").to_owned();
    assert_eq!(codes(&shop.check_out(&merged).await), ["INSUFFICIENT_STOCK"]);
    assert_eq!(shop.stock(&pen).await, (5, 5, 0));
    shop.close().await;
}

// C36, C37
#[tokio::test]
async fn a_quantity_below_one_is_refused_and_zero_removes_where_quantities_are_set() {
    let shop = open().await;
    let cup = shop.product("CUP", 10).await;
    let cart = shop.cart(&[(&cup, 3)]).await;
    let before = shop.read_cart(&cart).await;
    for quantity in [-1, -3, i32::MIN, 0] {
        let refused = shop.add_to_cart(&cart, &[(&cup, quantity)]).await;
        assert_eq!(codes(&refused), ["INVALID_QUANTITY"], "{quantity}");
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "items", "0", "quantity"]));
        assert_eq!(codes(&shop.create_cart(&[(&cup, quantity)]).await), ["INVALID_QUANTITY"]);
        assert_eq!(codes(&shop.add_to_cart(&cart, &[(&cup, 4), (&cup, quantity)]).await), ["INVALID_QUANTITY"]);
        if quantity < 0 {
            assert_eq!(codes(&shop.update_cart(&cart, &[(&cup, quantity)]).await), ["INVALID_QUANTITY"]);
        }
    }
    assert_eq!(shop.read_cart(&cart).await, before);
    let emptied = shop.update_cart(&cart, &[(&cup, 0)]).await;
    assert_eq!((lines(&emptied["cart"]), &emptied["cart"]["subtotal"]), (vec![], &Value::Null));
    assert_eq!(codes(&shop.update_cart(&cart, &[(&cup, 0)]).await), [""; 0], "removing what is not there");
    assert_eq!(codes(&shop.check_out(&cart).await), ["INVALID_STATE"], "an empty cart");
    shop.close().await;
}

// C38
#[tokio::test]
async fn a_quantity_never_wraps_around() {
    const MOST: i32 = 1_000_000_000;
    let shop = open().await;
    let input = json!({ "sku": "E-BOOK", "name": "E-book", "manageStock": false,
        "price": { "amount": 1, "currency": "EUR" } });
    let ebook = shop.create_product(input).await["product"]["id"].as_str().expect("a product").to_owned();
    let cart = shop.cart(&[(&ebook, MOST)]).await;
    for more in [1, MOST, i32::MAX] {
        assert_eq!(codes(&shop.add_to_cart(&cart, &[(&ebook, more)]).await), ["INVALID_QUANTITY"], "{more}");
    }
    for items in [&[(ebook.as_str(), MOST), (&ebook, 1)][..], &[(&ebook, MOST + 1)], &[(&ebook, i32::MAX)]] {
        assert_eq!(codes(&shop.create_cart(items).await), ["INVALID_QUANTITY"], "{items:?}");
    }
    let cart = shop.read_cart(&cart).await;
    assert_eq!((&cart["totalQuantity"], &cart["subtotal"]["amount"]), (&json!(MOST), &json!(MOST)));

    let sand = shop.product("SAND", MOST).await;
    for (action, quantity) in [("INCREMENT", 1), ("INCREMENT", MOST), ("INCREMENT", i32::MAX), ("SET", MOST + 1)] {
        assert_eq!(codes(&shop.adjust(&sand, action, quantity).await), ["INVALID_QUANTITY"], "{action} {quantity}");
    }
    assert_eq!(shop.stock(&sand).await, (i64::from(MOST), 0, i64::from(MOST)));
    assert_eq!(shop.log(&sand).await, [format!("CREATE {MOST}")]);
    shop.close().await;
}

// C40
#[tokio::test]
async fn a_quantity_of_another_type_is_no_valid_document() {
    let shop = open().await;
    let tea = shop.product("TEA", 10).await;
    let cart = shop.cart(&[(&tea, 1)]).await;
    let before = shop.read_cart(&cart).await;
    for literal in ["1.5", "1.0", "1e0", "\"1\"", "true", "null", "[1]", "{}", "ONE"] {
        let document = format!(
            "mutation {{ addToCart(input: {{ cartId: \"{cart}\", \
             items: [{{ productId: \"{tea}\", quantity: {literal} }}] }}) \
             {{ cart {{ id }} userErrors {{ code }} }} }}"
        );
        let answer = shop.ask(&document, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{literal}: {answer}");
    }
    for value in [json!(1.5), json!(1.0), json!("1"), json!(true), json!(null), json!({})] {
        let document = "mutation($cart: ID!, $tea: ID!, $quantity: Int!) { addToCart(input: { cartId: $cart, \
            items: [{ productId: $tea, quantity: $quantity }] }) { cart { id } userErrors { code } } }";
        let variables = json!({ "cart": cart, "tea": tea, "quantity": value });
        let answer = shop.ask(document, variables).await;
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{value}: {answer}");
    }
    assert_eq!(shop.read_cart(&cart).await, before);
    shop.close().await;
}

// C42
#[tokio::test]
async fn lowering_and_removing_leave_nothing_behind() {
    let shop = open().await;
    let (fork, spoon) = (shop.product("FORK", 5).await, shop.product("SPOON", 5).await);
    let cart = shop.cart(&[(&fork, 5), (&spoon, 4)]).await;
    let lowered = shop.update_cart(&cart, &[(&fork, 2)]).await;
    assert_eq!(lines(&lowered["cart"]), [("FORK", 2), ("SPOON", 4)]);
    let removed = shop.update_cart(&cart, &[(&spoon, 0)]).await;
    assert_eq!(lines(&removed["cart"]), [("FORK", 2)]);
    assert_eq!(removed["cart"]["totalQuantity"], 2);
    assert_eq!(removed["cart"]["subtotal"]["amount"], 2_000);
    let order = shop.check_out(&cart).await["order"].take();
    assert_eq!((&order["total"]["amount"], order["items"].as_array().map(Vec::len)), (&json!(2_000), Some(1)));
    assert_eq!(shop.pay(order["id"].as_str().expect("an id")).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!((shop.stock(&fork).await, shop.stock(&spoon).await), ((5, 2, 3), (5, 0, 5)));
    shop.close().await;
}

// C42: lowering is always allowed, also when less than that is left.
#[tokio::test]
async fn a_cart_with_more_than_is_left_can_be_lowered_but_not_checked_out() {
    let shop = open().await;
    let hat = shop.product("HAT", 5).await;
    let cart = shop.cart(&[(&hat, 5)]).await;
    shop.adjust(&hat, "SET", 1).await;
    assert_eq!(codes(&shop.check_out(&cart).await), ["INSUFFICIENT_STOCK"]);
    let lowered = shop.update_cart(&cart, &[(&hat, 3)]).await;
    assert_eq!(lines(&lowered["cart"]), [("HAT", 3)], "still more than there is");
    assert_eq!(codes(&shop.update_cart(&cart, &[(&hat, 4)]).await), ["INSUFFICIENT_STOCK"]);
    assert_eq!(codes(&shop.check_out(&cart).await), ["INSUFFICIENT_STOCK"]);
    shop.update_cart(&cart, &[(&hat, 1)]).await;
    assert_eq!(codes(&shop.check_out(&cart).await), [""; 0]);
    shop.close().await;
}

// C43
#[tokio::test]
async fn a_cart_still_reads_and_checks_out_after_a_refusal() {
    let shop = open().await;
    let (desk, chair) = (shop.product("DESK", 5).await, shop.product("CHAIR", 5).await);
    let cart = shop.cart(&[(&desk, 2)]).await;
    let before = shop.read_cart(&cart).await;
    for quantity in [4, 1_000_000_000, i32::MAX] {
        let added = shop.add_to_cart(&cart, &[(&chair, 1), (&desk, quantity)]).await;
        assert_eq!((codes(&added).len(), &added["cart"]), (1, &Value::Null), "{quantity}");
        assert_eq!(codes(&shop.update_cart(&cart, &[(&chair, 1), (&desk, quantity.max(6))]).await).len(), 1);
        assert_eq!(shop.read_cart(&cart).await, before, "neither of the two lines");
    }
    let order = shop.check_out(&cart).await["order"]["id"].as_str().expect("an order").to_owned();
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    for refused in [shop.add_to_cart(&cart, &[(&desk, 1)]).await, shop.update_cart(&cart, &[(&desk, 0)]).await] {
        assert_eq!(codes(&refused), ["INVALID_STATE"], "it is an order now");
    }
    assert_eq!(codes(&shop.check_out(&cart).await), ["INVALID_STATE"]);
    assert_eq!(shop.read_cart(&cart).await["order"]["id"], order);
    shop.close().await;
}

// C47
#[tokio::test]
async fn a_withdrawn_product_can_be_removed_and_the_rest_bought() {
    let shop = open().await;
    let (old, new) = (shop.product("OLD", 5).await, shop.product("NEW", 5).await);
    let cart = shop.cart(&[(&old, 2), (&new, 1)]).await;
    let unpaid = shop.order(&[(&old, 1)]).await;
    shop.archive(&old).await;

    let refused = shop.check_out(&cart).await;
    assert_eq!(codes(&refused), ["PRODUCT_UNAVAILABLE"]);
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "cartId"]));
    let refused = shop.add_to_cart(&cart, &[(&new, 1), (&old, 1)]).await;
    assert_eq!(codes(&refused), ["PRODUCT_UNAVAILABLE"]);
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "items", "1", "productId"]));
    assert_eq!(codes(&shop.create_cart(&[(&old, 1)]).await), ["PRODUCT_UNAVAILABLE"]);
    assert_eq!(shop.pay_sandbox(&unpaid, "succeed").await, paid("-", "UNPAID", &["PRODUCT_UNAVAILABLE"]));
    assert_eq!(charges(&shop).await, 0);

    assert_eq!(lines(&shop.update_cart(&cart, &[(&old, 1)]).await["cart"]), [("OLD", 1), ("NEW", 1)], "lowering");
    assert_eq!(lines(&shop.update_cart(&cart, &[(&old, 0)]).await["cart"]), [("NEW", 1)]);
    assert_eq!(codes(&shop.check_out(&cart).await), [""; 0]);
    shop.restore(&old).await;
    assert_eq!(shop.pay(&unpaid).await, paid("SUCCEEDED", "PAID", &[]), "for sale again");
    shop.close().await;
}
