//! Following the log: every row once, those of a product in their order, from any place on, however far behind.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use domain::id::ProductId;
use onhand::read::{LogFilter, LogPosition};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseTransaction, TransactionTrait};
use serde_json::json;

use crate::support::{Place, Shop, Socket, is_postgres};

const LOG: &str = "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence } } }";

/// Transactions that are open at the same time, each of another product.
const WRITERS: usize = 5;

/// What is done one after the other: to begin, write, end, and read on.
const STEPS: usize = 3_000;

/// Somebody who writes to the log of one product, and ends late.
struct Writer {
    product: ProductId,
    /// Rows that are committed, and those that are not yet.
    sequences: (i32, i32),
    transaction: Option<DatabaseTransaction>,
}

/// Somebody who reads the log, and whose place is a cursor between any two pages.
struct Follower {
    place: String,
    pages: usize,
    told: HashMap<ProductId, Vec<i32>>,
}

impl Follower {
    async fn read(&mut self, shop: &Shop, limit: u64) -> bool {
        let place: LogPosition = serde_json::from_str(&self.place).expect("a place of ours");
        assert!(shop.app.store.is_our_place(&place).await.expect("an answer"));
        let page = shop.app.store.log_after(&LogFilter::default(), &place, limit).await.expect("rows");
        assert!(u64::try_from(page.rows.len()).expect("few") <= limit);
        // Every other time it goes on from the cursor of a row, as somebody who lost the connection does.
        self.pages += 1;
        let next = page.rows.last().map(|(place, _)| place).filter(|_| self.pages.is_multiple_of(2));
        self.place = serde_json::to_string(next.unwrap_or(&page.next)).expect("JSON");
        for (_, row) in page.rows {
            self.told.entry(row.product).or_default().push(row.sequence);
        }
        page.is_end
    }
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "somebody else has a transaction open")]
    async fn write(&mut self, db: &sea_orm::DatabaseConnection) {
        if self.transaction.is_none() {
            let transaction = db.begin().await.expect("a transaction");
            // Who writes to the log has locked or made something first.
            transaction.execute_unprepared("SELECT pg_current_xact_id()").await.expect("a number");
            self.transaction = Some(transaction);
        }
        self.sequences.1 += 1;
        let (product, sequence) = (self.product.0, self.sequences.0 + self.sequences.1);
        let insert = format!(
            "INSERT INTO stock_transaction (id, product_id, sequence, action, quantity, total_delta, allocated_delta, \
             available_delta, total_after, allocated_after, available_after, reason, actor, operation_id, created_at) VALUES \
             (gen_random_uuid(), '{product}', {sequence}, 'increment', 1, 1, 0, 1, 1, 0, 1, 'received', 'somebody', \
             gen_random_uuid(), now())"
        );
        let transaction = self.transaction.as_ref().expect("it was begun");
        transaction.execute_unprepared(&insert).await.expect("a row");
    }

    async fn end(&mut self, commits: bool) {
        let Some(transaction) = self.transaction.take() else { return };
        if commits {
            transaction.commit().await.expect("an end");
            self.sequences.0 += self.sequences.1;
        } else {
            transaction.rollback().await.expect("an end");
        }
        self.sequences.1 = 0;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_committed_late_are_told_once_whoever_comes_back_and_when() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let mut options = ConnectOptions::new(&shop.place().url);
    options.max_connections(u32::try_from(WRITERS).expect("few")).sqlx_logging(false);
    let db = Database::connect(options).await.expect("a connection");
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let product = shop.product(&format!("P{number}"), 1).await.parse().expect("an id");
        writers.push(Writer { product, sequences: (1, 0), transaction: None });
    }
    let start = serde_json::to_string(&shop.app.store.log_end().await.expect("an end")).expect("JSON");
    let mut followers: Vec<_> =
        (0..2).map(|_| Follower { place: start.clone(), pages: 0, told: HashMap::new() }).collect();
    let mut random = StdRng::seed_from_u64(16);
    for _ in 0..STEPS {
        let writer = &mut writers[random.random_range(0..WRITERS)];
        match random.random_range(0..10) {
            0..4 => writer.write(&db).await,
            4 => writer.end(true).await,
            5 if random.random_range(0..4) == 0 => writer.end(false).await,
            6..9 => drop(followers[0].read(&shop, random.random_range(1..4)).await),
            // The second comes rarely, and has more to catch up with.
            _ if random.random_range(0..20) == 0 => drop(followers[1].read(&shop, 50).await),
            _ => {}
        }
    }
    for writer in &mut writers {
        writer.end(true).await;
    }
    for follower in &mut followers {
        while !follower.read(&shop, 7).await {}
        for Writer { product, sequences, .. } in &writers {
            let expected: Vec<i32> = (2..=sequences.0).collect();
            assert!(expected.len() > 100, "there was something to tell");
            assert_eq!(follower.told.get(product), Some(&expected), "each row once, and in its order");
        }
    }
}

/// A filter that takes nothing for a long way does not end the reading.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_far_behind_others_is_found_by_a_filter() {
    let shop = Shop::open().await;
    let many = shop.product("MANY", 1).await;
    let start = shop.app.store.log_end().await.expect("an end");
    shop.fill_log(25_000).await;
    let one = shop.product("ONE", 1).await;
    for (product, expected) in [(&one, 1), (&many, 25_000)] {
        let filter = LogFilter { products: Some(vec![product.parse().expect("an id")]), ..LogFilter::default() };
        let (mut place, mut found) = (start.clone(), BTreeMap::new());
        loop {
            let page = shop.app.store.log_after(&filter, &place, 1_000).await.expect("rows");
            for (_, row) in page.rows {
                assert!(found.insert(row.sequence, row.id).is_none(), "{} comes twice", row.sequence);
            }
            place = page.next;
            if page.is_end {
                break;
            }
        }
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rows_of_a_page_refer_to_is_theirs() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    let mut log = Socket::open(&shop).await;
    let query = "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence product { sku name } \
        order { id payment } } } }";
    let start = serde_json::to_value(shop.app.store.log_end().await.expect("an end")).expect("JSON");
    let cursor = cursor_of(&start);
    let order = shop.order(&[(&mug, 1), (&cup, 2)]).await;
    shop.pay(&order).await;
    shop.adjust(&cup, "INCREMENT", 1).await;
    shop.update_product(json!({ "id": cup, "name": "Renamed" })).await;
    log.subscribe("log", query, json!({ "after": cursor })).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(log.data("log").await["stockTransactionAdded"]["node"].take());
    }
    told.sort_by_key(|row| (row["product"]["sku"].to_string(), row["sequence"].as_i64()));
    let paid = json!({ "id": order, "payment": "PAID" });
    let cup = json!({ "sku": "CUP", "name": "Renamed" });
    let mug = json!({ "sku": "MUG", "name": "Product MUG" });
    assert_eq!(told[0], json!({ "sequence": 2, "product": cup, "order": paid }));
    assert_eq!(told[1], json!({ "sequence": 3, "product": cup, "order": null }));
    assert_eq!(told[2], json!({ "sequence": 2, "product": mug, "order": paid }));
    shop.close().await;
}

/// The text of a cursor of the live log.
fn cursor_of(place: &serde_json::Value) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    URL_SAFE_NO_PAD.encode(json!(["live-log", place]).to_string())
}

/// A file that was restored, then went on: cursors from the lost time are refused, also when it has grown past them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_a_time_that_a_restored_file_never_saw_is_refused() {
    if is_postgres() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (file, copy) = (folder.path().join("shop.db"), folder.path().join("copy.db"));
    let url = format!("sqlite://{}", file.display());
    let shop = Shop::open_by(Place::of(&url), &url).await;
    let mug = shop.product("MUG", 1).await;
    let (mut log, kept) = newest(&shop, &mug).await;
    shop.database().execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await.expect("a copy");
    let mut lost = Vec::new();
    for _ in 0..3 {
        shop.adjust(&mug, "INCREMENT", 1).await;
        lost.push(cursor(&mut log).await.1);
    }
    shop.close().await;
    for left in ["shop.db-wal", "shop.db-shm"] {
        let left = folder.path().join(left);
        assert!(!Path::new(&left).exists() || std::fs::remove_file(&left).is_ok());
    }
    std::fs::rename(&copy, &file).expect("it is restored");

    let shop = Shop::open_by(Place::of(&url), &url).await;
    for _ in 0..2 {
        for cursor in &lost {
            let mut log = Socket::open(&shop).await;
            log.subscribe("log", LOG, json!({ "after": cursor })).await;
            assert_eq!(log.next().await["payload"][0]["extensions"]["code"], "BAD_CURSOR");
        }
        for _ in 0..5 {
            shop.adjust(&mug, "INCREMENT", 1).await;
        }
    }
    let mut log = Socket::open(&shop).await;
    log.subscribe("log", LOG, json!({ "after": kept.1 })).await;
    for sequence in kept.0 + 1..=kept.0 + 10 {
        assert_eq!(cursor(&mut log).await.0, sequence, "a cursor from before goes on");
    }
    shop.close().await;
}

async fn cursor(log: &mut Socket) -> (i64, String) {
    let edge = log.data("log").await["stockTransactionAdded"].take();
    (edge["node"]["sequence"].as_i64().expect("a number"), edge["cursor"].as_str().expect("a cursor").to_owned())
}

/// A follower that was told of the newest row.
async fn newest(shop: &Shop, product: &str) -> (Socket, (i64, String)) {
    let start = serde_json::to_value(shop.app.store.log_end().await.expect("an end")).expect("JSON");
    let mut log = Socket::open(shop).await;
    log.subscribe("log", LOG, json!({ "after": cursor_of(&start) })).await;
    shop.adjust(product, "INCREMENT", 1).await;
    let told = cursor(&mut log).await;
    (log, told)
}
