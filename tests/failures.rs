//! When something is wrong with us: what clients are told, and that it is no more than that.

use domain::actor::Actor;
use domain::commands::ArchiveProduct;
use domain::product::Status;
use futures_util::future::join_all;
use onhand::database::error::Error;
use onhand::writer::MAX_QUEUED;
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::support::Shop;

#[tokio::test]
async fn our_own_failure_is_told_by_an_id_and_nothing_else() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    shop.database().execute_unprepared(&rename("stock", "hidden_table")).await.expect("a table");
    let read = shop.ask("{ products { nodes { sku stock { total } } } }", json!({})).await;
    let write = shop.ask(
        "mutation($id: ID!) { adjustStock(input: { changes: [{ productId: $id, action: INCREMENT, quantity: 1 }] }) { stocks { total } } }",
        json!({ "id": mug }),
    );
    for response in [read, write.await] {
        let error = &response["errors"][0];
        assert_eq!(error["extensions"]["code"], "INTERNAL", "{response}");
        let message = error["message"].as_str().expect("a message");
        let id = message.split_whitespace().filter_map(|word| word.trim_end_matches('.').parse::<Uuid>().ok());
        assert_eq!(id.count(), 1, "{message}");
        for secret in ["SELECT", "hidden_table", "no such table", "does not exist", "sqlite", "postgres", "src/"] {
            assert!(!response.to_string().contains(secret), "{response}");
        }
    }
    shop.database().execute_unprepared(&rename("hidden_table", "stock")).await.expect("a table");
    assert_eq!(shop.stock(&mug).await, (5, 0, 5), "nothing changed, and it goes on");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_what_waited_too_long_is_not_executed() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await.parse().expect("an id");
    let somebody = shop.keep_busy().await;
    let commands = (0..MAX_QUEUED + 3_000).map(|_| {
        let writer = shop.app.writer.clone();
        tokio::spawn(async move {
            writer.submit(&Actor::System, ArchiveProduct { product: mug, to: Status::Archived }).await
        })
    });
    let ends = join_all(commands.collect::<Vec<_>>()).await;
    somebody.rollback().await.expect("an end");
    let ends: Vec<_> = ends.into_iter().map(|end| end.expect("no panic")).collect();
    let overloaded = ends.iter().filter(|end| matches!(end, Err(Error::Overloaded))).count();
    let unavailable = ends.iter().filter(|end| matches!(end, Err(Error::Unavailable))).count();
    assert!(overloaded >= 3_000 - 2 * 256 - 1_024, "some may be on their way, or set aside: {overloaded}");
    assert_eq!(overloaded + unavailable, ends.len(), "nobody was told anything else");
    let status = shop.data("{ products(status: [ACTIVE]) { nodes { sku } } }", json!({})).await;
    assert_eq!(status["products"]["nodes"], json!([{ "sku": "MUG" }]), "and nothing was executed");
    shop.product("CUP", 1).await;
    shop.close().await;
}
