//! Holds: what they keep from others, how they end, and that nothing else changes where nobody asks for them.

use std::time::Duration;

use onhand::config::{HoldSettings, Holds};
use serde_json::{Value, json};

use crate::support::{Client, Shop, Socket, Wanted, codes, eventually, is_postgres, paid};

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

async fn shop_that(holds: Holds, hold_time: Duration) -> Shop {
    Shop::open_as(Wanted { holds: HoldSettings { holds, hold_time }, ..Wanted::default() }).await
}

async fn shop() -> Shop {
    shop_that(Holds::Requested, LONG).await
}

/// Checks a cart with these items out; the payload.
async fn check_out(client: &Client, items: &[(&str, i32)], hold: Option<bool>) -> Value {
    let cart = client.cart(items).await;
    client.check_out_with(json!({ "cartId": cart, "hold": hold })).await
}

async fn held(client: &Client, items: &[(&str, i32)]) -> String {
    let payload = check_out(client, items, Some(true)).await;
    payload["order"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// Total, allocated, held, available.
async fn stock(client: &Client, product: &str) -> [i64; 4] {
    let query = "query($id: ID!) { stock(productId: $id) { total allocated held available } }";
    let data = client.data(query, json!({ "id": product })).await;
    ["total", "allocated", "held", "available"]
        .map(|name| data["stock"][name].as_i64().unwrap_or_else(|| panic!("{data}")))
}

async fn held_until(client: &Client, order: &str) -> Value {
    client.data("query($id: ID!) { order(id: $id) { heldUntil } }", json!({ "id": order })).await["order"]["heldUntil"]
        .take()
}

async fn reasons(client: &Client, order: &str) -> Vec<String> {
    let query = "query($id: ID!) { order(id: $id) { stockTransactions(last: 100) { nodes { reason } } } }";
    let data = client.data(query, json!({ "id": order })).await;
    let rows = data["order"]["stockTransactions"]["nodes"].as_array().unwrap_or_else(|| panic!("{data}"));
    rows.iter().rev().map(|row| row["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_hold_is_taken_at_check_out_and_paid_for_without_a_gap() {
    let shop = shop().await;
    let bag = shop.product("BAG", 5).await;
    let loser = shop.order(&[(&bag, 3)]).await;
    let order = held(&shop, &[(&bag, 3)]).await;
    assert_eq!(stock(&shop, &bag).await, [5, 3, 3, 2]);
    assert!(held_until(&shop, &order).await.is_string());
    assert_eq!(held_until(&shop, &loser).await, Value::Null);
    assert_eq!(shop.pay(&loser).await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    let refused = check_out(&shop, &[(&bag, 2)], Some(true)).await;
    assert!(codes(&refused).is_empty(), "{refused}");
    assert_eq!(stock(&shop, &bag).await, [5, 5, 5, 0]);
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!((stock(&shop, &bag).await, held_until(&shop, &order).await), ([5, 5, 2, 0], Value::Null));
    assert_eq!(reasons(&shop, &order).await, ["HOLD"]);
    shop.ship(&order).await;
    assert_eq!(stock(&shop, &bag).await, [2, 2, 2, 0]);
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}

#[tokio::test]
async fn who_holds_by_default_is_a_setting() {
    for (holds, asked, is_held) in [
        (Holds::Requested, None, false),
        (Holds::Requested, Some(false), false),
        (Holds::Requested, Some(true), true),
        (Holds::Always, None, true),
        (Holds::Always, Some(false), false),
        (Holds::Never, None, false),
        (Holds::Never, Some(true), false),
    ] {
        let shop = shop_that(holds, LONG).await;
        let bag = shop.product("BAG", 5).await;
        let payload = check_out(&shop, &[(&bag, 5)], asked).await;
        let order = payload["order"]["id"].as_str().expect("an order").to_owned();
        let allocated = if is_held { 5 } else { 0 };
        assert_eq!(stock(&shop, &bag).await, [5, allocated, allocated, 5 - allocated], "{holds:?} {asked:?}");
        assert_eq!(held_until(&shop, &order).await.is_string(), is_held, "{holds:?} {asked:?}");
        assert_eq!(shop.log(&bag).await.len(), if is_held { 2 } else { 1 });
        assert_eq!(shop.close().await.differences, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_declined_payment_leaves_the_hold_and_cancelling_frees_it() {
    let shop = shop().await;
    let bag = shop.product("BAG", 5).await;
    let order = held(&shop, &[(&bag, 4)]).await;
    let before = held_until(&shop, &order).await;
    assert_eq!(shop.pay_sandbox(&order, "decline").await, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(stock(&shop, &bag).await, [5, 4, 4, 1]);
    let after = held_until(&shop, &order).await;
    assert!(after.as_str() > before.as_str(), "beginning to pay extends it: {before} {after}");
    let freed = json!({ "changes": [{ "productId": bag, "action": "DEALLOCATE", "quantity": 1 }] });
    assert_eq!(codes(&shop.adjust_all(freed).await), ["INSUFFICIENT_STOCK"], "staff cannot free what orders hold");
    shop.cancel(&order).await;
    assert_eq!((stock(&shop, &bag).await, held_until(&shop, &order).await), ([5, 0, 0, 5], Value::Null));
    assert_eq!(reasons(&shop, &order).await, ["HOLD", "ORDER_CANCELLED"]);
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_is_told() {
    let shop = shop().await;
    let bag = shop.product("BAG", 5).await;
    let order = held(&shop, &[(&bag, 5)]).await;
    let mut socket = Socket::open(&shop).await;
    let query = "subscription($id: ID!) { orderChanged(id: $id) { payment heldUntil items { allocatedQuantity } } }";
    socket.subscribe("1", query, json!({ "id": order })).await;
    let first = socket.data("1").await;
    assert_eq!(first["orderChanged"]["items"][0]["allocatedQuantity"], 5);
    shop.advance(LONG + Duration::from_secs(1));
    let last = socket.data("1").await;
    assert_eq!(last["orderChanged"]["heldUntil"], Value::Null, "{last}");
    assert_eq!(last["orderChanged"]["items"][0]["allocatedQuantity"], 0);
    assert_eq!(stock(&shop, &bag).await, [5, 0, 0, 5]);
    assert_eq!(reasons(&shop, &order).await, ["HOLD", "HOLD_EXPIRED"]);
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]), "it can still be paid");
    drop(socket);
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}

/// Whoever comes after its time has the units at once, also before a timer has ended it.
#[tokio::test]
async fn a_hold_that_is_over_is_in_nobodys_way() {
    let shop = shop().await;
    let bag = shop.product("BAG", 5).await;
    for round in 0..3 {
        let order = held(&shop, &[(&bag, 5)]).await;
        // Its timer has seen it, so that whoever is refused knows of it.
        eventually("the timer knows the hold", || async { shop.app.holds.next_end().is_some() }).await;
        shop.advance(LONG + Duration::from_secs(1));
        match round {
            0 => drop(shop.cart(&[(&bag, 5)]).await),
            1 => {
                let other = held(&shop, &[(&bag, 5)]).await;
                shop.cancel(&other).await;
            }
            _ => {
                let adjusted = shop.adjust(&bag, "ALLOCATE", 5).await;
                assert!(codes(&adjusted).is_empty(), "{adjusted}");
            }
        }
        assert_eq!(reasons(&shop, &order).await, ["HOLD", "HOLD_EXPIRED"], "round {round}");
    }
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}

/// Many want to hold the last units at the same time, on every replica: as many as there are do, and none is left over.
#[tokio::test]
async fn holds_race_like_payments() {
    const UNITS: i32 = 7;
    const SHOPPERS: usize = 30;
    let shop = shop().await;
    let second = if is_postgres() {
        let holds = HoldSettings { holds: Holds::Requested, hold_time: LONG };
        Some(shop.replica(Wanted { holds, ..Wanted::default() }).await)
    } else {
        None
    };
    let bag = shop.product("BAG", UNITS).await;
    let items = [(bag.as_str(), 1)];
    let carts = futures_util::future::join_all((0..SHOPPERS).map(|_| shop.cart(&items))).await;
    let out = carts.iter().enumerate().map(|(number, cart)| {
        let client: &Shop = if number % 2 == 0 { &shop } else { second.as_ref().unwrap_or(&shop) };
        async move { client.check_out_with(json!({ "cartId": cart, "hold": true })).await }
    });
    let payloads = futures_util::future::join_all(out).await;
    let winners = payloads.iter().filter(|payload| codes(payload).is_empty()).count();
    assert_eq!(winners, usize::try_from(UNITS).expect("few"));
    assert!(payloads.iter().all(|payload| codes(payload).is_empty() || codes(payload) == ["INSUFFICIENT_STOCK"]));
    assert_eq!(stock(&shop, &bag).await, [7, 7, 7, 0]);
    shop.advance(LONG + Duration::from_secs(1));
    eventually("all holds end", || async { stock(&shop, &bag).await == [7, 0, 0, 7] }).await;
    assert_eq!(shop.log(&bag).await.len(), 1 + 2 * winners, "each ended once");
    if let Some(second) = second {
        assert_eq!(second.close().await.differences, Vec::<String>::new());
    }
    assert_eq!(shop.close().await.differences, Vec::<String>::new());
}
