//! Rows that other software on the same PostgreSQL wants as well: whoever sells queues for them like everybody else. On
//! SQLite there is one writer, and nothing to queue for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use onhand::server::{Timeouts, TransportConfig};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, Statement, TransactionTrait};

use crate::support::{PATIENCE, Shop, Wanted, eventually, is_postgres, paid, patient_transport};

/// Sessions of other software that take the row in turn.
const SESSIONS: usize = 6;

/// How long a payment may wait for its turn: where rows are not had in turn, it never comes.
const MAX_TURNS: Duration = PATIENCE;

/// A shop in which nobody's time is over before it is their turn, however slow the machine is.
async fn patient_shop() -> Shop {
    let timeouts = Timeouts { request: MAX_TURNS, ..patient_transport().timeouts };
    let transport = TransportConfig { timeouts, ..patient_transport() };
    Shop::open_as(Wanted { transport, max_wait: MAX_TURNS, ..Wanted::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_row_is_had_in_turn() {
    if !is_postgres() {
        return;
    }
    let shop = patient_shop().await;
    let (hot, free) = (shop.product("HOT", 1_000).await, shop.product("FREE", 1_000).await);
    let mut orders = Vec::new();
    for _ in 0..24 {
        orders.push((shop.order_of(&hot).await, shop.order_of(&free).await));
    }
    let mut options = ConnectOptions::new(&shop.place().url);
    options.max_connections(u32::try_from(SESSIONS).expect("few")).sqlx_logging(false);
    let other = Database::connect(options).await.expect("connections");
    let is_over = Arc::new(AtomicBool::new(false));
    let sessions = (0..SESSIONS).map(|_| {
        let (other, is_over) = (other.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                #[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
                let transaction = other.begin().await.expect("a transaction");
                let take = "SELECT pg_sleep(0.05) FROM stock WHERE product_id = \
                    (SELECT id FROM product WHERE sku = 'HOT') FOR UPDATE";
                transaction.execute_unprepared(take).await.expect("a lock");
                transaction.commit().await.expect("an end");
            }
        })
    });
    let sessions: Vec<_> = sessions.collect();
    // One after the other and many at once: neither is turned away.
    let (alone, together) = orders.split_at(4);
    for (hot, free) in alone {
        assert_eq!(shop.pay(hot).await, paid("SUCCEEDED", "PAID", &[]));
        assert_eq!(shop.pay(free).await, paid("SUCCEEDED", "PAID", &[]));
    }
    let pay = together.iter().flat_map(|(hot, free)| [shop.pay(hot), shop.pay(free)]);
    for ended in join_all(pay).await {
        assert_eq!(ended, paid("SUCCEEDED", "PAID", &[]));
    }
    is_over.store(true, Ordering::SeqCst);
    for session in sessions {
        session.await.expect("no panic");
    }
    assert_eq!(shop.stock(&hot).await, (1_000, 24, 976));
    other.close().await.expect("an end");
    shop.close().await;
}

/// A wait for a lock that times out is no answer: it begins anew until the row is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_held_longer_than_any_wait_for_a_lock_is_waited_for() {
    /// The writer's own wait, and two of the worker that queues for rows: the first of those has timed out.
    const WAITS: usize = 3;
    if !is_postgres() {
        return;
    }
    let shop = Arc::new(patient_shop().await);
    let mug = shop.product("MUG", 1).await;
    let order = shop.order_of(&mug).await;
    let other = Database::connect(&shop.place().url).await.expect("a connection");
    #[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
    let transaction = other.begin().await.expect("a transaction");
    transaction.execute_unprepared("SELECT 1 FROM stock FOR UPDATE").await.expect("a lock");
    let paying = tokio::spawn({
        let (shop, order) = (Arc::clone(&shop), order.clone());
        async move { shop.pay(&order).await }
    });
    let waits = RefCell::new(BTreeSet::new());
    eventually("it waits again and again", async || {
        let waiting = "SELECT pid::text || ' ' || query_start::text AS wait FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let found = other.query_all_raw(Statement::from_string(DbBackend::Postgres, waiting)).await.expect("rows");
        waits.borrow_mut().extend(found.iter().map(|row| row.try_get::<String>("", "wait").expect("text")));
        waits.borrow().len() >= WAITS || paying.is_finished()
    })
    .await;
    assert!(!paying.is_finished(), "it is not turned away");
    transaction.rollback().await.expect("an end");
    assert_eq!(paying.await.expect("no panic"), paid("SUCCEEDED", "PAID", &[]));
    other.close().await.expect("an end");
    Arc::try_unwrap(shop).unwrap_or_else(|_| panic!("everybody is done")).close().await;
}
