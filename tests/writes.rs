//! What it costs to write: a point for ten rows, and so many rows of carts a second from one address. Exactly what is
//! allowed is done, one row more is refused, and nothing of it happens.

use std::num::NonZeroU32;

use entity::cart;
use onhand::config::Role;
use onhand::server::{Rate, RateLimits, TransportConfig};
use reqwest::Response;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::support::{Client, Shop, Wanted, with_tokens};

/// It costs a point, three thousandths for its fields, and a tenth for each row.
const CREATE: &str = "mutation($input: CreateCartInput) { createCart(input: $input) { cart { id } } }";
const CREATE_COST: u32 = 1_003;
const ROW_COST: u32 = 100;

/// Points, in thousandths, that do not come back while a test runs.
fn slow(burst: u32) -> Rate {
    Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).expect("some points") }
}

async fn production(rates: RateLimits) -> Shop {
    let trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let transport = TransportConfig { rates, trusted_proxies, ..TransportConfig::default() };
    Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await
}

fn items(product: &str, count: usize) -> Value {
    json!({ "items": vec![json!({ "productId": product, "quantity": 1 }); count] })
}

async fn post(client: &Client, query: &str, input: &Value, address: &str) -> Response {
    let body = json!({ "query": query, "variables": { "input": input } });
    let request = client.http.post(format!("{}/graphql", client.url)).json(&body).header("x-forwarded-for", address);
    let request = match &client.authorization {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// The status and the code of a refusal, which says when to come again if that helps.
async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers().contains_key("retry-after"), status == 429, "{response:?}");
    let body: Value = response.json().await.expect("JSON");
    (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn carts(shop: &Shop) -> u64 {
    cart::Entity::find().count(shop.database()).await.expect("a count")
}

#[tokio::test]
async fn ten_rows_that_are_written_cost_a_point() {
    let whole = CREATE_COST + 10 * ROW_COST;
    let shop = production(RateLimits::new(slow(2 * whole), None)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 500).await;
    for _ in 0..2 {
        assert_eq!(post(&shop, CREATE, &items(&mug, 9), "192.0.2.1").await.status().as_u16(), 200);
    }
    let refused = post(&shop, "{ __typename }", &Value::Null, "192.0.2.1").await;
    assert_eq!(refusal(refused).await, (429, "RATE_LIMITED".to_owned()), "all points are spent");
    let made = carts(&shop).await;
    let small = production(RateLimits::new(slow(whole - 1), None)).await;
    let staff_there = small.signed_in(Role::Staff, "sam").await;
    let pot = staff_there.product("POT", 500).await;
    let refused = post(&small, CREATE, &items(&pot, 9), "192.0.2.1").await;
    assert_eq!(refusal(refused).await, (400, "LIMIT_EXCEEDED".to_owned()), "nobody ever has as many points");
    assert_eq!((made, carts(&small).await), (2, 0), "nothing is written by what is refused");
    let exact = production(RateLimits::new(slow(CREATE_COST + 2 * ROW_COST), None)).await;
    let pan = exact.signed_in(Role::Staff, "sam").await.product("PAN", 5).await;
    let literal = format!(
        "mutation {{ createCart(input: {{ items: [{{ productId: \"{pan}\", quantity: 1 }}] }}) {{ cart {{ id }} }} }}"
    );
    assert_eq!(post(&exact, &literal, &Value::Null, "192.0.2.1").await.status().as_u16(), 200);
    let left = post(&exact, "{ __typename }", &Value::Null, "192.0.2.1").await;
    assert_eq!(refusal(left).await.0, 429, "what stands in the document counts like what stands in its variables");
    exact.close().await;
    assert_eq!(
        post(&staff, CREATE, &items(&mug, 100), "192.0.2.1").await.status().as_u16(),
        200,
        "staff are not counted"
    );
    small.close().await;
    shop.close().await;
}

#[tokio::test]
async fn an_address_writes_so_many_rows_of_carts() {
    let plenty = RateLimits::new(Rate::of_points(1_000_000, 1_000_000), None);
    let shop = production(plenty.with_cart_rows(slow(30_000))).await;
    let (ada, staff) = (shop.signed_in(Role::Customer, "ada").await, shop.signed_in(Role::Staff, "sam").await);
    let mug = staff.product("MUG", 500).await;
    let (here, there) = ("192.0.2.1", "192.0.2.2");
    let made = post(&shop, CREATE, &items(&mug, 9), here).await.json::<Value>().await.expect("JSON");
    let cart = made["data"]["createCart"]["cart"]["id"].clone();
    let add = "mutation($input: AddToCartInput!) { addToCart(input: $input) { cart { totalQuantity } } }";
    let mut more = items(&mug, 9);
    more["cartId"] = cart.clone();
    assert_eq!(post(&shop, add, &more, here).await.status().as_u16(), 200);
    assert_eq!(post(&ada, CREATE, &items(&mug, 9), here).await.status().as_u16(), 200, "customers count with guests");
    for client in [&shop, &ada] {
        let refused = post(client, CREATE, &Value::Null, here).await;
        assert_eq!(refusal(refused).await, (429, "RATE_LIMITED".to_owned()));
        let refused = post(client, add, &more, here).await;
        assert_eq!(refusal(refused).await, (429, "RATE_LIMITED".to_owned()));
    }
    let read = "query($input: ID!) { cart(id: $input) { totalQuantity } }";
    let read = post(&shop, read, &cart, here).await.json::<Value>().await.expect("JSON");
    assert_eq!(read["data"]["cart"]["totalQuantity"], 18, "it is still read, and nothing refused was added");
    assert_eq!(carts(&shop).await, 2);
    assert_eq!(post(&staff, CREATE, &items(&mug, 100), here).await.status().as_u16(), 200, "staff are not counted");
    assert_eq!(refusal(post(&shop, CREATE, &items(&mug, 30), there).await).await, (400, "LIMIT_EXCEEDED".to_owned()));
    assert_eq!(
        post(&shop, CREATE, &items(&mug, 29), there).await.status().as_u16(),
        200,
        "another address has its own"
    );
    shop.close().await;
}
