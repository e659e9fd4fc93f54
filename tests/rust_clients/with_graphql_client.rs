//! graphql_client: documents in files of their own, and types that are made of them. It sends the whole file with each
//! operation and names the one that it means.

use futures_util::StreamExt;
use graphql_client::{GraphQLQuery, Response};
use graphql_ws_client::graphql::StreamingOperation;
use serde_json::json;
use tokio::time::timeout;

use super::{Socket, post};
use crate::support::{PATIENCE, Shop};

type Long = i64;
type DateTime = String;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/rust_clients/operations.graphql",
    response_derives = "Debug, PartialEq",
    normalization = "rust"
)]
struct ReadShelf;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "schema.graphql", query_path = "tests/rust_clients/operations.graphql")]
struct ReadNode;

// With `normalization = "rust"` its own value `Other`, for what is newer, would meet OTHER of the schema.
#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/rust_clients/operations.graphql",
    response_derives = "Debug, PartialEq",
    skip_serializing_none
)]
struct Receive;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "schema.graphql", query_path = "tests/rust_clients/operations.graphql")]
struct FollowStock;

fn receipt(product: &str, quantity: i64) -> receive::Variables {
    let change = receive::StockChangeInput {
        product_id: product.to_owned(),
        action: receive::StockAction::INCREMENT,
        quantity,
        expected_version: None,
    };
    let input = receive::AdjustStockInput {
        changes: vec![change],
        reason: receive::StockReason::RECEIVED,
        note: None,
        reference: None,
        dry_run: None,
        idempotency_key: None,
    };
    receive::Variables { input }
}

#[tokio::test]
async fn queries_read_enums_scalars_and_types_that_implement_an_interface() {
    let shop = Shop::open().await;
    let id = shop.product("TYPED", 5).await;
    let variables = read_shelf::Variables {
        search: "TYPED".to_owned(),
        availability: Some(vec![read_shelf::Availability::InStock]),
    };
    let answer: Response<read_shelf::ResponseData> = post(&shop, &ReadShelf::build_query(variables)).await;
    let page = answer.data.and_then(|data| data.products).expect("a page");
    let product = &page.nodes[0];
    assert_eq!((product.sku.as_str(), &product.status), ("TYPED", &read_shelf::ProductStatus::Active));
    assert_eq!(product.price.amount, 1000);
    assert_eq!(product.stock.as_ref().map(|stock| stock.available), Some(5));
    assert!(product.created_at.ends_with('Z'));
    let read = ReadNode::build_query(read_node::Variables { id });
    let node: Response<read_node::ResponseData> = post(&shop, &read).await;
    let node = node.data.and_then(|data| data.node).expect("a node");
    assert!(matches!(node, read_node::ReadNodeNode::Product(product) if product.sku == "TYPED"));
    let wrong = ReadNode::build_query(read_node::Variables { id: "x".to_owned() });
    let fault: Response<read_node::ResponseData> = post(&shop, &wrong).await;
    let extensions = fault.errors.expect("errors")[0].extensions.clone().expect("extensions");
    assert_eq!(extensions["code"], json!("BAD_ID"));
    shop.close().await;
}

#[tokio::test]
async fn mutations_change_and_are_refused() {
    let shop = Shop::open().await;
    let id = shop.product("TYPED", 5).await;
    let done: Response<receive::ResponseData> = post(&shop, &Receive::build_query(receipt(&id, 2))).await;
    let stocks = done.data.expect("data").adjust_stock.stocks.expect("stocks");
    assert_eq!(stocks[0].available, 7);
    let refused: Response<receive::ResponseData> = post(&shop, &Receive::build_query(receipt(&id, 0))).await;
    let errors = refused.data.expect("data").adjust_stock.user_errors;
    assert_eq!(errors[0].code, receive::UserErrorCode::INVALID_QUANTITY);
    shop.close().await;
}

#[tokio::test]
async fn subscriptions_are_sent_the_present_state_and_then_each_newer_one() {
    let shop = Shop::open().await;
    let id = shop.product("TYPED", 5).await;
    let operation = StreamingOperation::<FollowStock>::new(follow_stock::Variables { ids: vec![id.clone()] });
    let client = graphql_ws_client::Client::build(Socket::open(&shop).await);
    let mut states = client.subscribe(operation).await.expect("a subscription");
    for expected in [5, 7] {
        let state = timeout(PATIENCE, states.next()).await.expect("a state in time").expect("a state").expect("JSON");
        assert_eq!(state.data.expect("data").stock_changed.available, expected);
        if expected == 5 {
            shop.adjust(&id, "INCREMENT", 2).await;
        }
    }
    drop(states);
    shop.close().await;
}
