//! Every code of the contract: that there are exactly these, and that each is met by somebody who calls a running shop.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use domain::rejection::Code as UserErrorCode;
use domain::stock::PublicStock;
use futures_util::future::join_all;
use onhand::config::Role;
use onhand::graphql::Code;
use onhand::server::{ConcurrencyLimit, Rate, RateLimits, Timeouts, TransportConfig};
use reqwest::RequestBuilder;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Client, Shop, Wanted, codes, short_times, with_tokens};

/// `extensions.code`, as the contract has them.
const CODES: &str = "GRAPHQL_PARSE_FAILED GRAPHQL_VALIDATION_FAILED BAD_USER_INPUT BAD_ID BAD_CURSOR LIMIT_EXCEEDED \
    UNAUTHENTICATED FORBIDDEN NOT_FOUND RATE_LIMITED OVERLOADED UNAVAILABLE TIMEOUT PERSISTED_QUERY_NOT_FOUND INTERNAL";

/// `UserErrorCode`, as the contract has it.
const USER_ERROR_CODES: &str = "INSUFFICIENT_STOCK NOT_FOUND INVALID_INPUT INVALID_QUANTITY INVALID_STATE ALREADY_EXISTS \
    STALE_VERSION PAYMENT_DECLINED PAYMENT_IN_PROGRESS GATEWAY_ERROR CURRENCY_MISMATCH AMOUNT_TOO_LARGE \
    IDEMPOTENCY_KEY_REUSED PRODUCT_UNAVAILABLE LIMIT_EXCEEDED";

const ORDER: &str = "order_7zzzzzzzzzzzzzzzzzzzzzzzzz";

const SKU: &str = "{ products { nodes { sku } } }";

fn words(text: &str) -> BTreeSet<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn the_codes_are_those_of_the_contract_and_no_others() {
    assert_eq!(Code::ALL.iter().map(|code| code.as_str().to_owned()).collect::<BTreeSet<_>>(), words(CODES));
    let ours = UserErrorCode::ALL.iter().map(|code| code.as_str().to_owned());
    assert_eq!(ours.collect::<BTreeSet<_>>(), words(USER_ERROR_CODES));
    let shop = Shop::open().await;
    let query = "{ __type(name: \"UserErrorCode\") { enumValues { name } } }";
    let values = shop.data(query, json!({})).await["__type"]["enumValues"].take();
    let values = values.as_array().expect("values").iter().filter_map(|value| value["name"].as_str());
    assert_eq!(values.map(str::to_owned).collect::<BTreeSet<_>>(), words(USER_ERROR_CODES));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_met_over_http() {
    let met = Code::ALL.iter().map(|code| async move { (*code, meet(*code).await) });
    for (code, answer) in join_all(met).await {
        assert_eq!(answer["errors"][0]["extensions"]["code"], code.as_str(), "{answer}");
        assert!(answer.to_string().len() <= 8_192, "{answer}");
    }
}

/// An answer with this code.
async fn meet(code: Code) -> Value {
    match code {
        Code::ParseFailed => asked("{").await,
        Code::ValidationFailed => asked("{ nothing }").await,
        Code::BadUserInput => asked("{ products(first: -1) { nodes { id } } }").await,
        Code::BadId => asked("{ node(id: \"x\") { id } }").await,
        Code::BadCursor => asked("{ products(after: \"x\") { nodes { id } } }").await,
        Code::LimitExceeded => asked("{ products(first: 101) { nodes { id } } }").await,
        Code::Unauthenticated => with_a_bad_token().await,
        Code::Forbidden => as_a_customer("{ stockTransactions { nodes { id } } }").await,
        Code::NotFound => of_events(&format!("subscription {{ orderChanged(id: \"{ORDER}\") {{ id }} }}")).await,
        Code::RateLimited => without_a_point().await,
        Code::Overloaded => without_a_permit().await,
        Code::Unavailable => while_somebody_writes(Duration::from_mins(1)).await,
        Code::Timeout => while_somebody_writes(Duration::from_millis(200)).await,
        Code::PersistedQueryNotFound => by_an_unknown_hash().await,
        Code::Internal => without_a_table().await,
    }
}

async fn asked(query: &str) -> Value {
    let shop = Shop::open().await;
    let answer = shop.ask(query, json!({})).await;
    shop.close().await;
    answer
}

async fn with_a_bad_token() -> Value {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let nobody = Client { authorization: Some("Bearer x".to_owned()), ..Client::clone(&shop) };
    let answer = nobody.ask(SKU, json!({})).await;
    shop.close().await;
    answer
}

async fn as_a_customer(query: &str) -> Value {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let answer = shop.signed_in(Role::Customer, "ada").await.ask(query, json!({})).await;
    shop.close().await;
    answer
}

async fn of_events(query: &str) -> Value {
    let shop = Shop::open().await;
    let request = post(&shop, &json!({ "query": query })).header("accept", "text/event-stream");
    let text = request.send().await.expect("an answer").text().await.expect("events that end");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("a result");
    shop.close().await;
    serde_json::from_str(data).expect("JSON")
}

async fn without_a_point() -> Value {
    let two = NonZeroU32::new(2_000).expect("two points");
    let rates = RateLimits::new(Rate { per_second: NonZeroU32::MIN, burst: two }, None);
    let transport = TransportConfig { rates, ..TransportConfig::default() };
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await;
    shop.ask("{ __typename }", json!({})).await;
    let answer = shop.ask("{ __typename }", json!({})).await;
    shop.close().await;
    answer
}

async fn without_a_permit() -> Value {
    let requests = ConcurrencyLimit::new(1);
    let shop =
        Shop::open_with_transport(TransportConfig { requests: requests.clone(), ..TransportConfig::default() }).await;
    let permit = requests.try_acquire().expect("a free permit");
    let answer = shop.ask(SKU, json!({})).await;
    drop(permit);
    shop.close().await;
    answer
}

/// Somebody else has the database for longer than a command waits for its turn, and a request waits for its answer.
async fn while_somebody_writes(request: Duration) -> Value {
    let shop = Shop::open_with_transport(TransportConfig {
        timeouts: Timeouts { request, ..Timeouts::default() },
        ..TransportConfig::default()
    })
    .await;
    let somebody = shop.keep_busy().await;
    let answer = shop.ask("mutation { createCart { cart { id } } }", json!({})).await;
    somebody.rollback().await.expect("an end");
    shop.close().await;
    answer
}

async fn by_an_unknown_hash() -> Value {
    let shop = Shop::open().await;
    let hash = json!({ "persistedQuery": { "version": 1, "sha256Hash": "0".repeat(64) } });
    let answer = post(&shop, &json!({ "extensions": hash })).send().await.expect("an answer").json().await;
    shop.close().await;
    answer.expect("JSON")
}

async fn without_a_table() -> Value {
    let shop = Shop::open().await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    shop.database().execute_unprepared(&rename("product", "hidden")).await.expect("a table");
    let answer = shop.ask(SKU, json!({})).await;
    shop.database().execute_unprepared(&rename("hidden", "product")).await.expect("a table");
    shop.close().await;
    answer
}

fn post(shop: &Shop, body: &Value) -> RequestBuilder {
    shop.client().post(format!("{}/graphql", shop.url)).json(body)
}

#[tokio::test]
async fn each_user_error_is_met() {
    let shop = Shop::open_with(short_times()).await;
    let mug = shop.product("MUG", 5).await;
    for code in UserErrorCode::ALL {
        let payload = refused(&shop, &mug, *code).await;
        assert_eq!(codes(&payload), [code.as_str()], "{payload}");
    }
    shop.close().await;
}

/// A payload with this user error.
async fn refused(shop: &Shop, mug: &str, code: UserErrorCode) -> Value {
    let price = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency });
    let new =
        |sku: &str, amount: i64, currency: &str| json!({ "sku": sku, "name": "X", "price": price(amount, currency) });
    let made = async |input: Value| id(&shop.create_product(input).await["product"]);
    match code {
        UserErrorCode::InsufficientStock => shop.create_cart(&[(mug, 6)]).await,
        UserErrorCode::NotFound => shop.cancel(ORDER).await,
        UserErrorCode::InvalidInput => shop.create_product(new("", 1, "EUR")).await,
        UserErrorCode::InvalidQuantity => shop.create_cart(&[(mug, 0)]).await,
        UserErrorCode::InvalidState => shop.check_out(&shop.cart(&[]).await).await,
        UserErrorCode::AlreadyExists => shop.create_product(new("mug", 1, "EUR")).await,
        UserErrorCode::StaleVersion => {
            let change = json!({ "productId": mug, "action": "INCREMENT", "quantity": 1, "expectedVersion": 77 });
            shop.adjust_all(json!({ "changes": [change] })).await
        }
        UserErrorCode::PaymentDeclined => pay(shop, &shop.order(&[(mug, 1)]).await, "decline").await,
        UserErrorCode::PaymentInProgress => {
            let order = shop.order(&[(mug, 1)]).await;
            pay(shop, &order, "never").await;
            pay(shop, &order, "succeed").await
        }
        UserErrorCode::GatewayError => pay(shop, &shop.order(&[(mug, 1)]).await, "error").await,
        UserErrorCode::CurrencyMismatch => {
            let dollars = made(json!({ "sku": "USD", "name": "X", "price": price(1, "USD"), "initialStock": 5 })).await;
            shop.create_cart(&[(mug, 1), (&dollars, 1)]).await
        }
        UserErrorCode::AmountTooLarge => {
            let dear =
                made(json!({ "sku": "DEAR", "name": "X", "price": price((1 << 53) - 1, "EUR"), "initialStock": 5 }))
                    .await;
            shop.create_cart(&[(&dear, 2)]).await
        }
        UserErrorCode::IdempotencyKeyReused => {
            for _ in 0..2 {
                let cart = shop.cart(&[(mug, 1)]).await;
                let payload = shop.check_out_with(json!({ "cartId": cart, "idempotencyKey": "K" })).await;
                if payload["order"].is_null() {
                    return payload;
                }
            }
            panic!("two orders under one key")
        }
        UserErrorCode::ProductUnavailable => {
            let old = shop.product("OLD", 5).await;
            shop.archive(&old).await;
            shop.create_cart(&[(&old, 1)]).await
        }
        UserErrorCode::LimitExceeded => {
            let many: Vec<_> = (0..100).map(|at| format!("MANY-{at}")).collect();
            let many = join_all(many.iter().map(|sku| shop.product(sku, 5))).await;
            let items: Vec<_> = many.iter().map(|product| (product.as_str(), 1)).collect();
            shop.add_to_cart(&shop.cart(&items).await, &[(mug, 1)]).await
        }
    }
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("{thing}")).to_owned()
}

async fn pay(shop: &Shop, order: &str, token: &str) -> Value {
    shop.pay_with(json!({ "orderId": order, "gateway": "sandbox", "token": token })).await
}
