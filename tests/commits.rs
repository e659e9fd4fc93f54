//! A commit whose answer is lost, on PostgreSQL: what is asked for happens once, also while the first transaction is
//! still alive and nobody can know how it will end. What is asked for here would happen twice if it were tried again.
//! A file has no network in between; there the calls themselves fail.

use std::time::Duration;

use onhand::faults::{Point, When, fail_calls, hold};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::json;
use tokio::time::timeout;

use crate::support::cluster::Cluster;
use crate::support::{Client, PATIENCE, Place, Proxy, Shop, Socket, codes, eventually, is_postgres};

const STOCK: &str = "subscription($id: ID!) { stockChanged(productIds: [$id]) { total version } }";

/// How long the first transaction stays alive: longer than a look-up waits for it, less than it is looked up.
const ALIVE: Duration = Duration::from_millis(1_500);

/// How long a transaction stays alive whose outcome is given up.
const LONGER_THAN_ANYBODY_WAITS: Duration = Duration::from_secs(9);

const RECEIVE: &str = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) \
    { stocks { total } } }";

async fn receive(shop: &Client, product: &str, total: i64) {
    let payload = shop.adjust(product, "INCREMENT", 1).await;
    assert!(codes(&payload).is_empty(), "{payload}");
    assert_eq!(payload["stocks"][0]["total"], total, "it happened, and once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_received_while_its_commit_is_in_the_air_is_received_once() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 0).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "id": mug })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let ways: [&dyn Fn(&Proxy); 4] = [
        &|proxy| proxy.delay_commit(ALIVE),
        &|proxy| proxy.lose_answer_of_commit(),
        &|proxy| proxy.lose_commit(),
        &|proxy| proxy.delay_commit(ALIVE),
    ];
    for (total, lose) in (1..).zip(ways) {
        lose(&proxy);
        receive(&shop, &mug, total).await;
        assert!(proxy.has_lost_answer(), "way {total}");
        assert_eq!(shop.stock(&mug).await.0, total, "way {total}");
        assert_eq!(i64::try_from(shop.log(&mug).await.len()), Ok(total + 1), "way {total}");
        let told = badge.data("badge").await["stockChanged"].take();
        assert_eq!(told, json!({ "total": total, "version": total + 1 }), "and is told once");
    }
    shop.close().await;
}

/// Nobody can tell how it ended: whoever asked is told so, what waits behind it is not executed before that is known, and
/// what was committed after all is told to those who watch.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_for_long_is_answered_as_unknown_and_happens_at_most_once() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 0).await;
    proxy.delay_commit(LONGER_THAN_ANYBODY_WAITS);
    assert_eq!(shop.code(RECEIVE, json!({ "id": mug })).await, "TIMEOUT", "it may yet happen");
    eventually("the writer works again", async || {
        shop.ask(RECEIVE, json!({ "id": mug })).await.get("errors").is_none()
    })
    .await;
    // The first was ended by the server, or barred by the look-up: it never happens after that.
    let total = shop.stock(&mug).await.0;
    assert_eq!((total, shop.log(&mug).await.len()), (1, 2));
    receive(&shop, &mug, 2).await;
    assert_eq!(shop.log(&mug).await.len(), 3);
    shop.close().await;
}

/// It was committed, and its answer swallowed for longer than anybody waits: subscribers hear of it all the same, as soon as it
/// is found and not when the feed finds it, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_found_late_is_told_to_those_who_watch() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 0).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "id": mug })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let mut feed = hold(Point::FeedRead, None);
    timeout(PATIENCE, feed.reached()).await.expect("it polls");
    proxy.swallow_answer_of_commit();
    // Every look-up fails, until the network is mended.
    let (answer, ()) = tokio::join!(shop.code(RECEIVE, json!({ "id": mug })), async {
        eventually("the commit went through", async || proxy.has_lost_answer()).await;
        proxy.cut();
    });
    assert_eq!(answer, "TIMEOUT");
    proxy.mend();
    assert_eq!(badge.data("badge").await["stockChanged"], json!({ "total": 1, "version": 2 }), "it was committed");
    feed.release();
    eventually("the writer works again", async || {
        shop.ask(RECEIVE, json!({ "id": mug })).await.get("errors").is_none()
    })
    .await;
    assert_eq!(
        badge.data("badge").await["stockChanged"],
        json!({ "total": 2, "version": 3 }),
        "and the next is one more"
    );
    assert_eq!(shop.log(&mug).await.len(), 3);
    shop.close().await;
}

/// The same in a file, of which there is no feed.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_found_late_in_a_file_is_told_to_those_who_watch() {
    if is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "id": mug })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let mut saved = hold(Point::WriterSaved, None);
    let asking = tokio::spawn({
        let (client, mug) = (Client::clone(&shop), mug.clone());
        async move { client.code(RECEIVE, json!({ "id": mug })).await }
    });
    timeout(PATIENCE, saved.reached()).await.expect("it is about to commit");
    // The answer to the commit is lost, and every look-up fails.
    let plan = fail_calls(When::After);
    let mut unresolved = hold(Point::WriterUnresolved, None);
    saved.release();
    assert_eq!(asking.await.expect("no panic"), "TIMEOUT");
    // Whoever asked has gone, and it is still looked up in vain.
    timeout(PATIENCE, unresolved.reached()).await.expect("it is looked up again");
    unresolved.release();
    drop(plan);
    assert_eq!(badge.data("badge").await["stockChanged"], json!({ "total": 1, "version": 2 }), "it was committed");
    receive(&shop, &mug, 2).await;
    assert_eq!(badge.data("badge").await["stockChanged"], json!({ "total": 2, "version": 3 }), "the next is one more");
    shop.close().await;
}

/// A primary that comes back from a crash shows commits for which it was still waiting for a synchronous standby. They are
/// no answer: when the standby takes over, they are gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_standby_has_is_not_acknowledged_after_a_crash() {
    let Some(cluster) = Cluster::start("") else { return };
    let url = cluster.url("postgres");
    let shop = Shop::open_by(Place::of(&url), &url).await;
    let mug = shop.product("MUG", 0).await;
    let key = json!({ "input": { "idempotencyKey": "once", "changes": [{ "productId": mug, "action": "INCREMENT", "quantity": 1 }] } });
    let receive = "mutation($input: AdjustStockInput!) { adjustStock(input: $input) { stocks { total } } }";
    set(&url, &["ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"]).await;

    let asking = tokio::spawn({
        let (client, key) = (Client::clone(&shop), key.clone());
        async move { client.ask(receive, key).await }
    });
    eventually("its commit waits for the standby", || async {
        set(&url, &["SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"]).await > 0
    })
    .await;
    cluster.stop("immediate");
    cluster.resume();
    assert_eq!(asking.await.expect("no panic")["errors"][0]["extensions"]["code"], "TIMEOUT", "no standby has it");
    let count = json!({ "input": { "changes": [{ "productId": mug, "action": "SET", "quantity": 1 }] } });
    for input in [&key, &count] {
        let again = shop.ask(receive, input.clone()).await;
        assert!(again.get("errors").is_some(), "and whoever asks again is not told that it is there: {again}");
    }

    set(&url, &["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"]).await;
    eventually("the shop goes on", || async { shop.ask(receive, key.clone()).await.get("errors").is_none() }).await;
    assert_eq!(shop.stock(&mug).await, (1, 0, 1), "it happened once");
    shop.close().await;
}

/// Runs statements, each by itself; how many rows the last one found.
async fn set(url: &str, statements: &[&str]) -> usize {
    let db = Database::connect(url).await.expect("the database");
    let mut found = 0;
    for statement in statements {
        let statement = Statement::from_string(db.get_database_backend(), *statement);
        found = db.query_all_raw(statement).await.expect("rows").len();
    }
    db.close().await.expect("an end");
    found
}
