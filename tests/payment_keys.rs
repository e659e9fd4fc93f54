//! One idempotency key at two replicas at the same moment: whoever comes second waits until the first has committed, and gets
//! its answer. On SQLite there is one server per file.

use domain::id::OrderId;
use onhand::faults::{Hold, Point, hold};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Client, PATIENCE, Shop, Wanted, codes, eventually, is_postgres};

/// How often each race is run: when the second looks at its rows anew just as the first commits, there was none.
const ROUNDS: usize = 3;

async fn reached(held: &mut Hold) {
    timeout(PATIENCE, held.reached()).await.expect("it comes there");
}

fn pay(client: &Client, input: &Value) -> JoinHandle<Value> {
    let (client, input) = (client.clone(), input.clone());
    tokio::spawn(async move { client.pay_with(input).await })
}

/// Whether a session of this database waits for a lock.
async fn waits(stranger: &DatabaseConnection) -> bool {
    let waiting =
        "SELECT 1 AS one FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let statement = Statement::from_string(DbBackend::Postgres, waiting);
    stranger.query_one_raw(statement).await.expect("an answer").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_at_two_replicas_at_once_has_one_answer() {
    if !is_postgres() {
        return;
    }
    let shop = Shop::open().await;
    let other = shop.replica(Wanted::default()).await;
    let stranger = Database::connect(&shop.place().url).await.expect("a connection");
    let mug = shop.product("MUG", 100).await;
    for round in 0..ROUNDS {
        // It begins and ends in one transaction; or the second comes while it ends.
        for gateway in ["manual", "sandbox"] {
            let order = shop.order_of(&mug).await;
            let key = order.parse::<OrderId>().expect("an id").0;
            let input = json!({ "orderId": order, "gateway": gateway, "idempotencyKey": format!("{gateway} {round}") });
            let (first, mut saved) = if gateway == "manual" {
                let saved = hold(Point::WriterSaved, None);
                (pay(&shop, &input), saved)
            } else {
                let mut charged = hold(Point::PayCharged, Some(key));
                let first = pay(&shop, &input);
                reached(&mut charged).await;
                let saved = hold(Point::WriterSaved, None);
                charged.release();
                (first, saved)
            };
            reached(&mut saved).await;
            let second = pay(&other, &input);
            eventually("the second waits", async || waits(&stranger).await).await;
            saved.release();
            let (first, second) = (first.await.expect("no panic"), second.await.expect("no panic"));
            assert_eq!((codes(&first), &first["order"]["payment"]), (vec![], &json!("PAID")), "{gateway}");
            assert_eq!(second, first, "the same answer: {gateway}");
            assert_eq!(first["order"]["payments"].as_array().map(Vec::len), Some(1), "{gateway}");
        }
    }
    stranger.close().await.expect("an end");
    shop.close().await;
    other.close().await;
}
