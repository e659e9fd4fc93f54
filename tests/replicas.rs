//! Several replicas on one PostgreSQL: what one does, all show, and no two of them sell the same unit. On SQLite there is
//! one server per file, and nothing to test here.

use std::time::Duration;

use domain::actor::Actor;
use domain::commands::ClaimPayment;
use domain::id::ProductId;
use futures_util::future::join_all;
use onhand::config::PaymentTimeouts;
use onhand::database::{Changed, News, Poll};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};

use crate::support::{Paid, Shop, Socket, Wanted, codes, eventually, is_postgres, paid, patient_times};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { available version } }";
const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { payment } }";
const READ: &str = "{ products { nodes { id } } }";
const LOG: &str = "subscription { stockTransactionAdded { node { sequence } } }";

/// A shop with more replicas; `None` on SQLite.
async fn replicas<const N: usize>() -> Option<[Shop; N]> {
    replicas_with(patient_times()).await
}

/// The same with these payment times.
async fn replicas_with<const N: usize>(times: PaymentTimeouts) -> Option<[Shop; N]> {
    if !is_postgres() {
        return None;
    }
    let first = Shop::open_with(times).await;
    let mut all = Vec::new();
    for _ in 1..N {
        all.push(first.replica(Wanted { times, ..Wanted::default() }).await);
    }
    all.insert(0, first);
    all.try_into().ok()
}

async fn close<const N: usize>(shops: [Shop; N]) {
    for shop in shops {
        shop.close().await;
    }
}

/// A connection of somebody else.
async fn stranger(shop: &Shop) -> DatabaseConnection {
    let mut options = ConnectOptions::new(&shop.place().url);
    options.max_connections(4).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

#[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
async fn begin(db: &DatabaseConnection) -> sea_orm::DatabaseTransaction {
    db.begin().await.expect("a transaction")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_does_the_others_show_and_tell() {
    let Some(shops) = replicas::<3>().await else { return };
    let [a, b, c] = &shops;
    let mug = a.product("MUG", 5).await;
    let order = b.order(&[(&mug, 2)]).await;
    let mut sockets = Vec::new();
    for shop in [a, b, c] {
        let mut socket = Socket::open(shop).await;
        socket.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data("badge").await["stockChanged"], json!({ "available": 5, "version": 1 }));
        let mut orders = Socket::open(shop).await;
        orders.subscribe("order", ORDER, json!({ "id": order })).await;
        assert_eq!(orders.data("order").await["orderChanged"]["payment"], "UNPAID");
        sockets.push((socket, orders));
    }
    assert_eq!(c.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    for shop in [a, b, c] {
        assert_eq!(shop.stock(&mug).await, (5, 2, 3), "what was answered is there, whoever is asked");
        assert_eq!(shop.read_order(&order).await["payment"], "PAID");
    }
    for (badge, orders) in &mut sockets {
        assert_eq!(badge.data("badge").await["stockChanged"], json!({ "available": 3, "version": 2 }));
        while orders.data("order").await["orderChanged"]["payment"] != "PAID" {}
    }
    for (badge, _) in &mut sockets {
        assert!(badge.is_silent_for(Duration::from_millis(700)).await, "nothing is told twice");
    }
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_on_any_replica_in_order_and_without_gaps() {
    let Some(shops) = replicas::<3>().await else { return };
    let [a, b, c] = &shops;
    let mug = a.product("MUG", 0).await;
    let mut socket = Socket::open(c).await;
    socket.follow_log("log", LOG, json!({})).await;
    let done = i64::try_from(a.log(&mug).await.len()).expect("few");
    join_all((0..60).map(|at| {
        let shop = if at % 2 == 0 { a } else { b };
        shop.adjust(&mug, "INCREMENT", 1)
    }))
    .await;
    for expected in done + 1..=done + 60 {
        assert_eq!(socket.data("log").await["stockTransactionAdded"]["node"]["sequence"], expected);
    }
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m_units_and_n_buyers_on_three_replicas_make_m_sales() {
    let Some(shops) = replicas::<3>().await else { return };
    let [a, ..] = &shops;
    for (round, (units, buyers)) in [(1, 48), (20, 60), (60, 30)].into_iter().enumerate() {
        let product = a.product(&format!("M{round}"), units).await;
        let orders = join_all((0..buyers).map(|at| shop_at(&shops, at).order_of(&product))).await;
        let ends: Vec<Paid> =
            join_all(orders.iter().enumerate().map(|(at, order)| shop_at(&shops, at).pay(order))).await;
        let sold = ends.iter().filter(|end| **end == paid("SUCCEEDED", "PAID", &[])).count();
        let refused = ends.iter().filter(|end| **end == paid("-", "UNPAID", &["INSUFFICIENT_STOCK"])).count();
        assert_eq!(
            sold,
            buyers.min(usize::try_from(units).expect("a count")),
            "{units} units, {buyers} buyers: {ends:?}"
        );
        assert_eq!(sold + refused, buyers, "nobody is told anything else: {ends:?}");
    }
    close(shops).await;
}

fn shop_at<const N: usize>(shops: &[Shop; N], at: usize) -> &Shop {
    &shops[at % N]
}

/// Everything that locks, in every order, at once: nobody waits for each other for ever, and no client hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_each_others_way_is_sorted_out_inside() {
    let Some(shops) = replicas::<3>().await else { return };
    let [a, ..] = &shops;
    let products = join_all((0..6).map(|at| async move { a.product(&format!("P{at}"), 10_000).await })).await;
    let work = (0..90_usize).map(|at| {
        let (shop, products) = (shop_at(&shops, at), &products);
        async move {
            let (x, y, z) = (&products[at % 6], &products[(at * 5 + 1) % 6], &products[(at + 3) % 6]);
            let mut items = vec![(x.as_str(), 1), (y.as_str(), 1), (z.as_str(), 1)];
            items.dedup_by_key(|item| item.0);
            let order = shop.order(&items).await;
            let change = |product: &String| json!({ "productId": product, "action": "INCREMENT", "quantity": 1 });
            let changes = if x == y { vec![change(x)] } else { vec![change(y), change(x)] };
            let (paid, adjusted, renamed) = tokio::join!(
                shop.pay(&order),
                shop.adjust_all(json!({ "changes": changes })),
                shop.update_product(json!({ "id": z, "name": format!("Name {at}"), "lowStockThreshold": at })),
            );
            assert_eq!(paid.order, "PAID", "{paid:?}");
            assert_eq!((codes(&adjusted), codes(&renamed)), (vec![], vec![]));
            let end = if at % 2 == 0 { shop.ship(&order).await } else { shop.cancel(&order).await };
            assert_eq!(codes(&end), Vec::<&str>::new());
        }
    });
    join_all(work).await;
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_and_one_key_have_one_owner() {
    let Some(shops) = replicas::<3>().await else { return };
    let [a, ..] = &shops;
    let input = |sku: &str| json!({ "sku": sku, "name": "The same", "price": { "amount": 1, "currency": "EUR" } });
    let made = join_all((0..12).map(|at| shop_at(&shops, at).create_product(input("SAME")))).await;
    let refused = made.iter().filter(|payload| codes(payload) == ["ALREADY_EXISTS"]).count();
    assert_eq!((made.len() - refused, refused), (1, 11), "{made:?}");
    // Slugs from names are numbered, whoever makes them.
    let made = join_all((0..12).map(|at| shop_at(&shops, at).create_product(input(&format!("S{at}"))))).await;
    assert!(made.iter().all(|payload| codes(payload).is_empty()), "{made:?}");

    let mug = a.product("MUG", 100).await;
    let change = json!([{ "productId": mug, "action": "INCREMENT", "quantity": 1 }]);
    let input = json!({ "changes": change, "idempotencyKey": "once" });
    let answers = join_all((0..12).map(|at| shop_at(&shops, at).adjust_all(input.clone()))).await;
    let first = &answers[0]["transactions"];
    assert!(answers.iter().all(|answer| codes(answer).is_empty() && answer["transactions"] == *first), "{answers:?}");
    assert_eq!(a.stock(&mug).await, (101, 0, 101));
    let order = a.order(&[(&mug, 1)]).await;
    let pay = json!({ "orderId": order, "gateway": "manual", "idempotencyKey": "pay once" });
    let answers: Vec<Value> = join_all((0..12).map(|at| shop_at(&shops, at).pay_with(pay.clone()))).await;
    assert!(answers.iter().all(|answer| answer["order"]["payment"] == "PAID"), "{answers:?}");
    assert_eq!(a.read_order(&order).await["payments"].as_array().map(Vec::len), Some(1));
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_stalls_nobody_else() {
    let Some(shops) = replicas::<1>().await else { return };
    let [shop] = &shops;
    let (held, free) = (shop.product("HELD", 10).await, shop.product("FREE", 1_000).await);
    let late = shop.order(&[(&free, 1), (&held, 1)]).await;
    let stranger = stranger(shop).await;
    for lock in
        ["SELECT 1 FROM stock WHERE total = 10 FOR UPDATE", "SELECT 1 FROM product WHERE sku = 'HELD' FOR UPDATE"]
    {
        let waits = shop.order(&[(&held, 1)]).await;
        let transaction = begin(&stranger).await;
        transaction.execute_unprepared(lock).await.expect("a lock");
        let paying = async {
            assert_eq!(shop.pay(&waits).await, paid("SUCCEEDED", "PAID", &[]), "as soon as the row is free: {lock}");
        };
        let others = async {
            // Each of these is answered while the row is held.
            for _ in 0..3 {
                let order = shop.order(&[(&free, 1)]).await;
                assert_eq!(shop.pay(&order).await.order, "PAID");
            }
            assert_eq!(shop.read_order(&waits).await["payment"], "UNPAID", "it is held: {lock}");
            transaction.rollback().await.expect("an end");
        };
        tokio::join!(paying, others);
    }
    // Held for longer than anybody waits: not executed, and told so.
    let transaction = begin(&stranger).await;
    transaction.execute_unprepared("SELECT 1 FROM stock FOR UPDATE").await.expect("a lock");
    let pay = "mutation($id: ID!) { payOrder(input: { orderId: $id }) { order { payment } } }";
    assert_eq!(shop.code(pay, json!({ "id": late })).await, "UNAVAILABLE");
    transaction.rollback().await.expect("an end");
    assert_eq!(shop.read_order(&late).await["payment"], "UNPAID");
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_the_gap_of_a_lost_doorbell_is_told() {
    let Some(shops) = replicas::<2>().await else { return };
    let [a, b] = &shops;
    let mug = a.product("MUG", 5).await;
    let mut badge = Socket::open(b).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let stranger = stranger(a).await;
    for version in 2..5 {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        stranger.execute_unprepared(kill).await.expect("the right to do so");
        a.adjust(&mug, "INCREMENT", 1).await;
        assert_eq!(badge.data("badge").await["stockChanged"]["version"], version);
    }
    close(shops).await;
}

/// The order of numbers is not the order of commits: what is committed late is told late, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_committed_late_is_told_once() {
    let Some(shops) = replicas::<1>().await else { return };
    let [shop] = &shops;
    let mut feed = shop.feed();
    let stranger = stranger(shop).await;
    let insert = |number: u8| format!("INSERT INTO change (kind, id, version) VALUES ('stock', '{}', 1)", id(number).0);
    assert_eq!(feed.poll().await.expect("a poll").news, News::Untold, "it begins");
    let mut told = async |expected: &[u8]| {
        let Poll { news: News::Changes(changes), .. } = feed.poll().await.expect("a poll") else {
            panic!("no interruption")
        };
        let mut found: Vec<_> = changes.into_iter().map(|change| change.what).collect();
        found.sort_by_key(|what| format!("{what:?}"));
        assert_eq!(found, expected.iter().map(|number| Changed::Stock(id(*number))).collect::<Vec<_>>());
    };
    let (early, never) = (begin(&stranger).await, begin(&stranger).await);
    early.execute_unprepared(&insert(1)).await.expect("a row");
    never.execute_unprepared(&insert(2)).await.expect("a row");
    stranger.execute_unprepared(&insert(3)).await.expect("a row");
    told(&[3]).await;
    told(&[]).await;
    let later = begin(&stranger).await;
    later.execute_unprepared(&insert(4)).await.expect("a row");
    early.commit().await.expect("an end");
    told(&[1]).await;
    never.rollback().await.expect("an end");
    stranger.execute_unprepared(&insert(5)).await.expect("a row");
    told(&[5]).await;
    later.commit().await.expect("an end");
    told(&[4]).await;
    told(&[]).await;
    stranger.execute_unprepared("DELETE FROM change").await.expect("rows");
    close(shops).await;
}

/// A pool makes a connection anew without a word. What was seen over the old one is no measure for the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_made_anew_unseen_reads_everything() {
    let Some(shops) = replicas::<1>().await else { return };
    let [shop] = &shops;
    let stranger = stranger(shop).await;
    let mut feed = shop.feed();
    assert_eq!(feed.poll().await.expect("a poll").news, News::Untold, "it begins");
    assert_eq!(feed.poll().await.expect("a poll").news, News::Changes(vec![]));
    let ask = async |query: &str| {
        let statement = Statement::from_string(DbBackend::Postgres, query);
        let row = stranger.query_one_raw(statement).await.expect("an answer").expect("a row");
        row.try_get::<Option<String>>("", "told").expect("text").unwrap_or_default()
    };
    let feeds = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'onhand feed'";
    let old = ask(&format!("SELECT string_agg(pid::text, ',') AS told {feeds}")).await;
    ask(&format!("SELECT bool_and(pg_terminate_backend(pid))::text AS told {feeds}")).await;
    let left = format!("SELECT count(*)::text AS told {feeds} AND pid IN ({old})");
    eventually("they are gone", || async { ask(&left).await == "0" }).await;
    assert_eq!(feed.poll().await.expect("no failure: nothing was noticed").news, News::Untold);
    assert_eq!(feed.poll().await.expect("a poll").news, News::Changes(vec![]));
    close(shops).await;
}

fn id(number: u8) -> ProductId {
    ProductId(uuid::Uuid::from_u128(u128::from(number)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_was_interrupted_reads_everything_anew() {
    let Some(shops) = replicas::<1>().await else { return };
    let [shop] = &shops;
    let mug = shop.product("MUG", 5).await;
    let mut badge = Socket::open(shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let stranger = stranger(shop).await;
    // More changes than one look takes in, and the one that matters is none of them: somebody swept it up.
    let flood = "BEGIN; UPDATE stock SET version = version + 1, total = total + 1; INSERT INTO change (kind, id, version) \
        SELECT 'stock', gen_random_uuid(), 1 FROM generate_series(1, 10001); COMMIT";
    stranger.execute_unprepared(flood).await.expect("rows");
    assert_eq!(badge.data("badge").await["stockChanged"], json!({ "available": 6, "version": 2 }));
    stranger.execute_unprepared("UPDATE stock SET total = total - 1").await.expect("a row");
    eventually("nothing is left to look at", || async {
        stranger.execute_unprepared("DELETE FROM change").await.is_ok()
    })
    .await;
    close(shops).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_is_no_end() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 5).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let stranger = stranger(&shop).await;
    for version in [2, 3] {
        proxy.cut();
        let change = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) \
            { stocks { version } } }";
        let (write, read) = tokio::join!(shop.code(change, json!({ "id": mug })), shop.code(READ, json!({})));
        assert_eq!((write.as_str(), read.as_str()), ("UNAVAILABLE", "UNAVAILABLE"));
        // Another replica goes on meanwhile.
        let elsewhere = "BEGIN; UPDATE stock SET low_stock_threshold = low_stock_threshold + 1, version = version + 1; \
             INSERT INTO change (kind, id, version) SELECT 'stock', product_id, version FROM stock; COMMIT";
        stranger.execute_unprepared(elsewhere).await.expect("a change");
        proxy.mend();
        assert_eq!(
            badge.data("badge").await["stockChanged"]["version"],
            version,
            "the socket is open, and has the last value"
        );
        eventually("it is back", || async { shop.ask(READ, json!({})).await.get("errors").is_none() }).await;
        eventually("and takes changes", || async {
            codes(&shop.adjust(&mug, "INCREMENT", 0).await) == ["INVALID_QUANTITY"]
        })
        .await;
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_neither_repeated_nor_forgotten() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 100).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    for round in 1..=5 {
        let order = shop.order(&[(&mug, 1)]).await;
        proxy.lose_answer_of_commit();
        assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]), "round {round}");
        assert!(proxy.has_lost_answer());
        assert_eq!(shop.stock(&mug).await, (100, round, 100 - round));
        let stock = badge.data("badge").await["stockChanged"].clone();
        assert_eq!(stock["available"], 100 - round, "subscribers hear of it all the same");
    }
    shop.close().await;
}

/// Whoever asks how a commit ended waits for a transaction that is still alive, and keeps one that is gone from ever
/// being committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_lost_or_late_happens_once() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 100).await;
    let mut badge = Socket::open(&shop).await;
    badge.subscribe("badge", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(badge.data("badge").await["stockChanged"]["version"], 1);
    let lose = || proxy.lose_commit();
    let delay = || proxy.delay_commit(Duration::from_millis(700));
    let losses: [&dyn Fn(); 4] = [&lose, &delay, &lose, &delay];
    for (round, lose) in (1..).zip(losses) {
        let order = shop.order(&[(&mug, 1)]).await;
        lose();
        assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]), "round {round}");
        assert!(proxy.has_lost_answer());
        assert_eq!(shop.stock(&mug).await, (100, round, 100 - round));
        assert_eq!(badge.data("badge").await["stockChanged"]["available"], 100 - round);
    }
    // Later than anybody waits, the database included: nobody knows, and whoever pays again pays once.
    let order = shop.order(&[(&mug, 1)]).await;
    proxy.delay_commit(Duration::from_secs(9));
    let pay = "mutation($id: ID!) { payOrder(input: { orderId: $id }) { order { payment } } }";
    assert_eq!(shop.code(pay, json!({ "id": order })).await, "TIMEOUT");
    assert_eq!(shop.read_order(&order).await["payment"], "UNPAID", "it is not there");
    eventually("it can be paid", || async {
        shop.ask(pay, json!({ "id": order })).await["data"]["payOrder"]["order"]["payment"] == "PAID"
    })
    .await;
    assert_eq!(shop.stock(&mug).await, (100, 5, 95));
    shop.close().await;
}

/// A network that swallows everything says nothing: the writer gives up after a while, connects anew and asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_stops_the_writer_for_a_while_only() {
    let Some((proxy, shop)) = Shop::behind_a_proxy().await else { return };
    let mug = shop.product("MUG", 5).await;
    let order = shop.order_of(&mug).await;
    proxy.swallow_answer_of_commit();
    let pay = "mutation($id: ID!) { payOrder(input: { orderId: $id }) { order { payment } } }";
    assert_eq!(shop.code(pay, json!({ "id": order })).await, "TIMEOUT", "nobody knows, and whoever asked is told so");
    assert!(proxy.has_lost_answer());
    assert_eq!(shop.read_order(&order).await["payment"], "PAID", "it was committed");
    eventually("the writer works again", || async {
        let change = "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: SET, quantity: 5 }] }) \
            { stocks { total } } }";
        shop.ask(change, json!({ "id": mug })).await.get("errors").is_none()
    })
    .await;
    shop.close().await;
}

/// Recovery on every replica may want the same payment at the same moment; the lease is one replica's.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_whose_outcome_is_open_is_one_replicas_to_recover() {
    let lease = Duration::from_hours(1);
    let wait = Duration::from_millis(300);
    let times = PaymentTimeouts { pay_answer: wait, pay_gateway: wait, pay_lease: lease, ..patient_times() };
    let Some(shops) = replicas_with::<3>(times).await else { return };
    let [a, ..] = &shops;
    let mug = a.product("MUG", 1).await;
    let order = a.order_of(&mug).await;
    assert_eq!(a.pay_sandbox(&order, "never:charged").await, paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    let payment = a.read_order(&order).await["payments"][0]["id"].as_str().expect("an id").to_owned();
    let claim = async |at: usize| {
        let claim = ClaimPayment { payment: payment.parse().expect("an id"), lease, longest: lease };
        shop_at(&shops, at).app.writer.submit(&Actor::System, claim).await.expect("an answer")
    };
    assert!(claim(1).await.is_none(), "the attempt itself holds it");
    for round in 0..5 {
        // The lease is over; when recovery looks next is another column, so it does not interfere.
        let over = "UPDATE payment SET leased_until = '2000-01-01T00:00:00Z'";
        a.database().execute_unprepared(over).await.expect("a row");
        let taken = join_all((0..12).map(&claim)).await.into_iter().flatten().count();
        assert_eq!(taken, 1, "round {round}");
    }
    let due = "UPDATE payment SET leased_until = created_at, look_at = created_at";
    a.database().execute_unprepared(due).await.expect("a row");
    eventually("recovery settles it", || async { a.read_order(&order).await["payment"] == "PAID" }).await;
    close(shops).await;
}
