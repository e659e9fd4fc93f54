//! Cancelling and shipping: units go back or leave once, and an order that has ended moves nothing any more.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{open, statuses};
use crate::support::{Shop, Socket, codes, paid};

/// A product of five units, and a paid order of two of them.
async fn sold_two_of_five(shop: &Shop, sku: &str) -> (String, String) {
    let product = shop.product(sku, 5).await;
    let order = shop.order(&[(&product, 2)]).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    (product, order)
}

/// How many of these answers have no user error; the others must have this one.
fn accepted(answers: &[Value], otherwise: &str) -> usize {
    let accepted = answers.iter().filter(|answer| codes(answer).is_empty()).count();
    let refused = answers.iter().filter(|answer| codes(answer) == [otherwise]).count();
    assert_eq!(accepted + refused, answers.len(), "{answers:?}");
    accepted
}

// C21
#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_gives_units_back_once() {
    let shop = open().await;
    let (mug, order) = sold_two_of_five(&shop, "MUG").await;
    assert_eq!(codes(&shop.cancel(&order).await), [""; 0]);
    assert_eq!(codes(&shop.cancel(&order).await), ["INVALID_STATE"]);
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "ALLOCATE 2", "DEALLOCATE 2"]);

    let (jar, order) = sold_two_of_five(&shop, "JAR").await;
    let answers = join_all((0..8).map(|_| shop.cancel(&order))).await;
    assert_eq!(accepted(&answers, "INVALID_STATE"), 1);
    assert_eq!(shop.stock(&jar).await, (5, 0, 5));
    assert_eq!(shop.log(&jar).await, ["CREATE 5", "ALLOCATE 2", "DEALLOCATE 2"]);
    shop.close().await;
}

// C23
#[tokio::test]
async fn cancelling_what_was_never_paid_moves_nothing() {
    let shop = open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    let cancelled = shop.cancel(&order).await;
    assert_eq!(
        (&cancelled["order"]["status"], &cancelled["order"]["cancelReason"]),
        (&json!("CANCELLED"), &json!("REQUESTED"))
    );
    let declined = shop.order(&[(&mug, 2)]).await;
    shop.pay_sandbox(&declined, "decline").await;
    assert_eq!(codes(&shop.cancel(&declined).await), [""; 0]);
    assert_eq!(shop.stock(&mug).await, (5, 0, 5));
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "ALLOCATE 2", "DEALLOCATE 2"], "only those of the declined payment");
    for order in [&order, &declined] {
        assert_eq!(shop.pay(order).await, paid("-", "UNPAID", &["INVALID_STATE"]));
        assert_eq!(codes(&shop.ship(order).await), ["INVALID_STATE"]);
    }
    shop.close().await;
}

// C25
#[tokio::test]
async fn an_order_that_has_ended_holds_nothing_whatever_comes_again() {
    let shop = open().await;
    let mug = shop.product("MUG", 5).await;
    let (shipped, cancelled) = (shop.order(&[(&mug, 2)]).await, shop.order(&[(&mug, 1)]).await);
    let input =
        |order: &str| json!({ "orderId": order, "gateway": "sandbox", "token": "twice", "idempotencyKey": order });
    let first = shop.pay_with(input(&shipped)).await["payment"]["id"].take();
    shop.pay_with(input(&cancelled)).await;
    assert_eq!(codes(&shop.ship(&shipped).await), [""; 0]);
    assert_eq!(codes(&shop.cancel(&cancelled).await), [""; 0]);
    let log = shop.log(&mug).await;
    assert_eq!(log, ["CREATE 5", "ALLOCATE 2", "ALLOCATE 1", "SHIP 2", "DEALLOCATE 1"]);

    let again = shop.pay_with(input(&shipped)).await;
    assert_eq!((&again["payment"]["id"], codes(&again).len()), (&first, 0), "the same answer");
    shop.pay_with(input(&cancelled)).await;
    assert_eq!(shop.pay(&shipped).await, paid("-", "PAID", &["INVALID_STATE"]));
    assert_eq!(shop.pay(&cancelled).await, paid("-", "PAID", &["INVALID_STATE"]));
    assert_eq!(shop.log(&mug).await, log);
    for order in [shipped, cancelled] {
        assert_eq!(shop.read_order(&order).await["items"][0]["allocatedQuantity"], 0);
    }
    assert_eq!(shop.stock(&mug).await, (3, 0, 3));
    shop.close().await;
}

// C26, C27
#[tokio::test(flavor = "multi_thread")]
async fn an_order_ships_once_and_holds_nothing_afterwards() {
    let shop = open().await;
    let (mug, order) = sold_two_of_five(&shop, "MUG").await;
    let answers = join_all((0..8).map(|_| shop.ship(&order))).await;
    assert_eq!(accepted(&answers, "INVALID_STATE"), 1);
    assert_eq!(shop.stock(&mug).await, (3, 0, 3));
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "ALLOCATE 2", "SHIP 2"]);
    let order = shop.read_order(&order).await;
    assert_eq!(order["shipments"].as_array().map(Vec::len), Some(1));
    let item = &order["items"][0];
    assert_eq!((&item["allocatedQuantity"], &item["shippedQuantity"]), (&json!(0), &json!(2)));
    shop.close().await;
}

// C27: an unpaid order does not ship.
#[tokio::test]
async fn only_what_is_paid_ships() {
    let shop = open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 2)]).await;
    assert_eq!(codes(&shop.ship(&order).await), ["INVALID_STATE"]);
    shop.pay_sandbox(&order, "action").await;
    assert_eq!(codes(&shop.ship(&order).await), ["INVALID_STATE"], "the shopper has to act first");
    assert_eq!(shop.stock(&mug).await, (5, 2, 3));
    shop.close().await;
}

// C29
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shipped_cannot_be_cancelled() {
    let shop = open().await;
    let (mug, order) = sold_two_of_five(&shop, "MUG").await;
    shop.ship(&order).await;
    assert_eq!(codes(&shop.cancel(&order).await), ["INVALID_STATE"]);
    assert_eq!(shop.stock(&mug).await, (3, 0, 3));
    assert_eq!(statuses(&shop, &order).await, ["COMPLETE", "PAID", "FULFILLED"]);

    for round in 0..20 {
        let (jar, order) = sold_two_of_five(&shop, &format!("JAR-{round}")).await;
        let (shipped, cancelled) = tokio::join!(shop.ship(&order), shop.cancel(&order));
        let has_shipped = codes(&shipped).is_empty();
        assert_eq!(accepted(&[shipped, cancelled], "INVALID_STATE"), 1, "one of the two");
        assert_eq!(shop.stock(&jar).await, if has_shipped { (3, 0, 3) } else { (5, 0, 5) });
    }
    shop.close().await;
}

// C32
#[tokio::test]
async fn a_cancellation_frees_units_in_the_log_and_on_every_screen() {
    let shop = open().await;
    let (mug, order) = sold_two_of_five(&shop, "MUG").await;
    let mut socket = Socket::open(&shop).await;
    let query = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { available } }";
    socket.subscribe("badge", query, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("badge").await["stockChanged"]["available"], 3);
    shop.cancel(&order).await;
    assert_eq!(socket.data("badge").await["stockChanged"]["available"], 5);
    assert_eq!(shop.stock(&mug).await, (5, 0, 5));
    assert_eq!(statuses(&shop, &order).await, ["CANCELLED", "PAID", "UNFULFILLED"], "the money is a refund's business");
    let item = shop.read_order(&order).await["items"][0].take();
    assert_eq!((&item["allocatedQuantity"], &item["cancelledQuantity"]), (&json!(0), &json!(2)));
    let rows = "query($id: ID!) { stock(productId: $id) { \
        transactions(first: 1) { nodes { action reason order { id } } } } }";
    let row = shop.data(rows, json!({ "id": mug })).await["stock"]["transactions"]["nodes"][0].take();
    assert_eq!(row, json!({ "action": "DEALLOCATE", "reason": "ORDER_CANCELLED", "order": { "id": order } }));
    shop.close().await;
}

// C46
#[tokio::test]
async fn a_withdrawn_product_still_ships_and_cancels() {
    let shop = open().await;
    let mug = shop.product("MUG", 5).await;
    let (ships, cancels) = (shop.order(&[(&mug, 2)]).await, shop.order(&[(&mug, 1)]).await);
    for order in [&ships, &cancels] {
        assert_eq!(shop.pay(order).await, paid("SUCCEEDED", "PAID", &[]));
    }
    assert_eq!(shop.archive(&mug).await["product"]["status"], "ARCHIVED");
    assert_eq!(shop.ship(&ships).await["order"]["shipping"], "FULFILLED");
    assert_eq!(shop.cancel(&cancels).await["order"]["status"], "CANCELLED");
    assert_eq!(shop.stock(&mug).await, (3, 0, 3));
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "ALLOCATE 2", "ALLOCATE 1", "SHIP 2", "DEALLOCATE 1"]);
    let order = shop.read_order(&ships).await;
    assert_eq!(order["items"][0]["sku"], "MUG", "history is intact");
    shop.close().await;
}

// C46: neither does it matter that stock is not managed any more.
#[tokio::test]
async fn what_is_no_longer_counted_still_ships_and_cancels() {
    let shop = open().await;
    let mug = shop.product("MUG", 5).await;
    let (ships, cancels) = (shop.order(&[(&mug, 2)]).await, shop.order(&[(&mug, 1)]).await);
    for order in [&ships, &cancels] {
        assert_eq!(shop.pay(order).await, paid("SUCCEEDED", "PAID", &[]));
    }
    shop.update_product(json!({ "id": mug, "manageStock": false })).await;
    assert_eq!(shop.ship(&ships).await["order"]["shipping"], "FULFILLED");
    assert_eq!(shop.cancel(&cancels).await["order"]["status"], "CANCELLED");
    assert_eq!(codes(&shop.adjust(&mug, "INCREMENT", 1).await), ["INVALID_STATE"]);
    shop.update_product(json!({ "id": mug, "manageStock": true })).await;
    assert_eq!(shop.stock(&mug).await, (3, 0, 3), "the numbers as they stood");
    assert_eq!(shop.log(&mug).await, ["CREATE 5", "ALLOCATE 2", "ALLOCATE 1", "SHIP 2", "DEALLOCATE 1"]);
    shop.close().await;
}
