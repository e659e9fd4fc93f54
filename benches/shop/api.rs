//! The operations of the API that the benchmark uses, and the catalogue and the orders that are made before it measures.

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::Connection;

/// Connections over which a catalogue and orders are made.
const CONNECTIONS: usize = 64;

/// Changes in one adjustment of stock.
const CHANGES: usize = 100;

const CREATE_PRODUCT: &str =
    "mutation($input: CreateProductInput!) { createProduct(input: $input) { product { id } userErrors { code } } }";
const CREATE_CART: &str =
    "mutation($input: CreateCartInput) { createCart(input: $input) { cart { id } userErrors { code } } }";
const CHECK_OUT: &str =
    "mutation($input: CheckOutInput!) { checkOut(input: $input) { order { id } userErrors { code } } }";
const PAY: &str =
    "mutation($input: PayOrderInput!) { payOrder(input: $input) { order { payment } userErrors { code } } }";
const SHIP: &str =
    "mutation($input: ShipOrderInput!) { shipOrder(input: $input) { order { shipping } userErrors { code } } }";
const ADJUST: &str =
    "mutation($input: AdjustStockInput!) { adjustStock(input: $input) { stocks { version } userErrors { code } } }";
const STOCK: &str = "query($id: ID!) { stock(productId: $id) { id total available allocated version } }";
const STOCKS: &str = "query($ids: [ID!]!) { stocks(productIds: $ids) { total available allocated } }";
const READ: &str = "query($id: ID!) { product(by: { id: $id }) { id sku name price { amount currency } stock { total available allocated version } } }";
const PAGE: &str = "query { products(first: 20) { nodes { id sku name price { amount currency } stock { total available allocated version } } \
    pageInfo { hasNextPage endCursor } } }";
const PAID: &str = "query($after: String) { orders(first: 100, after: $after, filter: { payment: [PAID] }) { nodes { id } pageInfo { hasNextPage endCursor } } }";

fn body(query: &str, variables: &Value) -> Vec<u8> {
    json!({ "query": query, "variables": variables }).to_string().into_bytes()
}

/// A request to pay an order with the sandbox or with `manual`.
pub fn pay(order: &str, gateway: &str) -> Vec<u8> {
    let token = if gateway == "sandbox" { json!("succeed") } else { Value::Null };
    body(PAY, &json!({ "input": { "orderId": order, "gateway": gateway, "token": token } }))
}

/// A request to ship an order.
pub fn ship(order: &str) -> Vec<u8> {
    body(SHIP, &json!({ "input": { "orderId": order } }))
}

/// A request for a product with its stock.
pub fn read(product: &str) -> Vec<u8> {
    body(READ, &json!({ "id": product }))
}

/// A request for the first page of products with their stock.
pub fn page() -> Vec<u8> {
    body(PAGE, &Value::Null)
}

/// A request to add one unit to a product.
pub fn increment(product: &str) -> Vec<u8> {
    adjustment(&[product.to_owned()])
}

fn adjustment(products: &[String]) -> Vec<u8> {
    let change = |product| json!({ "productId": product, "action": "INCREMENT", "quantity": 1 });
    let changes: Vec<Value> = products.iter().map(change).collect();
    body(ADJUST, &json!({ "input": { "changes": changes } }))
}

/// Makes a cart with one unit of a product, checks it out, and returns the order's id.
pub async fn order(connection: &mut Connection, product: &str) -> Result<String> {
    let items = json!([{ "productId": product, "quantity": 1 }]);
    let cart = connection.json(&body(CREATE_CART, &json!({ "input": { "items": items } }))).await?;
    let cart = text(&cart, "/data/createCart/cart/id")?;
    let order = connection.json(&body(CHECK_OUT, &json!({ "input": { "cartId": cart } }))).await?;
    Ok(text(&order, "/data/checkOut/order/id")?.to_owned())
}

/// Makes products with so many units each, and returns their ids.
pub async fn products(host: &str, prefix: &str, count: usize, units: usize) -> Result<Vec<String>> {
    all(host, count, async |connection, number| {
        let input = json!({ "sku": format!("{prefix}-{number}"), "name": format!("Product {prefix} {number}"), "initialStock": units,
            "price": { "amount": 1_000, "currency": "EUR" } });
        let made = connection.json(&body(CREATE_PRODUCT, &json!({ "input": input }))).await?;
        Ok(text(&made, "/data/createProduct/product/id")?.to_owned())
    })
    .await
}

/// Makes so many orders of one unit, of these products in turn, and returns their ids.
pub async fn orders(host: &str, products: &[String], count: usize) -> Result<Vec<String>> {
    all(host, count, async |connection, number| order(connection, &products[number % products.len()]).await).await
}

/// Adds at least so many rows to the log, of these products in turn.
pub async fn fill_log(host: &str, products: &[String], rows: usize) -> Result<()> {
    let chunks: Vec<&[String]> = products.chunks(CHANGES).collect();
    let count = rows.div_ceil(CHANGES.min(products.len()));
    all(host, count, async |connection, number| {
        let answer = connection.json(&adjustment(chunks[number % chunks.len()])).await?;
        ensure!(answer["data"]["adjustStock"]["stocks"].is_array(), "refused: {answer}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// The numbers of a stock record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The id of the record.
    pub id: String,
    /// Units that can be sold.
    pub available: u64,
    /// Units that orders hold.
    pub allocated: u64,
    /// The version of the record.
    pub version: u64,
}

/// Returns the stock of a product.
pub async fn stock(host: &str, product: &str) -> Result<Stock> {
    let answer = Connection::open(host).await?.json(&body(STOCK, &json!({ "id": product }))).await?;
    let stock = &answer["data"]["stock"];
    let number = |name: &str| stock[name].as_u64().with_context(|| format!("no {name}: {answer}"));
    let id = text(&answer, "/data/stock/id")?.to_owned();
    Ok(Stock { id, available: number("available")?, allocated: number("allocated")?, version: number("version")? })
}

/// Returns how many units of these products are allocated. Fails if the numbers of one contradict each other.
pub async fn allocated(host: &str, products: &[String]) -> Result<u64> {
    let mut connection = Connection::open(host).await?;
    let mut sum = 0;
    for ids in products.chunks(CHANGES) {
        let answer = connection.json(&body(STOCKS, &json!({ "ids": ids }))).await?;
        let stocks = answer["data"]["stocks"].as_array().context("no stocks")?;
        ensure!(stocks.len() == ids.len(), "{} of {} stock records", stocks.len(), ids.len());
        for stock in stocks {
            let number = |name: &str| stock[name].as_u64().with_context(|| format!("not a count: {stock}"));
            let (total, available, allocated) = (number("total")?, number("available")?, number("allocated")?);
            ensure!(total == available + allocated, "oversold: {stock}");
            sum += allocated;
        }
    }
    Ok(sum)
}

/// Returns how many orders are paid.
pub async fn count_paid(host: &str) -> Result<u64> {
    let mut connection = Connection::open(host).await?;
    let (mut after, mut count) = (Value::Null, 0);
    loop {
        let answer = connection.json(&body(PAID, &json!({ "after": after }))).await?;
        let page = &answer["data"]["orders"];
        count += u64::try_from(page["nodes"].as_array().context("no orders")?.len())?;
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok(count);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str> {
    answer.pointer(pointer).and_then(Value::as_str).with_context(|| format!("refused: {answer}"))
}

/// Does something for each number below `count`, over several connections, and returns the results in no order.
async fn all<T>(host: &str, count: usize, each: impl AsyncFn(&mut Connection, usize) -> Result<T>) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = try_join_all((0..CONNECTIONS.min(count)).map(async |_| {
        let mut connection = Connection::open(host).await?;
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return anyhow::Ok(done);
            }
            done.push(each(&mut connection, number).await?);
        }
    }))
    .await?;
    Ok(done.into_iter().flatten().collect())
}
