//! Cases that people who run shops reported against other systems, told against this one. The comment above a test has
//! the case's number. A case stands for a kind: its relatives are in the same test.

mod after_sale;
mod buying;
mod cart;
mod catalogue;
mod paging;
mod paying;
mod stock;

use std::time::Duration;

use entity::sandbox_charge;
use onhand::config::PaymentTimeouts;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Paid, Shop, codes, short_times};

/// An empty shop that waits for its gateway as long as a test does, however busy the machine is.
async fn open() -> Shop {
    let times = PaymentTimeouts { pay_answer: PATIENCE, pay_gateway: PATIENCE, pay_lease: PATIENCE, ..short_times() };
    Shop::open_with(times).await
}

/// An empty shop that soon gives up waiting for a silent gateway, but not before a busy machine has begun to pay.
async fn open_impatient() -> Shop {
    let (pay_answer, pay_gateway) = (Duration::from_secs(1), Duration::from_millis(1_500));
    Shop::open_with(PaymentTimeouts { pay_answer, pay_gateway, pay_lease: Duration::from_secs(2), ..short_times() })
        .await
}

/// How many charges the sandbox has made, by its own journal: no client can see what a gateway did.
async fn charges(shop: &Shop) -> u64 {
    let charged = sandbox_charge::Entity::find().filter(sandbox_charge::Column::Fate.eq("charged"));
    charged.count(shop.database()).await.expect("the journal")
}

/// The payload of paying in short, for payments that need more than a token.
fn in_short(payload: &Value) -> Paid {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    Paid {
        payment: word(&payload["payment"]["status"]),
        order: word(&payload["order"]["payment"]),
        codes: codes(payload).into_iter().map(str::to_owned).collect(),
    }
}

/// The statuses of an order: as a whole, its payment, its shipping.
async fn statuses(shop: &Shop, order: &str) -> [String; 3] {
    let order = shop.read_order(order).await;
    ["status", "payment", "shipping"].map(|name| order[name].as_str().unwrap_or_default().to_owned())
}

/// Every id of a list at the root, page by page.
async fn all_pages(shop: &Shop, list: &str, size: usize) -> Vec<Vec<String>> {
    let query = format!(
        "query($after: String) {{ list: {list}(first: {size}, after: $after) {{ nodes {{ id }} \
         pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut data = shop.data(&query, json!({ "after": after })).await;
        pages.push(ids(&data["list"]["nodes"]));
        if data["list"]["pageInfo"]["hasNextPage"] == false {
            return pages;
        }
        after = data["list"]["pageInfo"]["endCursor"].take();
    }
}

/// The ids of these nodes.
fn ids(nodes: &Value) -> Vec<String> {
    let nodes = nodes.as_array().unwrap_or_else(|| panic!("no nodes: {nodes}"));
    nodes.iter().map(|node| node["id"].as_str().expect("an id").to_owned()).collect()
}
