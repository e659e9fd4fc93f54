//! Many at once: whoever pays first wins, and never more is paid for than there is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{Paid, Shop, codes, paid};

/// Pays all of these orders at once and returns how each ended.
async fn pay_all(shop: &Arc<Shop>, orders: &[String]) -> Vec<Paid> {
    let buyers = orders.iter().cloned().map(|order| {
        let shop = Arc::clone(shop);
        tokio::spawn(async move { shop.pay(&order).await })
    });
    join_all(buyers).await.into_iter().map(|end| end.expect("no panic")).collect()
}

async fn orders_of_one(shop: &Shop, product: &str, count: usize) -> Vec<String> {
    join_all((0..count).map(|_| async { shop.order(&[(product, 1)]).await })).await
}

fn close(shop: Arc<Shop>) -> Shop {
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_buyers_and_one_unit_make_one_sale() {
    let shop = Arc::new(Shop::open().await);
    for round in 0..15 {
        let product = shop.product(&format!("LAST-{round}"), 1).await;
        let orders = orders_of_one(&shop, &product, 64).await;
        let ends = pay_all(&shop, &orders).await;
        let sold = ends.iter().filter(|end| **end == paid("SUCCEEDED", "PAID", &[])).count();
        let refused = ends.iter().filter(|end| **end == paid("-", "UNPAID", &["INSUFFICIENT_STOCK"])).count();
        assert_eq!((sold, refused), (1, 63), "round {round}: {ends:?}");
        assert_eq!(shop.stock(&product).await, (1, 1, 0));
    }
    close(shop).close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m_units_and_n_buyers_make_m_sales() {
    let shop = Arc::new(Shop::open().await);
    for (units, buyers) in [(7, 50), (50, 50), (50, 20), (0, 0)] {
        let product = shop.product(&format!("M{units}-N{buyers}"), units).await;
        let orders = orders_of_one(&shop, &product, buyers).await;
        let ends = pay_all(&shop, &orders).await;
        let sold = ends.iter().filter(|end| end.order == "PAID").count();
        let units = usize::try_from(units).expect("a count");
        assert_eq!(sold, units.min(buyers), "{units} units, {buyers} buyers");
    }
    close(shop).close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_cancel_ship_and_adjust_on_one_order_leave_one_truth() {
    let shop = Arc::new(Shop::open().await);
    for round in 0..40 {
        let product = shop.product(&format!("R-{round}"), 3).await;
        let order = shop.order(&[(&product, 2)]).await;
        let (pay, cancel) = (Arc::clone(&shop), Arc::clone(&shop));
        let (ship, adjust) = (Arc::clone(&shop), Arc::clone(&shop));
        let id = order.clone();
        let pay = tokio::spawn(async move { pay.pay_sandbox(&id, &format!("delay:{}", round % 5)).await });
        let id = order.clone();
        let cancel = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(round % 7)).await;
            codes(&cancel.cancel(&id).await).len()
        });
        let id = order.clone();
        let ship = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(round % 4)).await;
            codes(&ship.ship(&id).await).len()
        });
        let id = product.clone();
        let adjust = tokio::spawn(async move { codes(&adjust.adjust(&id, "DECREMENT", 2).await).len() });
        let paid = pay.await.expect("no panic").order == "PAID";
        let (cancelled, shipped) = (cancel.await.expect("no panic") == 0, ship.await.expect("no panic") == 0);
        let adjusted = adjust.await.expect("no panic") == 0;
        assert!(!(cancelled && shipped), "an order is cancelled or shipped, never both");
        assert!(paid || !shipped, "nothing leaves unpaid");
        let total = 3 - if adjusted { 2 } else { 0 } - if shipped { 2 } else { 0 };
        let held = if paid && !cancelled && !shipped { 2 } else { 0 };
        assert_eq!(shop.stock(&product).await, (total, held, total - held), "round {round}");
    }
    close(shop).close().await;
}

/// The four implications of an order flow in which only paying takes stock.
mod implications {
    use super::*;

    #[tokio::test]
    async fn carts_may_hold_more_than_there_is() {
        let shop = Shop::open().await;
        let mug = shop.product("MUG", 3).await;
        for _ in 0..4 {
            shop.cart(&[(&mug, 3)]).await;
        }
        assert_eq!(shop.stock(&mug).await, (3, 0, 3));
        shop.close().await;
    }

    #[tokio::test]
    async fn unpaid_orders_may_add_up_to_more_than_there_is() {
        let shop = Shop::open().await;
        let mug = shop.product("MUG", 3).await;
        for _ in 0..4 {
            shop.order(&[(&mug, 3)]).await;
        }
        assert_eq!(shop.stock(&mug).await, (3, 0, 3));
        assert_eq!(shop.log(&mug).await, ["CREATE 3"]);
        shop.close().await;
    }

    #[tokio::test]
    async fn never_more_is_paid_for_than_there_is() {
        let shop = Shop::open().await;
        let mug = shop.product("MUG", 5).await;
        let (first, second) = (shop.order(&[(&mug, 3)]).await, shop.order(&[(&mug, 3)]).await);
        assert_eq!(shop.pay(&first).await, paid("SUCCEEDED", "PAID", &[]));
        assert_eq!(shop.pay(&second).await, paid("-", "UNPAID", &["INSUFFICIENT_STOCK"]));
        assert_eq!(shop.stock(&mug).await, (5, 3, 2));
        shop.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_pays_first_wins() {
        let shop = Arc::new(Shop::open().await);
        let mug = shop.product("MUG", 1).await;
        let orders = orders_of_one(&shop, &mug, 2).await;
        let mut ends = pay_all(&shop, &orders).await;
        ends.sort_by_key(|end| end.codes.len());
        assert_eq!(ends, [paid("SUCCEEDED", "PAID", &[]), paid("-", "UNPAID", &["INSUFFICIENT_STOCK"])]);
        super::close(shop).close().await;
    }
}
