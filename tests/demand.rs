//! `Stock.demand`: units in open carts and in unpaid orders, whoever moves them there and away again.

use std::sync::Arc;
use std::time::Duration;

use domain::id::ProductId;
use domain::stock::PublicStock;
use entity::{cart_item, stock_demand};
use futures_util::future::join_all;
use onhand::config::Role;
use onhand::database::migrate;
use onhand::writer::Prune;
use onhand::writer::retention::{self, Lifetimes};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Shop, Wanted, codes, eventually, is_postgres, paid, short_times};

const DEMAND: &str = "query($id: ID!) { stock(productId: $id) { demand { inCarts inUnpaidOrders } } }";

/// Units in carts and in unpaid orders.
async fn demand(shop: &Shop, product: &str) -> (i64, i64) {
    let data = shop.data(DEMAND, json!({ "id": product })).await;
    let demand = &data["stock"]["demand"];
    let count = |name: &str| demand[name].as_i64().unwrap_or_else(|| panic!("{data}"));
    (count("inCarts"), count("inUnpaidOrders"))
}

async fn round(shop: &Shop, open_cart: Duration) {
    let by = (&shop.app.writer, &shop.app.store);
    let lifetimes = Lifetimes::with_carts(open_cart);
    retention::round(by, &shop.app.clock, &lifetimes, &CancellationToken::new()).await.expect("a round");
}

#[tokio::test]
async fn demand_follows_units_from_cart_to_payment() {
    let shop = Shop::open_with(short_times()).await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    assert_eq!(demand(&shop, &mug).await, (0, 0));
    let cart = shop.cart(&[(&mug, 3), (&cup, 1)]).await;
    let other = shop.cart(&[(&mug, 9)]).await;
    assert_eq!(demand(&shop, &mug).await, (12, 0), "more than there are");
    shop.add_to_cart(&cart, &[(&mug, 2)]).await;
    shop.update_cart(&cart, &[(&cup, 0)]).await;
    assert_eq!(codes(&shop.add_to_cart(&cart, &[(&mug, 9)]).await), ["INSUFFICIENT_STOCK"]);
    assert_eq!((demand(&shop, &mug).await, demand(&shop, &cup).await), ((14, 0), (0, 0)));
    let order = shop.check_out(&cart).await["order"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(demand(&shop, &mug).await, (9, 5), "from a cart into an order");
    assert_eq!(shop.pay_sandbox(&order, "decline").await, paid("DECLINED", "UNPAID", &["PAYMENT_DECLINED"]));
    assert_eq!(demand(&shop, &mug).await, (9, 5), "wanted as before");
    assert_eq!(shop.stock(&mug).await, (10, 0, 10));
    assert_eq!(shop.pay_sandbox(&order, "succeed").await, paid("SUCCEEDED", "PAID", &[]));
    assert_eq!(demand(&shop, &mug).await, (9, 0), "what is paid is allocated");
    shop.cancel(&order).await;
    assert_eq!(demand(&shop, &mug).await, (9, 0), "a cancelled order wants nothing");
    let cancelled = shop.order(&[(&mug, 2)]).await;
    assert_eq!(demand(&shop, &mug).await, (9, 2));
    shop.cancel(&cancelled).await;
    assert_eq!(demand(&shop, &mug).await, (9, 0));
    shop.advance(Duration::from_mins(1));
    round(&shop, Duration::from_secs(30)).await;
    assert_eq!(shop.read_cart(&other).await["status"], "EXPIRED");
    assert_eq!(demand(&shop, &mug).await, (0, 0), "nor does an expired cart");
    shop.close().await;
}

/// While the outcome of a payment is open its units are allocated, and counted once.
#[tokio::test]
async fn units_that_are_being_paid_are_allocated_and_not_wanted() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let order = shop.order(&[(&mug, 4)]).await;
    let pay = json!({ "orderId": order, "gateway": "sandbox", "token": "error:declined" });
    assert_eq!(shop.pay_with(pay).await["payment"]["status"], "IN_PROGRESS");
    assert_eq!((demand(&shop, &mug).await, shop.stock(&mug).await), ((0, 0), (10, 4, 6)));
    shop.advance(crate::support::patient_times().pay_lease);
    eventually("recovery settles it", async || shop.read_order(&order).await["payment"] == "UNPAID").await;
    assert_eq!((demand(&shop, &mug).await, shop.stock(&mug).await), ((0, 4), (10, 0, 10)));
    shop.close().await;
}

/// A product whose stock is not managed is wanted like any other.
#[tokio::test]
async fn products_that_are_not_managed_count() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 1).await;
    let read = "query($id: ID!) { stock(productId: $id) { id } }";
    let stock = shop.data(read, json!({ "id": mug })).await["stock"]["id"].take();
    shop.update_product(json!({ "id": mug, "manageStock": false })).await;
    shop.cart(&[(&mug, 500)]).await;
    shop.order(&[(&mug, 40)]).await;
    let query = "query($id: ID!) { node(id: $id) { ... on Stock { demand { inCarts inUnpaidOrders } } } }";
    let told = shop.data(query, json!({ "id": stock })).await;
    assert_eq!(told["node"]["demand"], json!({ "inCarts": 500, "inUnpaidOrders": 40 }));
    shop.close().await;
}

#[tokio::test]
async fn who_sees_capped_counts_sees_no_demand() {
    let shop = Shop::open_public(PublicStock::Capped(5)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 10).await;
    shop.cart(&[(&mug, 2)]).await;
    assert_eq!(shop.data(DEMAND, json!({ "id": mug })).await["stock"]["demand"], Value::Null);
    let seen = staff.data(DEMAND, json!({ "id": mug })).await;
    assert_eq!(seen["stock"]["demand"]["inCarts"], 2);
    shop.close().await;
}

/// Shoppers at every replica fill, empty and check out carts of the same products while upkeep merges: no unit is lost or
/// counted twice, as `verify` sees at the end.
#[tokio::test(flavor = "multi_thread")]
async fn demand_adds_up_whoever_writes_at_the_same_time() {
    let shop = Arc::new(Shop::open().await);
    let other = if is_postgres() { Some(Arc::new(shop.replica(Wanted::default()).await)) } else { None };
    let products = [shop.product("A", 1_000).await, shop.product("B", 1_000).await, shop.product("C", 1_000).await];
    let shoppers = (0..12).map(|shopper| {
        let shop = if shopper % 2 == 0 { &shop } else { other.as_ref().unwrap_or(&shop) };
        let (shop, products) = (Arc::clone(shop), products.clone());
        tokio::spawn(async move {
            for turn in 0..12 {
                let [first, second, third] = [0, 1, 2].map(|at| products[(at + shopper + turn) % 3].as_str());
                let cart = shop.cart(&[(first, 2), (second, 1)]).await;
                shop.update_cart(&cart, &[(first, 1), (third, 3)]).await;
                if turn % 3 > 0 {
                    let order = shop.check_out(&cart).await["order"]["id"].as_str().expect("an id").to_owned();
                    match turn % 4 {
                        0 => drop(shop.cancel(&order).await),
                        1 => drop(shop.pay(&order).await),
                        2 => drop(shop.pay_sandbox(&order, "decline").await),
                        _ => {}
                    }
                }
                if turn % 5 == 0 {
                    round(&shop, Duration::from_hours(1)).await;
                }
            }
        })
    });
    for shopper in join_all(shoppers).await {
        shopper.expect("no panic");
    }
    // Each shopper leaves four carts open, with five units each.
    let mut sum = 0;
    for product in &products {
        sum += demand(&shop, product).await.0;
    }
    assert_eq!(sum, 12 * 4 * 5);
    round(&shop, Duration::from_hours(1)).await;
    let rows = stock_demand::Entity::find().count(shop.database()).await.expect("a count");
    assert_eq!(rows, 3, "a row for each product");
    shop.verify().await;
    if let Some(other) = other {
        Arc::try_unwrap(other).unwrap_or_else(|_| panic!("everybody is done")).close().await;
    }
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}

/// A cart that somebody has written past the counting is a difference.
#[tokio::test]
async fn verify_counts_again() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    let cart = shop.cart(&[(&mug, 1)]).await;
    let (cart_id, product_id) =
        (cart.parse::<domain::id::CartId>().expect("an id").0, cup.parse::<ProductId>().expect("an id").0);
    let item = cart_item::Model { cart_id, product_id, line: 1, quantity: 3 };
    item.into_active_model().insert(shop.database()).await.expect("a row");
    let report = onhand::cli::verify::verify(&shop.databases().read, false).await.expect("a report");
    let expected = format!("{cup}: 0 units in carts and 0 in unpaid orders are counted, there are 3 and 0");
    assert_eq!(report.differences, [expected]);
    let counted = stock_demand::Model { product_id, batch: Uuid::new_v4(), in_carts: 3, in_unpaid_orders: 0 };
    counted.into_active_model().insert(shop.database()).await.expect("a row");
    shop.close().await;
}

/// The migration counts what a shop of the release before has in its carts and orders; done again, it counts nothing twice.
#[tokio::test]
async fn a_migrated_shop_has_the_demand_that_was_there() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    shop.cart(&[(&mug, 3)]).await;
    shop.order(&[(&mug, 2)]).await;
    let paid = shop.order(&[(&mug, 1)]).await;
    shop.pay(&paid).await;
    let db = shop.database();
    for with_table in [false, true] {
        if !with_table {
            db.execute_unprepared("DROP TABLE stock_demand").await.expect("done");
        }
        for statement in [
            "DROP INDEX order_item_held",
            "DROP INDEX order_unpaid",
            "DELETE FROM seaql_migrations WHERE version = 'm20261128_000014_demand'",
        ] {
            db.execute_unprepared(statement).await.expect(statement);
        }
        migrate(shop.databases()).await.expect("a migration");
        assert_eq!(demand(&shop, &mug).await, (3, 2));
    }
    shop.close().await;
}

/// What an older replica, which does not count, has written is put right, once, however many recount it at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_replica_has_written_is_recounted() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let other = shop.replica(Wanted::default()).await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    shop.cart(&[(&mug, 3), (&cup, 1)]).await;
    shop.order(&[(&mug, 2)]).await;
    // As if neither had been counted, and units of one that is gone had.
    let statement = format!(
        "UPDATE stock_demand SET in_carts = CASE product_id WHEN '{}' THEN 7 ELSE 0 END, in_unpaid_orders = 0",
        cup.parse::<ProductId>().expect("an id").0
    );
    shop.database().execute_unprepared(&statement).await.expect("done");
    let recounts = (0..8).map(|number| {
        let writer = if number % 2 == 0 { &shop.app.writer } else { &other.app.writer };
        writer.prune(Prune::RecountDemand)
    });
    for recounted in join_all(recounts).await {
        recounted.expect("a recount");
    }
    assert_eq!((demand(&shop, &mug).await, demand(&shop, &cup).await), ((3, 2), (1, 0)));
    other.close().await;
    shop.close().await;
}
