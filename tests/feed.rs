//! What the feed between replicas cannot tell change by change it says so, and everything that is watched is read. On SQLite
//! there is one process, and no feed.

use onhand::database::{News, Poll};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{Shop, Socket, is_postgres};

const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { payment } }";

/// Gives the sessions that begin from now on a clock that can be set forward.
const CLOCK: &str = "CREATE SCHEMA ahead; CREATE TABLE ahead.clock (seconds float8 NOT NULL); \
    INSERT INTO ahead.clock VALUES (0); \
    CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM ahead.clock))'; \
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = ahead, pg_catalog, public', current_database()); END $$";

/// What was told nine minutes ago may be deleted: a replica that slept for longer reads everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_comes_too_late_to_know_reads_everything() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let run = async |text: &str| {
        shop.database().execute_unprepared(text).await.expect("an answer");
    };
    run(CLOCK).await;
    let mut feed = shop.feed();
    let mut told = async || {
        let Poll { news, .. } = feed.poll().await.expect("a poll");
        news
    };
    assert_eq!(told().await, News::Untold, "it begins");
    assert_eq!(told().await, News::Changes(vec![]));
    run("UPDATE ahead.clock SET seconds = 300").await;
    assert_eq!(told().await, News::Changes(vec![]), "it slept for five minutes");
    run("INSERT INTO change (kind, id, version) VALUES ('stock', gen_random_uuid(), 1); DELETE FROM change; \
         UPDATE ahead.clock SET seconds = 300 + 541")
    .await;
    assert_eq!(told().await, News::Untold, "it slept for more than nine");
    assert_eq!(told().await, News::Changes(vec![]));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_changed_among_too_many_others_is_told() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order_of(&mug).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("order", ORDER, json!({ "id": order })).await;
    assert_eq!(socket.data("order").await["orderChanged"]["payment"], "UNPAID");
    // More changes than one poll takes in, and that of the order is none of them: it was deleted already.
    let flood = "BEGIN; UPDATE \"order\" SET version = version + 1; INSERT INTO change (kind, id, version) \
        SELECT 'order', gen_random_uuid(), 1 FROM generate_series(1, 10001); COMMIT";
    shop.database().execute_unprepared(flood).await.expect("rows");
    assert_eq!(socket.data("order").await["orderChanged"]["payment"], "UNPAID", "its new version");
    shop.database().execute_unprepared("DELETE FROM change").await.expect("rows");
    shop.close().await;
}
