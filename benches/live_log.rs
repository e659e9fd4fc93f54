//! How fast a follower of the log comes up from behind: rows a second from the store, and over a websocket, after 200,000 and
//! 1.2 million rows. `cargo bench --bench live_log` on SQLite; with `TEST_DATABASE_URL=postgres://...` on PostgreSQL.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "a bench ends with the tasks that it spawns")]
#![expect(clippy::print_stderr, reason = "shared with the tests")]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, clippy::expect_used, clippy::panic, reason = "shared with the tests")]
mod support;

use std::time::{Duration, Instant};

use onhand::read::LogFilter;
use serde_json::{Value, json};

use support::{Shop, Socket, is_postgres};

/// Rows that the follower is behind.
const BEHIND: [usize; 2] = [200_000, 1_200_000];

/// Products that the rows are of.
const PRODUCTS: usize = 100;

/// Rows of a page of the store.
const PAGE: u64 = 2_000;

/// How long a websocket is read at most.
const READ_FOR: Duration = Duration::from_secs(10);

const PLAIN: &str = "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence action quantity } } }";
const WITH_PRODUCT: &str = "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence product { sku } } } }";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    println!(
        "{:>12} {:>10} {:>14} {:>14} {:>14}",
        "database", "behind", "store rows/s", "socket rows/s", "with product"
    );
    for behind in BEHIND {
        let shop = Shop::open().await;
        let mut product = String::new();
        for number in 0..PRODUCTS {
            product = shop.product(&format!("P{number}"), 1).await;
        }
        let start = shop.app.store.log_end().await?;
        let cursor = cursor(&shop, &product).await;
        shop.fill_log(behind / PRODUCTS).await;

        let began = Instant::now();
        let (mut place, mut read) = (start, 0);
        loop {
            let page = shop.app.store.log_after(&LogFilter::default(), &place, PAGE).await?;
            read += page.rows.len();
            place = page.next;
            if page.is_end || read > behind {
                break;
            }
        }
        let store = rate(read, began);
        let plain = follow(&shop, PLAIN, &cursor, behind).await;
        let with_product = follow(&shop, WITH_PRODUCT, &cursor, behind).await;
        let database = if is_postgres() { "PostgreSQL" } else { "SQLite" };
        println!("{database:>12} {behind:>10} {store:>14.0} {plain:>14.0} {with_product:>14.0}");
    }
    Ok(())
}

/// The cursor of a row that is the last one.
async fn cursor(shop: &Shop, product: &str) -> String {
    let mut socket = Socket::open(shop).await;
    socket.subscribe("log", PLAIN, json!({})).await;
    loop {
        shop.adjust(product, "INCREMENT", 1).await;
        let told = tokio::time::timeout(Duration::from_millis(500), socket.next()).await;
        if let Ok(message) = told {
            return text(&message["payload"]["data"]["stockTransactionAdded"]["cursor"]);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Rows a second over a websocket.
async fn follow(shop: &Shop, query: &str, cursor: &str, behind: usize) -> f64 {
    let mut socket = Socket::open(shop).await;
    let began = Instant::now();
    socket.subscribe("log", query, json!({ "after": cursor })).await;
    let mut read = 0;
    while read < behind && began.elapsed() < READ_FOR {
        if socket.try_next().await.is_none() {
            break;
        }
        read += 1;
    }
    rate(read, began)
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn rate(rows: usize, began: Instant) -> f64 {
    rows as f64 / began.elapsed().as_secs_f64()
}
