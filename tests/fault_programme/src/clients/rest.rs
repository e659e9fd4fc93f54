//! Brings a shop to rest: until no payment, capture, void, refund, hold or delivery is open any more and every subscriber has what there is, or too much time is over.
//! What is not at rest then is for the checker to tell.

use std::time::Duration;

use anyhow::Context;
use checker::database::Shop;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::time::{Instant, sleep};

use super::subscriber::Subscriber;
use super::{Api, fresh};

/// Longest time until a shop is at rest that keeps its promises.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// So many looks in a row find nothing open: what somebody gave up may still be on its way to the first.
const QUIET: usize = 5;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Pause between two rows that are added for somebody who has heard of none.
const WAKE_PAUSE: Duration = Duration::from_secs(1);

/// What is open: payments, what is done to them, what is held for a time, and what is told to others.
const OPEN: [&str; 4] = [
    "payment WHERE status IN ('in_progress', 'requires_action')",
    "payment_operation WHERE status = 'in_progress'",
    "\"order\" WHERE payment = 'unpaid' AND held_until IS NOT NULL",
    "webhook_delivery WHERE status = 'pending'",
];

/// Waits until nothing is open.
pub async fn settle(database: &str, patience: Duration) -> anyhow::Result<()> {
    let db = connect(database).await?;
    let open = format!(
        "SELECT CAST({} AS BIGINT) AS count",
        OPEN.map(|table| format!("(SELECT count(*) FROM {table})")).join(" + ")
    );
    let deadline = Instant::now() + patience;
    let mut quiet = 0;
    while Instant::now() < deadline {
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), open.clone())).await?;
        if row.context("a count")?.try_get::<i64>("", "count")? == 0 {
            quiet += 1;
            if quiet == QUIET {
                break;
            }
        } else {
            quiet = 0;
        }
        sleep(PAUSE).await;
    }
    db.close().await.map_err(Into::into)
}

/// Adds rows to the log until every subscriber to it has heard of one: whoever came late has nothing else to hear.
pub async fn wake(api: &Api, subscribers: &[Subscriber], patience: Duration) {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline && subscribers.iter().any(Subscriber::waits_for_a_row) {
        // Where it is refused there is another time.
        let _ = api.product(&fresh("WAKE"), 1).await;
        sleep(WAKE_PAUSE).await;
    }
}

/// Waits until these subscribers have heard of the last there is.
pub async fn hear(database: &str, subscribers: &[Subscriber], patience: Duration) -> anyhow::Result<()> {
    let shop = Shop::read(database).await?;
    let deadline = Instant::now() + patience;
    for subscriber in subscribers {
        while Instant::now() < deadline && !subscriber.has_all(&shop) {
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn connect(database: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(database);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.context("the database")
}
