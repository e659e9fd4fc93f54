//! Who gets the units when more are wanted than there are.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{all_pages, charges, open, statuses};
use crate::support::{codes, paid};

// C01, with 50 rounds.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_that_exceed_the_stock_together_one_is_paid() {
    const ROUNDS: u64 = 50;
    let shop = open().await;
    let (won, lost) = (paid("SUCCEEDED", "PAID", &[]), paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    for round in 0..ROUNDS {
        let sofa = shop.product(&format!("SOFA-{round}"), 10).await;
        let (seven, six) = (shop.order(&[(&sofa, 7)]).await, shop.order(&[(&sofa, 6)]).await);
        let both = tokio::join!(shop.pay_sandbox(&seven, "succeed"), shop.pay_sandbox(&six, "succeed"));
        let allocated = match both {
            (first, second) if first == won && second == lost => 7,
            (first, second) if first == lost && second == won => 6,
            other => panic!("{other:?}"),
        };
        assert_eq!(shop.stock(&sofa).await, (10, allocated, 10 - allocated));
    }
    assert_eq!(charges(&shop).await, ROUNDS, "no loser was charged");
    shop.close().await;
}

// C02
#[tokio::test(flavor = "multi_thread")]
async fn the_last_item_is_sold_once() {
    const BUYERS: usize = 50;
    let shop = open().await;
    let vase = shop.product("VASE", 1).await;
    let items = [(vase.as_str(), 1)];
    let orders = join_all((0..BUYERS).map(|_| shop.order(&items))).await;
    let answers = join_all(orders.iter().map(|order| shop.pay_sandbox(order, "succeed"))).await;
    let count = |right| answers.iter().filter(|answer| **answer == right).count();
    assert_eq!(count(paid("SUCCEEDED", "PAID", &[])), 1);
    assert_eq!(count(paid("-", "UNPAID", &["INSUFFICIENT_STOCK"])), BUYERS - 1);
    assert_eq!(charges(&shop).await, 1);
    assert_eq!(shop.stock(&vase).await, (1, 1, 0));
    assert_eq!(shop.log(&vase).await, ["CREATE 1", "ALLOCATE 1"]);
    shop.close().await;
}

// C03
#[tokio::test]
async fn an_old_order_is_refused_while_sold_out_and_paid_when_goods_came_in() {
    let shop = open().await;
    let lamp = shop.product("LAMP", 20).await;
    let early = shop.order(&[(&lamp, 5)]).await;
    let late = shop.order(&[(&lamp, 20)]).await;
    assert_eq!(shop.pay(&late).await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.pay_sandbox(&early, "succeed").await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
    assert_eq!(charges(&shop).await, 0);
    assert_eq!(statuses(&shop, &early).await, ["INCOMPLETE", "UNPAID", "UNFULFILLED"]);
    shop.adjust(&lamp, "INCREMENT", 5).await;
    assert_eq!(shop.pay_sandbox(&early, "succeed").await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(shop.stock(&lamp).await, (25, 25, 0));
    shop.close().await;
}

// C04
#[tokio::test]
async fn units_that_left_after_the_check_out_cannot_be_paid() {
    let shop = open().await;
    for (action, quantity, stock) in
        [("DECREMENT", 2, (0, 0, 0)), ("DECREMENT", 1, (1, 0, 1)), ("SET", 0, (0, 0, 0)), ("ALLOCATE", 1, (2, 1, 1))]
    {
        let book = shop.product(&format!("BOOK-{action}-{quantity}"), 2).await;
        let order = shop.order(&[(&book, 2)]).await;
        assert_eq!(codes(&shop.adjust(&book, action, quantity).await), [""; 0]);
        let log = shop.log(&book).await;
        let refused = shop.pay_with(json!({ "orderId": order, "gateway": "sandbox" })).await;
        assert_eq!(codes(&refused), ["INSUFFICIENT_STOCK"], "{action} {quantity}");
        assert_eq!(refused["userErrors"][0]["field"], json!(null), "neither product nor count is told");
        assert_eq!(refused["order"]["payments"], json!([]));
        assert_eq!((shop.stock(&book).await, shop.log(&book).await), (stock, log));
    }
    assert_eq!(charges(&shop).await, 0);
    shop.close().await;
}

// C07, with 4 clients of 25 pairs, among hands that count the same products in the opposite order.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_name_products_in_opposite_order_never_block_each_other() {
    const PAIRS: i32 = 25;
    let shop = open().await;
    let (a, b) = (shop.product("A", 1_000).await, shop.product("B", 1_000).await);
    let (ab, ba) = ([(a.as_str(), 1), (b.as_str(), 1)], [(b.as_str(), 1), (a.as_str(), 1)]);
    let change = |product: &str| json!({ "productId": product, "action": "INCREMENT", "quantity": 1 });
    let client = |_| async {
        for _ in 0..PAIRS {
            let (first, second) = (shop.order(&ab).await, shop.order(&ba).await);
            let counted = json!({ "changes": [change(&b), change(&a)] });
            let both = tokio::join!(shop.pay(&first), shop.pay(&second), shop.adjust_all(counted));
            let right = paid("SUCCEEDED", "PAID", &[]);
            assert_eq!((&both.0, &both.1, codes(&both.2).len()), (&right, &right, 0));
        }
    };
    join_all((0..4).map(client)).await;
    assert_eq!(shop.stock(&a).await, (1_100, 200, 900));
    assert_eq!(shop.stock(&b).await, (1_100, 200, 900));
    shop.close().await;
}

// C08
#[tokio::test]
async fn an_order_gets_all_of_its_units_or_none() {
    let shop = open().await;
    let (a, b) = (shop.product("A", 5).await, shop.product("B", 1).await);
    let orders = [shop.order(&[(&a, 1), (&b, 1)]).await, shop.order(&[(&b, 1), (&a, 1)]).await];
    shop.adjust(&b, "DECREMENT", 1).await;
    for order in &orders {
        assert_eq!(shop.pay(order).await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
        let items = shop.read_order(order).await["items"].take();
        assert!(items.as_array().expect("items").iter().all(|item| item["allocatedQuantity"] == 0), "{items}");
    }
    assert_eq!((shop.stock(&a).await, shop.stock(&b).await), ((5, 0, 5), (0, 0, 0)));
    assert_eq!(shop.log(&a).await, ["CREATE 5"], "not even for a moment");
    shop.close().await;
}

// C09
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_have_a_thousand_allocations() {
    const ORDERS: usize = 1_000;
    const CLIENTS: usize = 64;
    let shop = open().await;
    let nail = shop.product("NAIL", 1_000).await;
    let buy = |_| async { shop.pay(&shop.order(&[(&nail, 1)]).await).await };
    let answers: Vec<_> = stream::iter(0..ORDERS).map(buy).buffer_unordered(CLIENTS).collect().await;
    assert_eq!(answers, vec![paid("SUCCEEDED", "PAID", &[]); ORDERS]);
    assert_eq!(shop.stock(&nail).await, (1_000, 1_000, 0));
    let rows: Vec<_> = all_pages(&shop, "stockTransactions", 100).await.concat();
    assert_eq!(rows.len(), 1 + ORDERS, "CREATE, and an ALLOCATE for each");
    let report = shop.close().await;
    assert_eq!((report.orders, report.transactions), (1_000, 1_001));
}
