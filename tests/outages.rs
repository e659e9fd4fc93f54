//! A PostgreSQL that crashes, fails over, or is restored under running replicas: badges end at the last value all the
//! same, and the live log loses nothing, or says that it has to be read anew. On SQLite a restart is a new process.

use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::cluster::{Cluster, run};
use crate::support::{Place, Shop, Socket, Wanted, eventually};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total version } }";
const LOG: &str = "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence } } }";

/// Transactions that are running when the server crashes.
const RUNNING: u32 = 30;

/// Two replicas on a database of this cluster.
async fn replicas(cluster: &Cluster, database: &str) -> [Shop; 2] {
    let url = cluster.url(database);
    let a = Shop::open_by(Place::of(&url), &url).await;
    let b = a.replica(Wanted::default()).await;
    [a, b]
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(RUNNING + 1).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

/// A transaction of somebody else that has a number and has written nothing.
#[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
async fn begin(db: &DatabaseConnection) -> (sea_orm::DatabaseTransaction, i64) {
    let transaction = db.begin().await.expect("a transaction");
    let number = number(&transaction, "SELECT pg_current_xact_id()::text::bigint AS number").await;
    (transaction, number)
}

async fn number(db: &impl ConnectionTrait, query: &str) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let row = db.query_one_raw(statement).await.expect("an answer").expect("a row");
    row.try_get("", "number").expect("a number")
}

/// Watches a product, and the version that it has.
async fn watch(shop: &Shop, product: &str) -> (Socket, i64) {
    let mut badge = Socket::open(shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [product] })).await;
    let version = badge.data("badge").await["stockChanged"]["version"].as_i64().expect("a version");
    (badge, version)
}

/// Reads on until the badge shows this version.
async fn shows(badge: &mut Socket, version: i64) {
    let mut shown = 0;
    while shown != version {
        shown = badge.data("badge").await["stockChanged"]["version"].as_i64().expect("a version");
        assert!(shown <= version, "{shown} is newer than {version}");
    }
}

/// The next row that a follower of the log is told: its number, and its cursor.
async fn added(log: &mut Socket) -> (i64, String) {
    let edge = log.data("log").await["stockTransactionAdded"].take();
    let cursor = edge["cursor"].as_str().expect("a cursor").to_owned();
    (edge["node"]["sequence"].as_i64().expect("a number"), cursor)
}

/// Follows the log from its end, or after a cursor.
async fn follow(shop: &Shop, after: Option<&str>) -> Socket {
    let mut log = Socket::open(shop).await;
    log.subscribe("log", LOG, json!({ "after": after })).await;
    log
}

/// A follower of the log that has been told of the newest row, which is of this product.
async fn follow_from_now(shop: &Shop, product: &str) -> (Socket, i64, String) {
    let mut log = follow(shop, None).await;
    loop {
        let payload = shop.adjust(product, "INCREMENT", 1).await;
        let newest = payload["transactions"][0]["sequence"].as_i64().expect("a number");
        // It follows from when the server has its subscription.
        let Ok(mut told) = timeout(Duration::from_millis(100), added(&mut log)).await else { continue };
        while told.0 < newest {
            told = added(&mut log).await;
        }
        return (log, told.0, told.1);
    }
}

/// Waits until the feed of a replica has looked at the database again.
async fn polls(shop: &Shop) {
    for _ in 0..2 {
        let now = Instant::now();
        eventually("the feed polls", || async { shop.app.feed_age.age().is_some_and(|age| age < now.elapsed()) }).await;
    }
}

/// Receives one unit as soon as the replica can, and once; the version that it led to.
async fn receive(shop: &Shop, product: &str, key: &str) -> i64 {
    let change = "mutation($id: ID!, $key: String!) { adjustStock(input: { idempotencyKey: $key, changes: [{ productId: $id, \
        action: INCREMENT, quantity: 1 }] }) { stocks { version } userErrors { code } } }";
    let variables = json!({ "id": product, "key": key });
    let version = std::sync::Mutex::new(None);
    eventually("the replica takes a change", || async {
        let answer = shop.ask(change, variables.clone()).await;
        *version.lock().expect("no panic") = answer["data"]["adjustStock"]["stocks"][0]["version"].as_i64();
        version.lock().expect("no panic").is_some()
    })
    .await;
    version.into_inner().expect("no panic").expect("a version")
}

/// What is refused when the log is followed after this cursor.
async fn refusal(shop: &Shop, cursor: &str) -> Value {
    let mut log = follow(shop, Some(cursor)).await;
    log.next().await["payload"][0]["extensions"]["code"].take()
}

/// PostgreSQL gives out numbers of transactions again that wrote nothing before a crash. A change by one of those is news.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_right_after_a_crash_is_told_and_the_log_loses_nothing() {
    // With a minimal log nothing tells the next start how far the numbers had come.
    let settings = "-c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off";
    let Some(cluster) = Cluster::start(settings) else { return };
    let [a, b] = replicas(&cluster, "postgres").await;
    let mug = a.product("MUG", 5).await;
    for round in 0..3 {
        let (mut log, sequence, _) = follow_from_now(&b, &mug).await;
        let (mut badge, version) = watch(&b, &mug).await;
        let stranger = connect(&cluster.url("postgres")).await;
        let mut running = vec![begin(&stranger).await];
        a.adjust(&mug, "INCREMENT", 1).await;
        shows(&mut badge, version + 1).await;
        let (told, cursor) = added(&mut log).await;
        assert_eq!(told, sequence + 1);
        // These have numbers above that of the last commit.
        for _ in 0..RUNNING {
            running.push(begin(&stranger).await);
        }
        polls(&b).await;

        cluster.stop("immediate");
        cluster.resume();
        assert_eq!(receive(&a, &mug, &format!("after crash {round}")).await, version + 2);
        let newest = "SELECT xid::text::bigint AS number FROM stock_transaction ORDER BY position DESC LIMIT 1";
        let newest = number(&connect(&cluster.url("postgres")).await, newest).await;
        assert!(running.iter().any(|(_, number)| *number == newest), "{newest} was given out a second time");
        shows(&mut badge, version + 2).await;
        assert_eq!(added(&mut log).await.0, sequence + 2, "who followed goes on");
        let mut again = follow(&b, Some(&cursor)).await;
        assert_eq!(added(&mut again).await.0, sequence + 2, "and so does who comes back");
    }
    a.close().await;
    b.close().await;
}

/// Restores older data under two replicas in each of the usual ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_under_running_replicas_sends_subscribers_to_read_anew() {
    let Some(cluster) = Cluster::start("") else { return };
    let psql = |database: &str, arguments: &[&str]| {
        run(cluster
            .program("psql")
            .args(["-v", "ON_ERROR_STOP=1", "-q", "-d", &cluster.url(database)])
            .args(arguments));
    };
    psql("postgres", &["-c", "CREATE DATABASE shop"]);
    let [a, b] = replicas(&cluster, "shop").await;
    let mug = a.product("MUG", 5).await;
    let dump = cluster.folder().join("dump");
    let dump = dump.to_str().expect("text");
    for (round, is_dropped) in [true, false].into_iter().enumerate() {
        run(cluster.program("pg_dump").args(["-Fc", "-f", dump, &cluster.url("shop")]));
        let (restored, sequence) = (watch(&b, &mug).await.1, a.log(&mug).await.len());
        let (_, _, cursor) = follow_from_now(&b, &mug).await;
        let mut badges = Vec::new();
        for shop in [&a, &b] {
            let lost = a.adjust(&mug, "INCREMENT", 1).await["stocks"][0]["version"].as_i64().expect("a version");
            badges.push(watch(shop, &mug).await);
            assert_eq!(badges.last().map(|(_, version)| *version), Some(lost));
        }
        let url = cluster.url("shop");
        if is_dropped {
            psql("postgres", &["-c", "DROP DATABASE shop WITH (FORCE)", "-c", "CREATE DATABASE shop"]);
            run(cluster.program("pg_restore").args(["-d", &url, dump]));
        } else {
            run(cluster.program("pg_restore").args(["--clean", "--if-exists", "-d", &url, dump]));
        }
        for (badge, _) in &mut badges {
            assert_eq!(badge.closed().await, 1012, "who comes back reads everything anew");
        }
        for shop in [&a, &b] {
            polls(shop).await;
        }
        let mut version = receive(&a, &mug, &format!("after restore {round}")).await;
        assert_eq!(version, restored + 1, "it is the older data");
        for (shop, other) in [(&a, &b), (&b, &a)] {
            let (mut badge, shown) = watch(shop, &mug).await;
            assert_eq!(shown, version);
            assert_eq!(refusal(shop, &cursor).await, "BAD_CURSOR");
            let (mut log, told, _) = follow_from_now(shop, &mug).await;
            assert!(told > i64::try_from(sequence).expect("few"));
            version = receive(other, &mug, &format!("by the other {round} {told}")).await;
            shows(&mut badge, version).await;
            assert_eq!(added(&mut log).await.0, told + 1);
        }
    }
    a.close().await;
    b.close().await;
}

/// Goes back to an older copy of the cluster's files: as after a failover to a standby that was behind, which begins a
/// new timeline, and as a snapshot of a disk does, which begins none.
#[tokio::test(flavor = "multi_thread")]
async fn commits_that_a_failover_lost_are_forgotten_by_everybody() {
    let Some(cluster) = Cluster::start("-c restore_command=false") else { return };
    let [a, b] = replicas(&cluster, "postgres").await;
    let mug = a.product("MUG", 5).await;
    let copy = cluster.folder().join("copy");
    for (round, begins_timeline) in [true, false].into_iter().enumerate() {
        let (_, _, cursor) = follow_from_now(&b, &mug).await;
        let (mut badge, kept) = watch(&b, &mug).await;
        cluster.stop("fast");
        run(cluster.tool("cp").arg("-a").args([cluster.data(), copy.clone()]));
        cluster.resume();
        let mut lost = kept;
        for unit in 0..3 {
            lost = receive(&a, &mug, &format!("lost {round} {unit}")).await;
        }
        shows(&mut badge, lost).await;
        let (mut log, _, from_lost_time) = follow_from_now(&b, &mug).await;

        cluster.stop("fast");
        run(cluster.tool("rm").arg("-r").arg(cluster.data()));
        run(cluster.tool("mv").args([copy.clone(), cluster.data()]));
        if begins_timeline {
            run(cluster.tool("touch").arg(cluster.data().join("recovery.signal")));
        }
        cluster.resume();
        for socket in [&mut badge, &mut log] {
            assert_eq!(socket.closed().await, 1012);
        }
        polls(&a).await;
        let mut version = kept;
        // The versions of the lost time come again, with other states.
        for unit in 0..6 {
            version = receive(&a, &mug, &format!("again {round} {unit}")).await;
        }
        assert_eq!(version, kept + 6);
        let (mut badge, shown) = watch(&b, &mug).await;
        assert_eq!(shown, version);
        assert_eq!(refusal(&b, &from_lost_time).await, "BAD_CURSOR");
        if begins_timeline {
            assert_eq!(refusal(&b, &cursor).await, "BAD_CURSOR", "nobody knows what was lost");
        }
        let version = receive(&a, &mug, &format!("at last {round}")).await;
        shows(&mut badge, version).await;
    }
    a.close().await;
    b.close().await;
}
