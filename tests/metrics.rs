//! What an operator sees at `/metrics`.

use domain::stock::PublicStock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use onhand::clock::Clock;
use onhand::config::{Access, Role};
use serde_json::json;

use crate::support::{Client, SECRET, Shop, Socket, Wanted, eventually, with_tokens};

pub async fn scrape(client: &Client) -> (u16, String) {
    let mut request = client.client().get(format!("{}/metrics", client.url));
    if let Some(authorization) = &client.authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("text"))
}

/// The value of a series; 0 before it has one.
pub fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series).filter(|rest| rest.starts_with(' ')));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn what_happens_is_counted_and_what_ends_is_counted_down() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 5).await;
    let order = shop.order(&[(&mug, 1)]).await;
    shop.pay_sandbox(&order, "succeed").await;
    shop.adjust(&mug, "DECREMENT", 100).await;
    let mut socket = Socket::open(&shop).await;
    socket
        .subscribe(
            "s",
            "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total } }",
            json!({ "ids": [mug] }),
        )
        .await;
    socket.data("s").await;
    let (status, text) = scrape(&shop).await;
    assert_eq!(status, 200);
    for series in [
        "onhand_requests_total{kind=\"mutation\"}",
        "onhand_refusals_total{code=\"INSUFFICIENT_STOCK\"}",
        "onhand_gateway_results_total{gateway=\"sandbox\",result=\"charged\"}",
        "onhand_writer_batch_seconds_count",
        "onhand_writer_batch_commands_count",
        "onhand_events_sent_total",
        "onhand_connections_open",
        "onhand_sockets_open",
        "onhand_operations_open",
    ] {
        assert!(value(&text, series) >= 1.0, "{series}: {text}");
    }
    drop(socket);
    eventually("nothing is open any more", || async {
        let text = scrape(&shop).await.1;
        value(&text, "onhand_sockets_open") + value(&text, "onhand_operations_open") < 0.5
    })
    .await;
    shop.close().await;
}

#[tokio::test]
async fn an_id_from_outside_is_kept_when_it_is_short_and_plain() {
    let shop = Shop::open().await;
    let long = "x".repeat(65);
    for (sent, is_kept) in [("abc-123", true), (&long[..64], true), (long.as_str(), false), ("a b", false)] {
        let request = shop.client().get(format!("{}/health/live", shop.url)).header("x-request-id", sent);
        let answer = request.send().await.expect("an answer");
        let id = answer.headers()["x-request-id"].to_str().expect("text");
        assert_eq!(id == sent, is_kept, "{sent}: {id}");
        assert!(!id.is_empty() && id.len() <= 64);
    }
    shop.close().await;
}

#[tokio::test]
async fn in_production_metrics_are_for_staff() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    assert_eq!(scrape(&shop).await.0, 401);
    assert_eq!(scrape(&shop.signed_in(Role::Customer, "ada").await).await.0, 403);
    assert_eq!(scrape(&shop.signed_in(Role::Staff, "sam").await).await.0, 200);
    shop.close().await;
}

const TOKEN: &str = "a-token-that-only-the-collector-of-metrics-has";

#[tokio::test]
async fn the_token_of_metrics_reads_them_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.json");
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "UmHqgq-3kq4803GX9_tYP15KxADYE5vVpUejwiFQLzw" }] });
    std::fs::write(&keys, set.to_string()).expect("a file");
    let beside_a_set = Access { secret: None, jwks: Some(keys.display().to_string()), ..with_tokens() };
    for access in [with_tokens(), beside_a_set] {
        let access = Access { metrics_token: Some(TOKEN.to_owned()), ..access };
        let shop = Shop::open_as(Wanted { access, ..Wanted::default() }).await;
        let who = |token: &str| Client { authorization: Some(format!("Bearer {token}")), ..Client::clone(&shop) };
        let collector = who(TOKEN);
        assert_eq!(scrape(&collector).await.0, 200);
        for near in [&TOKEN[1..], &TOKEN.to_uppercase(), &format!("{TOKEN}x"), ""] {
            assert_eq!(scrape(&who(near)).await.0, 401, "{near:?}");
        }
        let query = "{ products { nodes { sku } } }";
        assert_eq!(collector.code(query, json!({})).await, "FORBIDDEN", "it makes nobody a guest");
        let bearer = format!("Bearer {TOKEN}");
        let handshake = Socket::try_open(&shop.url, "graphql-transport-ws", &[("authorization", &bearer)]).await;
        assert_eq!(handshake.err().expect("refused").0, 403);
        let events = collector.http.post(format!("{}/graphql", shop.url)).header("accept", "text/event-stream");
        let events = events.header("authorization", format!("Bearer {TOKEN}"));
        let events = events.json(&json!({ "query": "subscription { stockTransactionAdded { id } }" })).send().await;
        assert_eq!(events.expect("an answer").status().as_u16(), 403);
        let mut socket = Socket::connect(&shop.url, "graphql-transport-ws").await;
        let payload = json!({ "Authorization": collector.authorization });
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.closed().await, 4403);
        shop.close().await;
    }
}

#[tokio::test]
async fn what_never_happened_is_counted_as_nothing_and_not_missing() {
    let shop = Shop::open().await;
    let (_, text) = scrape(&shop).await;
    let series = [
        "onhand_requests_total{kind=\"mutation\"}",
        "onhand_refusals_total{code=\"INTERNAL\"}",
        "onhand_refusals_total{code=\"STALE_VERSION\"}",
        "onhand_gateway_results_total{gateway=\"manual\",result=\"silent\"}",
        "onhand_tokens_refused_total{reason=\"expired\"}",
        "onhand_key_set_failures_total",
        "onhand_log_lines_dropped_total",
        "onhand_slow_readers_total",
        "onhand_answers_shared_total",
        "onhand_states_merged_total",
        "onhand_events_sent_total",
        "onhand_database_connections{pool=\"read\",state=\"open\"}",
        "onhand_database_connections{pool=\"scan\",state=\"idle\"}",
        concat!("onhand_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
        "process_start_time_seconds",
        "process_max_fds",
    ];
    for series in series {
        let is_there = text.lines().any(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        assert!(is_there, "{series}: {text}");
    }
    assert!(value(&text, "process_open_fds") >= 3.0, "{text}");
    shop.close().await;
}

#[tokio::test]
async fn tokens_that_are_refused_are_counted_by_reason() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let now = Clock::system().now().timestamp();
    let signed = |secret: &str, change: &[(&str, serde_json::Value)]| {
        let mut claims = json!({ "sub": "sam", "role": "staff", "iss": "tests", "aud": "shop", "exp": now + 60 });
        for (claim, value) in change {
            claims[*claim] = value.clone();
        }
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    };
    for (token, reason) in [
        ("x".to_owned(), "malformed"),
        ("x".repeat(5_000), "too_long"),
        (signed("another secret that is long enough for one", &[]), "signature"),
        (signed(SECRET, &[("exp", json!(now - 60))]), "expired"),
        (signed(SECRET, &[("nbf", json!(now + 60))]), "not_yet_valid"),
        (signed(SECRET, &[("iss", json!("others"))]), "issuer"),
        (signed(SECRET, &[("aud", json!("others"))]), "audience"),
        (signed(SECRET, &[("sub", json!(" "))]), "subject"),
        (signed(SECRET, &[("role", json!("owner"))]), "role"),
    ] {
        let series = format!("onhand_tokens_refused_total{{reason=\"{reason}\"}}");
        let before = value(&scrape(&staff).await.1, &series);
        let client = Client { authorization: Some(format!("Bearer {token}")), ..Client::clone(&shop) };
        assert_eq!(client.code("{ __typename }", json!({})).await, "UNAUTHENTICATED", "{reason}");
        assert!(value(&scrape(&staff).await.1, &series) > before, "{reason}");
    }
    shop.close().await;
}
