//! Connections to PostgreSQL over which nothing comes any more, as behind a firewall that forgot them: nobody waits for
//! one without a bound. A file is always there.

use serde_json::json;

use crate::support::{Shop, Socket, Wanted, eventually, short_times};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { available version } }";
const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { payment } }";
const CHANGE: &str = "mutation($id: ID!, $key: String!) { adjustStock(input: { idempotencyKey: $key, changes: [{ productId: $id, \
    action: INCREMENT, quantity: 1 }] }) { userErrors { code } } }";
const READ: &str = "{ products { nodes { id } } }";

/// One connection after the other falls silent, each of another kind: whatever waits for it gives it up, and goes on with a
/// new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_freezes_nothing() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let other = shop.replica(Wanted { times: short_times(), ..Wanted::default() }).await;
    let mug = shop.product("MUG", 50).await;
    for name in ["onhand feed", "onhand listener", "onhand errands", "onhand reader"] {
        let order = shop.order_of(&mug).await;
        let mut sockets = Vec::new();
        for shop in [&shop, &other] {
            let mut badge = Socket::open(shop).await;
            badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
            let version = badge.data("badge").await["stockChanged"]["version"].as_i64().expect("a version");
            let mut orders = Socket::open(shop).await;
            orders.subscribe("order", ORDER, json!({ "id": order })).await;
            assert_eq!(orders.data("order").await["orderChanged"]["payment"], "UNPAID");
            sockets.push((badge, version, orders));
        }
        // Those that are made when they are needed are there by now.
        eventually(name, || async { proxy.silence(name) > 0 }).await;
        assert_eq!(other.pay(&order).await.order, "PAID");
        // Its answer is read back over a connection that may be silent.
        let change = json!({ "id": mug, "key": name });
        eventually("a change is answered", || async {
            shop.ask(CHANGE, change.clone()).await["data"]["adjustStock"]["userErrors"] == json!([])
        })
        .await;
        for (badge, version, orders) in &mut sockets {
            let mut shown = *version;
            while shown < *version + 2 {
                shown = badge.data("badge").await["stockChanged"]["version"].as_i64().expect("a version");
            }
            while orders.data("order").await["orderChanged"]["payment"] != "PAID" {}
        }
        eventually("queries are answered", || async { shop.ask(READ, json!({})).await.get("errors").is_none() }).await;
    }
    // Recovery looks for open payments over the same connections.
    let order = shop.order_of(&mug).await;
    let pay = json!({ "orderId": order, "gateway": "sandbox", "token": "never:charged" });
    assert_eq!(other.pay_with(pay).await["order"]["payment"], "IN_PROGRESS");
    other.close().await;
    proxy.silence("onhand reader");
    eventually("recovery goes on", || async {
        let query = "query($id: ID!) { order(id: $id) { payment } }";
        shop.ask(query, json!({ "id": order })).await["data"]["order"]["payment"] == "PAID"
    })
    .await;
    shop.close().await;
}

/// A replica whose subscribers hear nothing of the others is not ready, although the database answers it.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_late_is_told() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let ready = async || {
        let answer = shop.client().get(format!("{}/health/ready", shop.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(ready().await, (200, "ready\n".to_owned()));
    proxy.silence_all(Some("onhand feed"));
    let late = (503, "the feed between replicas is late\n".to_owned());
    eventually("it is not ready", || async { ready().await == late }).await;
    let metrics = shop.client().get(format!("{}/metrics", shop.url)).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let age = metrics.lines().find_map(|line| line.strip_prefix("onhand_feed_age_seconds "));
    assert!(age.and_then(|age| age.parse::<f64>().ok()).is_some_and(|age| age > 10.0), "{age:?}");
    proxy.silence_all(None);
    eventually("it is ready again", || async { ready().await.0 == 200 }).await;
    shop.close().await;
}
