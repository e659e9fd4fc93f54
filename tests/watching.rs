//! What an operator sees: lines of the log, spans, and whether the server wants requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use onhand::app::{App, Settings};
use onhand::clock::Clock;
use onhand::config::Access;
use onhand::database::{migrate, open};
use onhand::graphql::Limits;
use onhand::server::{Authenticator, HttpConfig, Startup, Timeouts, TransportConfig};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{Place, Process, Shop, Wanted, eventually, patient_times, patient_transport};

const CHECK_OUT: &str =
    "mutation Farewell($input: CheckOutInput!) { checkOut(input: $input) { order { id } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_is_one_object_and_tells_nothing_of_a_person() {
    let place = Place::new().await;
    let server = Process::start_with(&place, &["--log", "onhand=trace,info", "--log-format", "json"]).await;
    let (url, client) = server.another();
    let cart = server.ask("mutation { createCart { cart { id } } }", json!({})).await.expect("an answer");
    let database = Database::connect(place.url.as_str()).await.expect("the file");
    database.execute_unprepared("ALTER TABLE cart RENAME TO hidden").await.expect("a table");
    database.close().await.expect("the end");

    let input =
        json!({ "cartId": cart["data"]["createCart"]["cart"]["id"], "customer": { "email": "ada@example.com" } });
    let request = client.post(format!("{url}/graphql?access_token=in-the-query-string"));
    let request = request.header("authorization", "Bearer in-the-header").header("cookie", "session=in-the-cookie");
    let body = json!({ "query": CHECK_OUT, "variables": { "input": input } });
    let answer = request.json(&body).send().await.expect("an answer");
    let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");

    let log = server.log();
    assert!(server.stop("TERM").await.success());
    let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for word in ["in-the-query-string", "in-the-header", "in-the-cookie", "ada@", "example.com", "access_token"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        assert!(["level", "target", "message"].iter().all(|name| line[*name].is_string()), "{line}");
    }
    let of_it = |level: &str| {
        let is_of_it = |line: &&Value| line["level"] == level && line["spans"][0]["id"] == id;
        lines.iter().find(is_of_it).unwrap_or_else(|| panic!("no {level} line of {id}: {log}"))
    };
    let failure = of_it("ERROR");
    assert_eq!((&failure["spans"][0]["method"], &failure["spans"][0]["path"]), (&json!("POST"), &json!("/graphql")));
    assert_eq!(failure["spans"][1], json!({ "name": "operation", "kind": "mutation", "operation": "Farewell" }));
    let end = of_it("DEBUG");
    assert_eq!((&end["message"], &end["status"]), (&json!("answered"), &json!(200)));
    assert!(end["millis"].is_u64(), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_name_the_operation_and_continue_the_callers_trace() {
    let taken: Arc<Mutex<Vec<u8>>> = Arc::default();
    let take = {
        let taken = Arc::clone(&taken);
        move |body: Bytes| async move { taken.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&body) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let collector = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let has = |what: &[u8]| {
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.windows(what.len()).any(|part| part == what)
    };

    let place = Place::new().await;
    // Spans do not depend on what is logged.
    let server = Process::start_with(&place, &["--otlp", &collector, "--log", "off"]).await;
    let (url, client) = server.another();
    let query = "query Shelf($sku: String!) { product(by: { sku: $sku }) { id } }";
    let body = json!({ "query": query, "variables": { "sku": "A-SECRET" } });
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let asked = client.post(format!("{url}/graphql")).header("traceparent", caller).json(&body).send().await;
    assert_eq!(asked.expect("an answer").status(), StatusCode::OK);
    server.ask("mutation Filled { createCart { cart { id } } }", json!({})).await.expect("an answer");
    // What was not sent yet is sent at the end.
    assert!(server.stop("TERM").await.success());
    for name in ["POST /graphql", "query Shelf", "mutation Filled", "batch", "onhand"] {
        assert!(has(name.as_bytes()), "{name}");
    }
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
    assert!(has(&trace) && has(&0xb7ad_6b71_6920_3331_u64.to_be_bytes()), "it is the child of its caller's span");
    assert!(!has(b"A-SECRET"), "variables stay here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_holds_nobody_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let away = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("an address"));
    let collectors = [address(&silent), address(&away)];
    drop(away);
    for collector in collectors {
        let place = Place::new().await;
        let server = Process::start_with(&place, &["--otlp", &collector]).await;
        for _ in 0..200 {
            let answer = server.ask("mutation { createCart { cart { id } } }", json!({})).await.expect("an answer");
            assert!(answer.get("errors").is_none(), "{answer}");
        }
        assert!(server.stop("TERM").await.success(), "it stops in time");
    }
}

#[tokio::test]
async fn until_it_has_migrated_it_says_so_and_asks_to_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let transport = patient_transport();
    let startup = Startup::open(listener, &transport, stop.clone());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert_eq!(look(&client, &url, "live").await, (200, "live\n".to_owned()));
    assert_eq!(look(&client, &url, "ready").await, (503, "migrating\n".to_owned()));
    let ask = async || {
        let body = json!({ "query": "{ products { nodes { sku } } }" });
        client.post(format!("{url}/graphql")).json(&body).send().await.expect("an answer")
    };
    is_turned_away(ask().await).await;
    is_turned_away(client.get(format!("{url}/")).send().await.expect("an answer")).await;

    let place = Place::new().await;
    let databases = open(&place.url).await.expect("a database");
    migrate(&databases).await.expect("migrations");
    let settings = Settings { has_sandbox: true, ..Settings::of(patient_times()) };
    let (app, _) = App::start(&databases, settings, Clock::system());
    let authenticator = Authenticator::new(&Access::default()).await.expect("sound settings");
    let serving = startup
        .serve(app, HttpConfig { authenticator, explore: true, documents: Limits::default(), transport })
        .expect("a sound schema");
    let serving = tokio::spawn(serving.until_drained());
    assert_eq!(look(&client, &url, "ready").await, (200, "ready\n".to_owned()));
    assert_eq!(ask().await.json::<Value>().await.expect("JSON"), json!({ "data": { "products": { "nodes": [] } } }));
    stop.cancel();
    serving.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn while_it_drains_it_says_so_and_what_was_begun_is_finished() {
    let times = Timeouts { request: Duration::from_mins(1), ..Timeouts::default() };
    let transport = TransportConfig { timeouts: times, ..TransportConfig::default() };
    let requests = transport.requests.clone();
    let shop = Shop::open_as(Wanted { transport, ..Wanted::default() }).await;
    let (client, url) = (shop.client().clone(), shop.url.clone());
    let (head, body) = slow_request(&url);
    let mut begun = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection");
    begun.write_all(head.as_bytes()).await.expect("it is taken");
    eventually("it has begun", || async { requests.in_use() == 1 }).await;
    let closing = tokio::spawn(shop.close());
    eventually("it drains", || async { look(&client, &url, "ready").await == (503, "draining\n".to_owned()) }).await;
    assert_eq!(look(&client, &url, "live").await.0, 200);
    is_turned_away(client.get(format!("{url}/graphql?query=%7B__typename%7D")).send().await.expect("an answer")).await;
    begun.write_all(body.as_bytes()).await.expect("it is taken");
    let mut answer = String::new();
    begun.read_to_string(&mut answer).await.expect("an answer, and the end");
    assert!(answer.contains("200 OK") && answer.ends_with(r#"{"data":{"__typename":"Query"}}"#), "{answer}");
    closing.await.expect("no panic");
    assert!(client.get(format!("{url}/health/live")).send().await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_database_that_stays_away_is_told() {
    let shop = Shop::open().await;
    assert_eq!(look(shop.client(), &shop.url, "ready").await, (200, "ready\n".to_owned()));
    shop.lose_database().await;
    eventually("it is not ready", || async {
        look(shop.client(), &shop.url, "ready").await == (503, "the database does not answer\n".to_owned())
    })
    .await;
    assert_eq!(look(shop.client(), &shop.url, "live").await.0, 200, "the process is not to blame");
}

/// The head of a request, and its body for later.
fn slow_request(url: &str) -> (String, String) {
    let body = json!({ "query": "{ __typename }" }).to_string();
    let host = url.trim_start_matches("http://");
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head, body)
}

async fn look(client: &reqwest::Client, url: &str, at: &str) -> (u16, String) {
    let ask = async || client.get(format!("{url}/health/{at}")).send().await;
    let answer = match ask().await {
        Ok(answer) => answer,
        // A server that begins to drain may close a connection just when it is used again.
        Err(_) => ask().await.expect("an answer"),
    };
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

async fn is_turned_away(answer: reqwest::Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(answer.headers().contains_key("x-request-id"));
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{body}");
}
