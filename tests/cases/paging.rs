//! Pages of lists: nothing is skipped, nothing comes twice, and a bad argument harms only its own field.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use super::{all_pages, ids, open};
use crate::support::Shop;

/// Every id of a list at the root, page by page from its end.
async fn all_pages_backwards(shop: &Shop, list: &str, size: usize) -> Vec<Vec<String>> {
    let query = format!(
        "query($before: String) {{ list: {list}(last: {size}, before: $before) {{ nodes {{ id }} \
         pageInfo {{ hasPreviousPage startCursor }} }} }}"
    );
    let (mut pages, mut before) = (Vec::new(), Value::Null);
    loop {
        let mut data = shop.data(&query, json!({ "before": before })).await;
        pages.insert(0, ids(&data["list"]["nodes"]));
        if data["list"]["pageInfo"]["hasPreviousPage"] == false {
            return pages;
        }
        before = data["list"]["pageInfo"]["startCursor"].take();
    }
}

/// Reads a list in pages of ten from both ends: 25 distinct rows on three pages.
async fn assert_three_pages(shop: &Shop, list: &str) {
    let forwards = all_pages(shop, list, 10).await;
    let backwards = all_pages_backwards(shop, list, 10).await;
    assert_eq!(forwards.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5], "{list}");
    assert_eq!(backwards.iter().map(Vec::len).collect::<Vec<_>>(), [5, 10, 10], "{list}");
    let distinct: BTreeSet<_> = forwards.iter().flatten().collect();
    assert_eq!(distinct.len(), 25, "{list}");
    assert_eq!(forwards.concat(), backwards.concat(), "{list}: the same order from either end");
}

// C68
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_moment_appear_exactly_once() {
    let shop = open().await;
    let price = json!({ "amount": 100, "currency": "EUR" });
    let create =
        |number: usize| shop.create_product(json!({ "sku": format!("S{number}"), "name": "Twin", "price": price }));
    let made = join_all((0..25).map(create)).await;
    let products: Vec<&str> = made.iter().filter_map(|payload| payload["product"]["id"].as_str()).collect();
    assert_three_pages(&shop, "products").await;

    // One adjustment has one moment.
    let change = |product: &&str| json!({ "productId": product, "action": "INCREMENT", "quantity": 5 });
    let changes: Vec<Value> = products.iter().map(change).collect();
    shop.adjust_all(json!({ "changes": changes })).await;
    let times = "{ stockTransactions(first: 25) { nodes { createdAt } } }";
    let times = shop.data(times, json!({})).await["stockTransactions"]["nodes"].take();
    assert!(times.as_array().expect("rows").windows(2).all(|pair| pair[0] == pair[1]), "{times}");
    let rows = all_pages(&shop, "stockTransactions", 10).await;
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 10, 10]);
    assert_eq!(rows.iter().flatten().collect::<BTreeSet<_>>().len(), 50);

    let items = [(products[0], 1)];
    join_all((0..25).map(|_| shop.order(&items))).await;
    // No client can choose the moment of a check-out.
    let same = "UPDATE \"order\" SET placed_at = (SELECT MIN(placed_at) FROM \"order\")";
    shop.database().execute_unprepared(same).await.expect("an update");
    assert_three_pages(&shop, "orders").await;
    shop.close().await;
}

// C69
#[tokio::test]
async fn what_was_there_at_first_appears_exactly_once_whatever_is_added() {
    let shop = open().await;
    for number in 0..25 {
        let product = shop.product(&format!("P{number:02}"), 5).await;
        shop.order(&[(&product, 1)]).await;
    }
    for list in ["products", "orders", "stockTransactions"] {
        let there: BTreeSet<_> = all_pages(&shop, list, 100).await.concat().into_iter().collect();
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        let query = format!(
            "query($after: String) {{ list: {list}(first: 10, after: $after) {{ nodes {{ id }} \
             pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        loop {
            let mut data = shop.data(&query, json!({ "after": after })).await;
            seen.extend(ids(&data["list"]["nodes"]));
            if data["list"]["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = data["list"]["pageInfo"]["endCursor"].take();
            // Something new at the beginning, in the middle and at the end of the list of products.
            for sku in ["A", "P12", "Z"].map(|name| format!("{name}-{list}-{}", seen.len())) {
                let product = shop.product(&sku, 5).await;
                shop.order(&[(&product, 1)]).await;
            }
        }
        let again: Vec<_> = seen.iter().filter(|id| there.contains(*id)).collect();
        assert_eq!(again.len(), there.len(), "{list}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "{list}: nothing twice");
    }
    shop.close().await;
}

// C70
#[tokio::test]
async fn a_bad_page_harms_only_its_own_field() {
    let shop = open().await;
    let product = shop.product("MUG", 5).await;
    for list in ["orders", "products", "stockTransactions", "stock(productId: $id) { transactions"] {
        let close = if list.contains('{') { "}" } else { "" };
        let query = format!(
            "query($id: ID!) {{ bad: {list}(first: -1) {{ nodes {{ id }} }} {close} \
             good: products {{ nodes {{ id }} }} \
             stock(productId: $id) {{ total }} }}"
        );
        let answer = shop.ask(&query, json!({ "id": product })).await;
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{list}: {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(answer["errors"][0]["path"][0], "bad");
        let bad = &answer["data"]["bad"];
        assert!(bad.is_null() || bad["transactions"].is_null(), "{answer}");
        assert_eq!(answer["data"]["good"]["nodes"][0]["id"], product);
        assert_eq!(answer["data"]["stock"]["total"], 5);
    }
    shop.close().await;
}

// C71
#[tokio::test]
async fn a_bad_cursor_is_told_as_one() {
    let shop = open().await;
    let product = shop.product("MUG", 5).await;
    shop.order(&[(&product, 1)]).await;
    for list in ["products", "orders", "stockTransactions"] {
        let edges = shop.data(&format!("{{ {list} {{ edges {{ cursor }} }} }}"), json!({})).await;
        let cursor = edges[list]["edges"][0]["cursor"].as_str().expect("a cursor").to_owned();
        let cut = &cursor[..cursor.len() / 2];
        for bad in ["x", "", " ", cut, &cursor[1..], &format!("{cursor}="), &format!("{cursor} "), "null", "bnVsbA"] {
            for argument in ["after", "before"] {
                let query = format!(
                    "query($at: String) {{ bad: {list}({argument}: $at) {{ nodes {{ id }} }} \
                     good: products {{ nodes {{ id }} }} }}"
                );
                let answer = shop.ask(&query, json!({ "at": bad })).await;
                assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_CURSOR", "{list} {bad:?}: {answer}");
                assert_eq!(answer["data"]["good"]["nodes"][0]["id"], product);
            }
        }
    }
    shop.close().await;
}
