//! What is pushed at once: written by whoever tells of it, and never into the middle of anything else.

use onhand::faults::{Point, hold};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{PATIENCE, Shop, Socket};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total version } }";

/// A socket whose task only waits is not woken: it would be held where it has taken a result.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_waits_is_told_without_its_task() {
    /// When it was not waiting yet, another change finds it so.
    const TRIES: i32 = 50;
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await;
    let mut socket = Socket::open(&shop).await;
    socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(socket.data("1").await["stockChanged"]["total"], 0);
    let mut was_at_once = false;
    for total in 1..=TRIES {
        let mut held = hold(Point::SocketTaken, None);
        shop.adjust(&mug, "INCREMENT", 1).await;
        let message = tokio::select! {
            message = socket.data("1") => {
                was_at_once = true;
                message
            }
            () = held.reached() => {
                held.release();
                socket.data("1").await
            }
        };
        assert_eq!(message["stockChanged"]["total"], total);
        if was_at_once {
            break;
        }
    }
    assert!(was_at_once, "its task was woken {TRIES} times");
    shop.close().await;
}

/// Results of other operations are large, and the client reads nothing for a while: every message comes whole, and none is
/// older than the one before.
#[tokio::test(flavor = "multi_thread")]
async fn messages_stay_whole_and_in_order_beside_large_answers() {
    const QUERIES: usize = 30;
    const CHANGES: i32 = 150;
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 0).await;
    let mut socket = Socket::open(&shop).await;
    let (mut answered, ids) = (0, ["a", "b"]);
    for id in ids {
        socket.subscribe(id, STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data(id).await["stockChanged"]["total"], 0);
    }
    let change = async {
        for _ in 0..CHANGES {
            shop.adjust(&mug, "INCREMENT", 1).await;
        }
    };
    let ask = async {
        for number in 0..QUERIES {
            socket.subscribe(&format!("q{number}"), LARGE, json!({})).await;
        }
        let mut last = [0; 2];
        // The last state comes, whatever was skipped.
        while answered < QUERIES || last != [CHANGES; 2] {
            let message = timeout(PATIENCE, socket.next()).await.expect("a message");
            let id = message["id"].as_str().expect("an id").to_owned();
            let Some(at) = ids.iter().position(|one| *one == id) else {
                answered += usize::from(message["type"] == "complete");
                assert!(message["type"] != "error" && message["payload"].get("errors").is_none(), "{message}");
                continue;
            };
            let total = total_of(&message);
            assert!(total > last[at], "{total} came after {}", last[at]);
            last[at] = total;
        }
    };
    tokio::join!(change, ask);
    shop.close().await;
}

/// An answer of tens of kilobytes: the schema as it describes itself.
const LARGE: &str = "{ __schema { types { name description fields(includeDeprecated: true) { name description args { \
    name description type { name } } type { name } } inputFields { name description } enumValues { name description } } } }";

fn total_of(message: &Value) -> i32 {
    let total = message["payload"]["data"]["stockChanged"]["total"].as_i64().expect("a total");
    i32::try_from(total).expect("few")
}
