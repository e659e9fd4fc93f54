//! Errors of execution: few and short over every transport, and null goes no further than it must.

use domain::stock::PublicStock;
use futures_util::future::join_all;
use onhand::config::Role;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Client, Shop, Socket};

/// Products on a page, each with a field that fails.
const PRODUCTS: usize = 100;

/// Longest list of errors, as JSON, in bytes.
const MAX_ERRORS_SIZE: usize = 8_192;

async fn fill(staff: &Client) {
    let skus: Vec<_> = (0..PRODUCTS).map(|at| format!("P-{at}")).collect();
    join_all(skus.iter().map(|sku| staff.product(sku, 1))).await;
}

/// The same answer by POST, as an event and over a websocket.
async fn everywhere(client: &Client, query: &str) -> Value {
    let answer = client.ask(query, json!({})).await;
    let request = client.http.post(format!("{}/graphql", client.url)).json(&json!({ "query": query }));
    let events = request.header("accept", "text/event-stream").send().await.expect("an answer");
    let events = events.text().await.expect("events that end");
    let event = events.lines().find_map(|line| line.strip_prefix("data: ")).expect("a result");
    assert_eq!(serde_json::from_str::<Value>(event).expect("JSON"), answer, "as an event");
    let mut socket = Socket::open(client).await;
    socket.subscribe("1", query, json!({})).await;
    let message = socket.next().await;
    assert_eq!((&message["type"], &message["payload"]), (&json!("next"), &answer), "over a websocket");
    answer
}

#[tokio::test]
async fn many_fields_that_fail_make_few_errors_and_a_number() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    fill(&shop.signed_in(Role::Staff, "sam").await).await;
    let guest = Client::clone(&shop);
    let name = |letter: &str| letter.repeat(100);
    let (products, nodes, stock, log) = (name("p"), name("n"), name("s"), name("l"));
    let query = format!(
        "{{ {products}: products(first: 100) {{ {nodes}: nodes {{ sku {stock}: stock {{ {log}: transactions(first: 1) {{ \
         nodes {{ id }} }} }} }} }} }}"
    );
    let answer = everywhere(&guest, &query).await;
    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!((errors.len(), &answer["extensions"]["errorsLeftOut"]), (10, &json!(90)));
    assert!(answer["errors"].to_string().len() <= MAX_ERRORS_SIZE, "{errors:?}");
    for error in errors {
        assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED", "{error}");
        let path = error["path"].as_array().expect("a path");
        assert_eq!((path.len(), &path[4]), (5, &json!(log)), "a path is whole: {error}");
    }
    let rows = answer["data"][&products][&nodes].as_array().expect("rows");
    assert_eq!(rows.len(), PRODUCTS, "the data is whole");
    assert!(rows.iter().all(|row| row["sku"].is_string() && row[&stock] == json!({ &log: null })));
    let few = everywhere(&guest, &query.replace("first: 100", "first: 10")).await;
    assert_eq!(few["errors"].as_array().map(Vec::len), Some(10));
    assert!(few.get("extensions").is_none(), "nothing is left out: {few}");
    shop.close().await;
}

#[tokio::test]
async fn a_field_that_may_not_be_null_takes_its_parents_along_and_nobody_else() {
    let shop = Shop::open().await;
    fill(&shop).await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    shop.database().execute_unprepared(&rename("stock_transaction", "hidden")).await.expect("a table");
    let query = "{ a: __typename bad: stockTransactions(first: 1) { nodes { id } } \
        half: products(first: 100) { nodes { sku stock { transactions(last: 1) { nodes { id } } } } } z: __typename }";
    let answer = shop.ask(query, json!({})).await;
    shop.database().execute_unprepared(&rename("hidden", "stock_transaction")).await.expect("a table");
    let data = &answer["data"];
    assert_eq!((&data["a"], &data["bad"], &data["z"]), (&json!("Query"), &json!(null), &json!("Query")));
    let half = data["half"]["nodes"].as_array().expect("rows");
    assert!(
        half.len() == PRODUCTS
            && half.iter().all(|row| row["sku"].is_string() && row["stock"]["transactions"].is_null())
    );
    let errors = answer["errors"].as_array().expect("errors");
    assert!(errors.len() == 10 && answer["extensions"]["errorsLeftOut"].as_u64() >= Some(90), "{errors:?}");
    assert!(answer["errors"].to_string().len() <= MAX_ERRORS_SIZE);
    shop.close().await;
}
