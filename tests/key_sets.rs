//! Tokens signed with keys that somebody else keeps: a key set from a file or an address, and its rotation.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use onhand::config::Access;
use onhand::server::Authenticator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Client, PATIENCE, Shop, Socket, Wanted, eventually};

/// A pair of keys made for these tests: its name, the private key (PKCS #8) and the public one.
struct Pair(&'static str, &'static str, &'static str);

const FIRST: Pair = Pair(
    "first",
    "MC4CAQAwBQYDK2VwBCIEIM6HEULjWPXEMIj8gjY/OpaBM6RdML89xJwxleUImm6I",
    "UmHqgq-3kq4803GX9_tYP15KxADYE5vVpUejwiFQLzw",
);
const SECOND: Pair = Pair(
    "second",
    "MC4CAQAwBQYDK2VwBCIEINAPTZS8zAu0uPXITWdOHZNpZERHdLFo0GEXaBAK7tUS",
    "iYeqPouciDlav04-PpCUFvURT7Yg81QtSnkbzPXIvnI",
);

impl Pair {
    fn set(&self) -> String {
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": self.0, "x": self.2 }] }).to_string()
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.0.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let key = EncodingKey::from_ed_der(&STANDARD.decode(self.1).expect("a key"));
        encode(&header, claims, &key).expect("a token")
    }

    /// Signs with the public key as if it were a secret, as somebody would who knows nothing else.
    fn forge(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.0.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &EncodingKey::from_secret(self.2.as_bytes())).expect("a token")
    }
}

fn claims() -> Value {
    json!({ "sub": "sam", "role": "staff", "iss": "tests", "aud": ["other", "shop"], "exp": 4_000_000_000_u64 })
}

async fn shop(jwks: &str) -> Shop {
    let access = Access {
        jwks: Some(jwks.to_owned()),
        issuer: Some("tests".to_owned()),
        audience: Some("shop".to_owned()),
        ..Access::default()
    };
    Shop::open_as(Wanted { access, ..Wanted::default() }).await
}

/// Whether a token makes somebody staff.
async fn is_staff(shop: &Shop, token: &str) -> bool {
    let client = Client { authorization: Some(format!("Bearer {token}")), ..Client::clone(shop) };
    let response = client.ask("{ stockTransactions { nodes { id } } }", json!({})).await;
    if response.get("errors").is_some() {
        assert_eq!(response["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{response}");
    }
    response.get("errors").is_none()
}

fn write(path: &Path, pair: &Pair) {
    std::fs::write(path, pair.set()).expect("a file");
}

#[tokio::test]
async fn tokens_are_checked_against_a_file_that_may_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    write(&path, &FIRST);
    let shop = shop(&path.display().to_string()).await;
    assert!(is_staff(&shop, &FIRST.sign(&claims())).await);
    let mut fraction = claims();
    fraction["exp"] = json!(4_000_000_000.5);
    assert!(is_staff(&shop, &FIRST.sign(&fraction)).await, "a moment may have a fraction of a second");
    assert!(!is_staff(&shop, &FIRST.forge(&claims())).await, "a public key is no secret to sign with");
    for (claim, wrong) in [
        ("iss", json!("others")),
        ("aud", json!("others")),
        ("aud", json!(null)),
        ("exp", json!(1_000_000_000)),
        ("exp", json!(null)),
        ("nbf", json!(3_900_000_000_u64)),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("role", json!("owner")),
    ] {
        let mut claims = claims();
        claims[claim] = wrong.clone();
        assert!(!is_staff(&shop, &FIRST.sign(&claims)).await, "{claim}: {wrong}");
    }
    assert!(!is_staff(&shop, &SECOND.sign(&claims())).await);
    write(&path, &SECOND);
    eventually("the new key is known", || async { is_staff(&shop, &SECOND.sign(&claims())).await }).await;
    assert!(!is_staff(&shop, &FIRST.sign(&claims())).await, "and the old one is not");

    std::fs::write(&path, "nonsense").expect("a file");
    assert!(!is_staff(&shop, &FIRST.sign(&claims())).await);
    // Nothing can be seen of a set that was not taken, so this waits until it has been looked at.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(is_staff(&shop, &SECOND.sign(&claims())).await, "a set that cannot be read leaves the old one in place");
    shop.close().await;
}

#[tokio::test]
async fn tokens_are_checked_against_an_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/keys.json", listener.local_addr().expect("an address"));
    let served = Arc::new(Mutex::new(FIRST.set()));
    let current = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = current.lock().expect("no panic").clone();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    let shop = shop(&address).await;
    assert!(is_staff(&shop, &FIRST.sign(&claims())).await);
    assert!(!is_staff(&shop, &SECOND.sign(&claims())).await);
    *served.lock().expect("no panic") = SECOND.set();
    eventually("the new key is known", || async { is_staff(&shop, &SECOND.sign(&claims())).await }).await;
    shop.close().await;
}

#[tokio::test]
async fn what_goes_on_under_a_withdrawn_key_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    write(&path, &FIRST);
    let shop = shop(&path.display().to_string()).await;
    let mug = "product_00000000000000000000000001";
    let query = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { version } }";
    let sam = Client { authorization: Some(format!("Bearer {}", FIRST.sign(&claims()))), ..Client::clone(&shop) };
    let (mut socket, mut guest) = (Socket::open(&sam).await, Socket::open(&shop).await);
    socket.subscribe("badge", query, json!({ "ids": [mug] })).await;
    let body = json!({ "query": query, "variables": { "ids": [mug] } });
    let events = sam.http.post(format!("{}/graphql", sam.url)).json(&body).header("accept", "text/event-stream");
    let events = events.header("authorization", sam.authorization.as_deref().expect("a token"));
    let events = events.send().await.expect("a stream");
    assert_eq!(events.status().as_u16(), 200);

    // Another key under the name of the old one.
    write(&path, &Pair(FIRST.0, SECOND.1, SECOND.2));
    let renewed = Pair(FIRST.0, SECOND.1, SECOND.2).sign(&claims());
    assert!(!is_staff(&shop, &SECOND.sign(&claims())).await, "a name that is not there makes the set be read again");
    eventually("the set was read", || async { is_staff(&shop, &renewed).await }).await;
    assert_eq!(socket.closed().await, 4403);
    let told = tokio::time::timeout(PATIENCE, events.text()).await.expect("the stream ends").expect("text");
    assert!(!told.contains("complete"), "clients come back: {told}");
    guest.subscribe("badge", query, json!({ "ids": [] })).await;
    guest.send(&json!({ "type": "ping" })).await;
    assert_eq!(guest.next().await, json!({ "type": "pong" }), "who has no key stays");
    let again = Client { authorization: Some(format!("Bearer {renewed}")), ..Client::clone(&shop) };
    Socket::open(&again).await;
    shop.close().await;
}

/// What somebody who is to have keys answers to everybody.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<String>>);

impl Provider {
    fn says(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        *self.0.lock().expect("no panic") =
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
    }

    /// An empty answer is none: the connection stays open, and nothing comes.
    fn serve(&self, listener: TcpListener) {
        let answer = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.lock().expect("no panic").clone();
                tokio::spawn(async move {
                    let mut request = [0; 4_096];
                    let _ = stream.read(&mut request).await;
                    if answer.is_empty() {
                        tokio::time::sleep(PATIENCE).await;
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_at_the_start_stops_nobody_and_is_found_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let shop = shop(&format!("http://user:hidden@{address}/keys.json")).await;
    assert!(shop.ask("{ products { nodes { sku } } }", json!({})).await.get("errors").is_none(), "guests are served");
    let sam = FIRST.sign(&claims());
    let asked = async || {
        let request = shop.http.post(format!("{}/graphql", shop.url)).json(&json!({ "query": "{ __typename }" }));
        let answer = request.header("authorization", format!("Bearer {sam}")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    assert_eq!(asked().await, (503, true), "whoever has a token is no guest");
    let mut socket = Socket::connect(&shop.url, "graphql-transport-ws").await;
    let payload = json!({ "Authorization": format!("Bearer {sam}") });
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.closed().await, 1013, "nobody can tell yet");
    let bearer = format!("Bearer {sam}");
    let handshake = Socket::try_open(&shop.url, "graphql-transport-ws", &[("authorization", &bearer)]).await;
    let (status, body) = handshake.err().expect("refused");
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (503, &json!("UNAVAILABLE")));

    let provider = Provider::default();
    provider.says("500 Internal Server Error", "", "");
    provider.serve(TcpListener::bind(address).await.expect("the same port"));
    let set = FIRST.set();
    let large = " ".repeat(300_000);
    for (status, headers, body) in [
        ("200 OK", "", "<!doctype html><title>Soon</title>"),
        ("200 OK", "", "{\"keys\":[]}"),
        ("302 Found", "location: /elsewhere\r\n", set.as_str()),
        ("200 OK", "", large.as_str()),
    ] {
        provider.says(status, headers, body);
        assert_eq!(asked().await, (503, true), "{status}: {body:.40}");
    }
    provider.says("200 OK", "", &set);
    eventually("good tokens are taken", || async { asked().await == (200, false) }).await;
    // It goes away again, in every way, and what it said last is good.
    provider.says("503 Service Unavailable", "", "");
    assert!(!is_staff(&shop, &SECOND.sign(&claims())).await);
    assert_eq!(asked().await, (200, false));
    *provider.0.lock().expect("no panic") = String::new();
    assert!(!is_staff(&shop, &SECOND.sign(&claims())).await);
    assert_eq!(asked().await, (200, false));
    let metrics = shop.http.get(format!("{}/metrics", shop.url)).header("authorization", format!("Bearer {sam}"));
    let text = metrics.send().await.expect("an answer").text().await.expect("text");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(-1.0)
    };
    assert!(value("onhand_key_set_keys") >= 1.0 && value("onhand_key_set_failures_total") >= 1.0, "{text}");
    assert!(value("onhand_key_set_age_seconds") >= 0.0, "{text}");
    shop.close().await;
}

#[tokio::test]
async fn a_key_that_is_published_before_it_signs_is_known_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let keys: Vec<Value> = [FIRST, SECOND]
        .iter()
        .map(|pair| serde_json::from_str::<Value>(&pair.set()).expect("JSON")["keys"][0].clone())
        .collect();
    // With the mark that some editors put before it.
    std::fs::write(&path, format!("\u{feff}{}", json!({ "keys": keys }))).expect("a file");
    let shop = shop(&path.display().to_string()).await;
    assert!(is_staff(&shop, &FIRST.sign(&claims())).await && is_staff(&shop, &SECOND.sign(&claims())).await);
    // Nobody is refused when the old one is taken out, but who still has a token of it.
    write(&path, &SECOND);
    assert!(!is_staff(&shop, &Pair("third", FIRST.1, FIRST.2).sign(&claims())).await, "this makes it be read again");
    eventually("the old key is gone", || async { !is_staff(&shop, &FIRST.sign(&claims())).await }).await;
    assert!(is_staff(&shop, &SECOND.sign(&claims())).await);
    shop.close().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_at_the_start_ends_it_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let missing = folder.path().join("missing.json").display().to_string();
    for (source, name) in [
        (missing.clone(), missing.as_str()),
        (folder.path().display().to_string(), "cannot read"),
        (file("empty.json", ""), "no key set"),
        (file("none.json", "{\"keys\":[]}"), "no key for"),
        (file("large.json", &" ".repeat(300_000)), "larger than"),
        ("ftp://id.example/keys.json".to_owned(), "web address"),
        ("https://".to_owned(), "web address"),
    ] {
        let access = Access {
            jwks: Some(source.clone()),
            issuer: Some("tests".to_owned()),
            audience: Some("shop".to_owned()),
            ..Access::default()
        };
        let error =
            Authenticator::new(&access).await.map(|_| ()).map_err(|error| format!("{error:#}")).expect_err(&source);
        assert!(error.contains("ONHAND_JWKS") && error.contains(name), "{source}: {error}");
    }
}
