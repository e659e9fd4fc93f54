//! Rows that somebody deleted around the foreign keys: they take no other rows with them, and `verify` tells of them.

use domain::id::{OrderId, ProductId};
use onhand::cli::verify::verify;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::support::{Shop, is_postgres, paid};

/// Deletes rows as nobody may.
async fn delete(shop: &Shop, statements: &[String]) {
    let mut options = ConnectOptions::new(shop.place().url.clone());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.expect("the database");
    let off = if is_postgres() { "SET session_replication_role = replica" } else { "PRAGMA foreign_keys = OFF" };
    db.execute_unprepared(off).await.expect("no foreign keys");
    for statement in statements {
        db.execute_unprepared(statement).await.expect(statement);
    }
    db.close().await.expect("an end");
}

fn literal(id: uuid::Uuid) -> String {
    if is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
}

fn skus(answer: &Value) -> Vec<&str> {
    let rows = answer["data"]["stockTransactions"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}"));
    rows.iter().filter_map(|row| row["product"]["sku"].as_str()).collect()
}

#[tokio::test]
async fn orphaned_rows_of_the_log_fail_no_list_and_are_told_by_verify() {
    let shop = Shop::open().await;
    let (bag, mug) = (shop.product("BAG", 5).await, shop.product("MUG", 7).await);
    let order = shop.order_of(&mug).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let (product, sold): (ProductId, OrderId) = (bag.parse().expect("an id"), order.parse().expect("an id"));
    let (bag_id, order_id) = (literal(product.0), literal(sold.0));
    delete(
        &shop,
        &[
            format!("DELETE FROM stock WHERE product_id = {bag_id}"),
            format!("DELETE FROM product WHERE id = {bag_id}"),
            format!("DELETE FROM \"order\" WHERE id = {order_id}"),
        ],
    )
    .await;

    let rows = "{ stockTransactions { nodes { action quantity order { id } } } }";
    let answer = shop.data(rows, json!({})).await;
    let row = |action: &str, quantity: i32| json!({ "action": action, "quantity": quantity, "order": null });
    let all = [row("ALLOCATE", 1), row("CREATE", 7), row("CREATE", 5)];
    assert_eq!(answer["stockTransactions"]["nodes"], json!(all), "each with values of its own");
    for query in [
        "{ stockTransactions { nodes { action product { sku } } } }",
        "{ stockTransactions { edges { cursor } nodes { ...R } } } fragment R on StockTransaction { product { sku } }",
    ] {
        let answer = shop.ask(query, json!({})).await;
        assert_eq!(skus(&answer), ["MUG", "MUG"], "{answer}");
    }

    let report = verify(shop.database(), false).await.expect("a report");
    for right in [
        format!("{bag}: missing; rows of the log that name it: 1"),
        format!("{order}: missing; rows of the log that name it: 1"),
        format!("{order}: missing; order items that name it: 1"),
        format!("{order}: missing; payments that name it: 1"),
    ] {
        assert!(report.differences.contains(&right), "{right}: {:#?}", report.differences);
    }
}
