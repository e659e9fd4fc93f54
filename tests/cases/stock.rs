//! Staff and the numbers: what is allocated stays covered, whoever adjusts.

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::open;
use crate::support::{Shop, codes, paid};

/// A product of so many units, some of them held by a paid order.
async fn stocked(shop: &Shop, sku: &str, total: i32, ordered: i32) -> String {
    let product = shop.product(sku, total).await;
    let order = shop.order(&[(&product, ordered)]).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    product
}

// C34
#[tokio::test]
async fn stock_is_never_set_below_what_is_allocated() {
    let shop = open().await;
    let rope = stocked(&shop, "ROPE", 30, 10).await;
    let other = shop.product("OTHER", 1).await;
    let log = shop.log(&rope).await;
    for (action, quantity) in [("DECREMENT", 25), ("DECREMENT", 21), ("SET", 9), ("SET", 0), ("ALLOCATE", 21)] {
        let refused = shop.adjust(&rope, action, quantity).await;
        assert_eq!(codes(&refused), ["INSUFFICIENT_STOCK"], "{action} {quantity}");
        assert_eq!((&refused["stocks"], &refused["transactions"]), (&json!(null), &json!(null)));
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "changes", "0", "quantity"]));
        let changes = json!([{ "productId": other, "action": "INCREMENT", "quantity": 1 },
            { "productId": rope, "action": action, "quantity": quantity }]);
        assert_eq!(codes(&shop.adjust_all(json!({ "changes": changes })).await), ["INSUFFICIENT_STOCK"]);
    }
    assert_eq!((shop.stock(&rope).await, shop.log(&rope).await), ((30, 10, 20), log));
    assert_eq!(shop.log(&other).await, ["CREATE 1"], "changes of one call happen together or not at all");
    assert_eq!(codes(&shop.adjust(&rope, "DECREMENT", 20).await), [""; 0]);
    assert_eq!(shop.stock(&rope).await, (10, 10, 0));
    shop.close().await;
}

// C34: setting stock to what it is, and asking what would happen, write nothing.
#[tokio::test]
async fn an_adjustment_that_changes_nothing_writes_nothing() {
    let shop = open().await;
    let rope = stocked(&shop, "ROPE", 30, 10).await;
    let before = shop.adjust(&rope, "SET", 30).await;
    assert_eq!((codes(&before).len(), &before["transactions"]), (0, &json!([])));
    let change = |quantity| json!([{ "productId": rope, "action": "DECREMENT", "quantity": quantity }]);
    let dry = shop.adjust_all(json!({ "changes": change(20), "dryRun": true })).await;
    let after = json!({ "total": 10, "available": 0, "allocated": 10 });
    assert_eq!((&dry["preview"][0]["after"], &dry["stocks"]), (&after, &json!(null)));
    let dry = shop.adjust_all(json!({ "changes": change(21), "dryRun": true })).await;
    assert_eq!(codes(&dry), ["INSUFFICIENT_STOCK"]);
    let after = shop.adjust(&rope, "SET", 30).await;
    assert_eq!(after["stocks"], before["stocks"], "the version, too");
    assert_eq!(shop.log(&rope).await, ["CREATE 30", "ALLOCATE 10"]);
    shop.close().await;
}

// C35
#[tokio::test]
async fn more_allocated_than_there_is_cannot_be_written_even_by_sql() {
    let shop = open().await;
    let seed = stocked(&shop, "SEED", 6, 6).await;
    for (action, quantity) in [("DECREMENT", 5), ("DECREMENT", 1), ("SET", 1), ("ALLOCATE", 1)] {
        assert_eq!(codes(&shop.adjust(&seed, action, quantity).await), ["INSUFFICIENT_STOCK"], "{action} {quantity}");
    }
    for sql in [
        "UPDATE stock SET total = 1",
        "UPDATE stock SET allocated = 7",
        "UPDATE stock SET allocated = -1",
        "UPDATE stock SET total = -1, allocated = -1",
        "UPDATE stock SET total = 1000000001",
        "UPDATE stock SET by_hand = 7",
        "UPDATE stock SET by_hand = -1",
    ] {
        let error = shop.database().execute_unprepared(sql).await.expect_err(sql);
        assert!(error.to_string().to_lowercase().contains("check constraint"), "{sql}: {error}");
    }
    for sql in ["UPDATE stock_transaction SET quantity = 1", "DELETE FROM stock_transaction"] {
        let error = shop.database().execute_unprepared(sql).await.expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(shop.stock(&seed).await, (6, 6, 0));
    shop.close().await;
}

// C28
#[tokio::test]
async fn hands_cannot_free_what_orders_hold() {
    let shop = open().await;
    let milk = stocked(&shop, "MILK", 10, 4).await;
    assert_eq!(codes(&shop.adjust(&milk, "DEALLOCATE", 1).await), ["INSUFFICIENT_STOCK"]);
    assert_eq!(codes(&shop.adjust(&milk, "ALLOCATE", 3).await), [""; 0]);
    for quantity in [4, 7, 8] {
        assert_eq!(codes(&shop.adjust(&milk, "DEALLOCATE", quantity).await), ["INSUFFICIENT_STOCK"], "{quantity}");
    }
    assert_eq!(shop.stock(&milk).await, (10, 7, 3));
    assert_eq!(codes(&shop.adjust(&milk, "DEALLOCATE", 3).await), [""; 0]);
    assert_eq!(codes(&shop.adjust(&milk, "DEALLOCATE", 1).await), ["INSUFFICIENT_STOCK"]);
    assert_eq!(shop.log(&milk).await, ["CREATE 10", "ALLOCATE 4", "ALLOCATE 3", "DEALLOCATE 3"]);
    shop.close().await;
}

// C28: a mix of everything at once.
#[tokio::test(flavor = "multi_thread")]
async fn allocated_never_becomes_negative_in_any_mix() {
    let shop = open().await;
    let milk = shop.product("MILK", 20).await;
    let client = |number: usize| {
        let (shop, milk) = (&shop, milk.as_str());
        async move {
            let order = shop.order(&[(milk, 1)]).await;
            let (action, quantity) = [("ALLOCATE", 1), ("DEALLOCATE", 1), ("INCREMENT", 1)][number % 3];
            let _ =
                tokio::join!(shop.pay(&order), shop.adjust(milk, action, quantity), shop.adjust(milk, "DEALLOCATE", 9));
            let _ = tokio::join!(shop.cancel(&order), shop.ship(&order), shop.cancel(&order), shop.ship(&order));
        }
    };
    join_all((0..15).map(client)).await;
    let orders = shop.data("{ orders(first: 100) { nodes { items { allocatedQuantity } } } }", json!({})).await;
    let nodes = orders["orders"]["nodes"].as_array().expect("orders");
    assert!(nodes.iter().all(|order| order["items"][0]["allocatedQuantity"] == 0), "{orders}");
    let (total, allocated, available) = shop.stock(&milk).await;
    assert!((0..=5).contains(&allocated) && available == total - allocated, "{allocated} by hand of {total}");
    // Closing folds the log, in which every prefix must be possible.
    shop.close().await;
}
