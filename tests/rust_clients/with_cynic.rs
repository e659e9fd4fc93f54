//! cynic: queries are Rust types. Arguments that are given as values are written into the document, unknown enum values
//! and types have a fallback, and `@oneOf` inputs are enums.

use cynic::{GraphQlResponse, MutationBuilder, QueryBuilder, SubscriptionBuilder};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;

use super::{Socket, post};
use crate::support::{PATIENCE, Shop};
use queries::{
    AdjustStockInput, FollowStock, FollowStockVariables, Node, ProductKey, ReadNode, ReadNodeVariables, ReadShelf,
    ReadShelfVariables, Receive, ReceiveVariables, StockAction, StockChangeInput, StockReason, UserErrorCode,
};

#[allow(clippy::all, clippy::pedantic, reason = "written by a macro")]
mod schema {
    cynic::use_schema!("schema.graphql");
}

#[allow(clippy::pedantic, reason = "read by a macro")]
#[cynic::schema_for_derives(file = "schema.graphql", module = "super::schema")]
mod queries {
    use super::schema;

    cynic::impl_scalar!(i64, schema::Long);

    #[derive(cynic::Scalar, Debug)]
    pub struct DateTime(pub String);

    #[derive(cynic::Enum, Debug, PartialEq)]
    pub enum ProductStatus {
        Active,
        Archived,
        #[cynic(fallback)]
        Newer(String),
    }

    #[derive(cynic::Enum, Debug)]
    pub enum Availability {
        InStock,
        LowStock,
        OutOfStock,
        Untracked,
    }

    #[derive(cynic::InputObject, Debug)]
    #[cynic(schema_path = "schema.graphql")]
    #[expect(dead_code, reason = "cynic wants every key")]
    pub enum ProductKey {
        Id(cynic::Id),
        Sku(String),
        Slug(String),
    }

    #[derive(cynic::QueryVariables, Debug)]
    pub struct ReadShelfVariables {
        pub search: String,
        pub availability: Option<Vec<Availability>>,
        pub by: ProductKey,
    }

    #[derive(cynic::QueryFragment, Debug)]
    #[cynic(graphql_type = "Query", variables = "ReadShelfVariables")]
    pub struct ReadShelf {
        #[arguments(search: $search, availability: $availability, first: 1)]
        pub products: Option<ProductConnection>,
        #[arguments(by: $by)]
        pub product: Option<Product>,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct ProductConnection {
        pub nodes: Vec<Product>,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct Product {
        pub sku: String,
        pub status: ProductStatus,
        pub price: Option<Money>,
        pub created_at: DateTime,
        pub stock: Option<Stock>,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct Money {
        pub amount: i64,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct Stock {
        pub available: i32,
    }

    #[derive(cynic::QueryVariables, Debug)]
    pub struct ReadNodeVariables {
        pub id: cynic::Id,
    }

    #[derive(cynic::QueryFragment, Debug)]
    #[cynic(graphql_type = "Query", variables = "ReadNodeVariables")]
    pub struct ReadNode {
        #[arguments(id: $id)]
        pub node: Option<Node>,
    }

    #[derive(cynic::InlineFragments, Debug)]
    pub enum Node {
        Product(Product),
        #[cynic(fallback)]
        Other,
    }

    #[derive(cynic::Enum, Debug)]
    #[cynic(non_exhaustive)]
    pub enum StockAction {
        Increment,
        Decrement,
        Allocate,
        Deallocate,
        Set,
        #[cynic(fallback)]
        Newer(String),
    }

    #[derive(cynic::Enum, Debug)]
    #[cynic(non_exhaustive)]
    pub enum StockReason {
        Received,
        #[cynic(fallback)]
        Newer(String),
    }

    #[derive(cynic::Enum, Debug, PartialEq)]
    #[cynic(non_exhaustive)]
    pub enum UserErrorCode {
        InvalidQuantity,
        #[cynic(fallback)]
        Newer(String),
    }

    #[derive(cynic::InputObject, Debug)]
    pub struct StockChangeInput {
        pub product_id: cynic::Id,
        pub action: StockAction,
        pub quantity: i32,
    }

    #[derive(cynic::InputObject, Debug)]
    pub struct AdjustStockInput {
        pub changes: Vec<StockChangeInput>,
        pub reason: StockReason,
        #[cynic(skip_serializing_if = "Option::is_none")]
        pub note: Option<String>,
    }

    #[derive(cynic::QueryVariables, Debug)]
    pub struct ReceiveVariables {
        pub input: AdjustStockInput,
    }

    #[derive(cynic::QueryFragment, Debug)]
    #[cynic(graphql_type = "Mutation", variables = "ReceiveVariables")]
    pub struct Receive {
        #[arguments(input: $input)]
        pub adjust_stock: AdjustStockPayload,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct AdjustStockPayload {
        pub stocks: Option<Vec<Stock>>,
        pub user_errors: Vec<UserError>,
    }

    #[derive(cynic::QueryFragment, Debug)]
    pub struct UserError {
        pub code: UserErrorCode,
    }

    #[derive(cynic::QueryVariables, Debug)]
    pub struct FollowStockVariables {
        pub ids: Vec<cynic::Id>,
    }

    #[derive(cynic::QueryFragment, Debug)]
    #[cynic(graphql_type = "Subscription", variables = "FollowStockVariables")]
    pub struct FollowStock {
        #[arguments(productIds: $ids)]
        pub stock_changed: Stock,
    }
}

fn receipt(product: &str, quantity: i32) -> ReceiveVariables {
    let change = StockChangeInput { product_id: product.into(), action: StockAction::Increment, quantity };
    ReceiveVariables { input: AdjustStockInput { changes: vec![change], reason: StockReason::Received, note: None } }
}

#[tokio::test]
async fn queries_read_enums_scalars_and_types_that_implement_an_interface() {
    let shop = Shop::open().await;
    let id = shop.product("CYNIC", 5).await;
    let variables =
        ReadShelfVariables { search: "CYNIC".into(), availability: None, by: ProductKey::Sku("cynic".into()) };
    let answer: GraphQlResponse<ReadShelf> = post(&shop, &ReadShelf::build(variables)).await;
    let read = answer.data.expect("data");
    for product in read.products.expect("a page").nodes.iter().chain(&read.product) {
        assert_eq!(product.sku, "CYNIC");
        assert_eq!(product.status, queries::ProductStatus::Active);
        assert_eq!(product.price.as_ref().map(|price| price.amount), Some(1000));
        assert_eq!(product.stock.as_ref().map(|stock| stock.available), Some(5));
        assert!(product.created_at.0.ends_with('Z'));
    }
    let node: GraphQlResponse<ReadNode> = post(&shop, &ReadNode::build(ReadNodeVariables { id: id.into() })).await;
    assert!(matches!(node.data.expect("data").node, Some(Node::Product(product)) if product.sku == "CYNIC"));
    let wrong = ReadNode::build(ReadNodeVariables { id: "x".into() });
    let fault: GraphQlResponse<ReadNode, Value> = post(&shop, &wrong).await;
    assert_eq!(fault.errors.expect("errors")[0].extensions.as_ref().expect("extensions")["code"], "BAD_ID");
    shop.close().await;
}

#[tokio::test]
async fn mutations_change_and_are_refused() {
    let shop = Shop::open().await;
    let id = shop.product("CYNIC", 5).await;
    let done: GraphQlResponse<Receive> = post(&shop, &Receive::build(receipt(&id, 2))).await;
    assert_eq!(done.data.expect("data").adjust_stock.stocks.expect("stocks")[0].available, 7);
    let refused: GraphQlResponse<Receive> = post(&shop, &Receive::build(receipt(&id, 0))).await;
    assert_eq!(refused.data.expect("data").adjust_stock.user_errors[0].code, UserErrorCode::InvalidQuantity);
    shop.close().await;
}

#[tokio::test]
async fn subscriptions_are_sent_the_present_state_and_then_each_newer_one() {
    let shop = Shop::open().await;
    let id = shop.product("CYNIC", 5).await;
    let operation = FollowStock::build(FollowStockVariables { ids: vec![id.as_str().into()] });
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
