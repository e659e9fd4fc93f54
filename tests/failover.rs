//! A failover: nothing is ever read from a standby, nobody is sent there meanwhile, and service goes on by itself when the
//! address leads to a primary again. On SQLite there is none.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::cluster::{Cluster, run};
use crate::support::{Place, Shop, Socket, eventually};

const READ: &str = "query($id: ID!) { stock(productId: $id) { total } }";
const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }";
const RECEIVE: &str = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) \
    { stocks { total } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_server_is_left_and_a_promoted_one_is_found() {
    let Some(cluster) = Cluster::start("") else { return };
    let url = cluster.url("postgres");
    let shop = Shop::open_by(Place::of(&url), &url).await;
    let mug = shop.product("MUG", 5).await;
    let id = json!({ "id": mug });
    let ready = async || {
        let answer = shop.client().get(format!("{}/health/ready", shop.url)).send().await;
        answer.expect("an answer").status()
    };
    for round in 0..2 {
        cluster.stop("fast");
        run(cluster.tool("touch").arg(cluster.data().join("standby.signal")));
        cluster.resume();
        for _ in 0..3 {
            let (read, write) = tokio::join!(shop.code(READ, id.clone()), shop.code(RECEIVE, id.clone()));
            assert_eq!((read.as_str(), write.as_str()), ("UNAVAILABLE", "UNAVAILABLE"), "it is a standby");
        }
        eventually("nobody is sent here", || async { ready().await == StatusCode::SERVICE_UNAVAILABLE }).await;

        run(cluster.program("pg_ctl").arg("-D").arg(cluster.data()).args(["-w", "promote"]));
        eventually("it takes changes", || async { shop.ask(RECEIVE, id.clone()).await.get("errors").is_none() }).await;
        eventually("it is ready", || async { ready().await == StatusCode::OK }).await;
        let stored = 6 + round;
        assert_eq!(shop.stock(&mug).await, (stored, 0, stored), "what was refused was not done later");
        let mut badge = Socket::open(&shop).await;
        badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(badge.data("badge").await["stockChanged"]["total"], stored);
    }
    shop.close().await;
}
