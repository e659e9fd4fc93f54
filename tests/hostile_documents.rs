//! Documents that are made to break a server. Each is answered soon and shortly, by a code, and the next request is served.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Shop, Socket};

/// Longest answer to any of them, in bytes.
const MAX_ANSWER: usize = 8_192;
/// Far more than any of them needs, also on a machine that has much to do.
const SOON: Duration = Duration::from_secs(5);
/// Largest message of a websocket, less what is around a document.
const MAX_ON_SOCKET: usize = 60_000;

const LIMIT: &str = "LIMIT_EXCEEDED";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";

/// Fragments that each spread the next one so often.
fn multiplying(count: usize, spreads: usize) -> String {
    let each = |at: usize| format!("fragment F{at} on Query {{ {} }}", format!("...F{} ", at + 1).repeat(spreads));
    let all: String = (0..count).map(each).collect();
    format!("{{ ...F0 }} {all} fragment F{count} on Query {{ __typename }}")
}

fn numbered(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(" ")
}

/// Documents that ask the schema for more about itself than it tells, within the bounds of every other document.
fn introspection() -> impl Iterator<Item = (&'static str, String)> {
    let recursion = format!("{}name{}", "possibleTypes { interfaces { ".repeat(3), " }".repeat(6));
    // The innermost fragment is read first, at no depth.
    let chain = "fragment A on __Type { fields { type { name } } } fragment B on __Type { fields { type { ...A } } } \
                 fragment C on __Type { interfaces { ...B } } fragment D on __Type { possibleTypes { ...C } }";
    let names = "name ".repeat(1_900);
    let kind = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    let fields = format!("fields {{ name description {kind} args {{ name description {kind} defaultValue }} }}");
    let schema = format!("fragment S on __Schema {{ types {{ kind name description {fields} }} }}");
    let aliases = numbered(19, |at| format!("a{at}: __schema {{ ...S }}"));
    [
        ("introspection recursion", format!("{{ __schema {{ types {{ {recursion} }} }} }}")),
        ("introspection recursion by `__type`", format!("{{ __type(name: \"Node\") {{ {recursion} }} }}")),
        ("introspection recursion in fragments", format!("{{ __schema {{ types {{ ...A ...D }} }} }} {chain}")),
        ("many fields of all types", format!("{{ __schema {{ types {{ fields {{ {names} }} }} }} }}")),
        ("the schema under many aliases", format!("{{ {aliases} }} {schema}")),
    ]
    .into_iter()
}

/// What it is, the document, and the code of the answer; nothing when it is harmless.
fn documents() -> Vec<(String, String, Option<&'static str>)> {
    let mut all = Vec::new();
    for depth in [64, 100, 1_000, 4_900, 50_000] {
        for (open, close) in [("[", "]"), ("{ a: ", "}")] {
            let value = format!("{}{}", open.repeat(depth), close.repeat(depth));
            let mut add = |what: &str, text: String| all.push((format!("{what} {depth} deep"), text, Some(LIMIT)));
            add("an argument", format!("{{ stock(productId: {value}) {{ id }} }}"));
            add("a default", format!("query($a: [ID!] = {value}) {{ __typename }}"));
            add("a directive", format!("{{ __typename @include(if: {value}) }}"));
            add("never closed", format!("{{ stock(productId: {}", open.repeat(depth)));
        }
        all.push((format!("selections {depth} deep"), "{ a ".repeat(depth) + &"}".repeat(depth), Some(LIMIT)));
        all.push((format!("a type {depth} deep"), format!("query($a: {}", "[".repeat(depth + 1)), Some(LIMIT)));
        let length = depth.min(4_900);
        all.push((format!("a comment, {length}"), format!("{{ __typename }} # {}", "[{(".repeat(length / 2)), None));
    }
    all.retain(|(what, ..)| !what.starts_with("selections 64"));
    let brackets = "[{(".repeat(60);
    all.push((
        "brackets in a string".to_owned(),
        format!("{{ products(search: \"{brackets}\") {{ nodes {{ id }} }} }}"),
        None,
    ));
    all.push((
        "brackets in a block string".to_owned(),
        format!("{{ products(search: \"\"\"{brackets} \\\"\"\" \"\"\") {{ nodes {{ id }} }} }}"),
        None,
    ));
    for (count, spreads) in [(10, 2), (15, 3), (40, 3), (49, 4), (1_000, 2)] {
        all.push((format!("{count} fragments, times {spreads}"), multiplying(count, spreads), Some(LIMIT)));
    }
    let cycle = "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }";
    all.push(("a cycle".to_owned(), cycle.to_owned(), Some(INVALID)));
    let cycle = numbered(50, |at| format!("fragment F{at} on Query {{ ...F{} ...F{} }}", (at + 1) % 50, (at + 7) % 50));
    all.push(("a large cycle".to_owned(), format!("{{ ...F0 }} {cycle}"), Some(INVALID)));
    for count in [600, 10_000] {
        let mut add = |what: &str, text: String| all.push((format!("{count} {what}"), text, Some(LIMIT)));
        add("aliases", format!("{{ {} }}", numbered(count, |at| format!("a{at}:__typename"))));
        add("directives", format!("{{ __typename {} }}", "@a ".repeat(count)));
        add("repetitions", format!("{{ {} }}", "__typename ".repeat(count)));
        add("variables", format!("query({}) {{ __typename }}", numbered(count, |at| format!("$v{at}:Int"))));
        add("operations", numbered(count / 2, |at| format!("query Q{at}{{a}}")));
        add("anonymous operations", "{a}".repeat(count / 2));
    }
    all.push((
        "a number of 200,000 digits".to_owned(),
        format!("{{ products(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(200_000)),
        Some(LIMIT),
    ));
    all.push((
        "a number of 9,000 digits".to_owned(),
        format!("{{ products(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(9_000)),
        Some(LIMIT),
    ));
    all.push((
        "a number of 100 digits".to_owned(),
        format!("{{ stock(productId: {}) {{ id }} }}", "9".repeat(100)),
        Some(INVALID),
    ));
    all.push(("a long comment".to_owned(), format!("{{ __typename }} #{}", "x".repeat(200_000)), Some(LIMIT)));
    let inside = "order { stockTransactions(first: 100) { nodes { id } } }";
    let pages = format!(
        "{{ stockTransactions {{ nodes {{ product {{ stock {{ transactions {{ nodes {{ {inside} }} }} }} }} }} }} }}"
    );
    all.push(("pages in pages, some without `first`".to_owned(), pages, Some(LIMIT)));
    all.extend(introspection().map(|(what, text)| (what.to_owned(), text, Some(LIMIT))));
    all.push(("only quotes".to_owned(), "\"".repeat(9_999), Some(UNPARSED)));
    all.push(("no GraphQL".to_owned(), "\u{0}\u{1}\u{7f}é\u{202e}".repeat(200), Some(UNPARSED)));
    all.push(("only closing".to_owned(), "}".repeat(1_999), Some(UNPARSED)));
    all.push(("nothing".to_owned(), String::new(), Some(UNPARSED)));
    all
}

fn code(answer: &Value) -> Option<&str> {
    answer["errors"].get(0).map(|error| error["extensions"]["code"].as_str().unwrap_or("no code"))
}

#[tokio::test]
async fn each_is_answered_soon_and_shortly_and_the_next_request_is_served() {
    let shop = Shop::open().await;
    for (what, query, right) in documents() {
        let begun = Instant::now();
        let request = shop.client().post(format!("{}/graphql", shop.url)).json(&json!({ "query": query }));
        let text = request.send().await.expect("an answer").text().await.expect("text");
        assert!(begun.elapsed() < SOON, "{what} took {:?}", begun.elapsed());
        assert!(text.len() <= MAX_ANSWER, "{what}: {} bytes", text.len());
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let found = code(&answer);
        assert_eq!(found, right, "{what}: {answer}");
        assert_eq!(shop.data("{ __typename }", json!({})).await["__typename"], "Query", "after {what}");
    }
    shop.close().await;
}

#[tokio::test]
async fn on_one_websocket_all_of_them_are_answered_and_it_stays_open() {
    let shop = Shop::open().await;
    let mut socket = Socket::open(&shop).await;
    for (what, query, right) in documents() {
        if json!(query).to_string().len() > MAX_ON_SOCKET {
            continue;
        }
        socket.subscribe("1", &query, json!({})).await;
        let message = socket.next().await;
        assert!(message.to_string().len() <= MAX_ANSWER, "{what}");
        if message["type"] == "error" {
            assert_eq!(code(&json!({ "errors": message["payload"] })), right, "{what}: {message}");
        } else {
            assert_eq!(code(&message["payload"]), right, "{what}: {message}");
            assert_eq!(socket.next().await["type"], "complete", "{what}");
        }
    }
    socket.subscribe("2", "{ __typename }", json!({})).await;
    assert_eq!(socket.data("2").await["__typename"], "Query");
    shop.close().await;
}

/// A link, an event stream and the hash of a query are as bounded as a POST.
#[tokio::test]
async fn introspection_is_bounded_by_every_path() {
    let shop = Shop::open().await;
    let url = format!("{}/graphql", shop.url);
    for (what, query) in introspection() {
        let link = shop.client().get(&url).query(&[("query", &query)]);
        let text = link.try_clone().expect("a link").send().await.expect("an answer").text().await.expect("text");
        assert_eq!(code(&serde_json::from_str(&text).expect("JSON")), Some(LIMIT), "{what}: {text}");
        let events = link.header("accept", "text/event-stream").send().await.expect("an answer").text().await;
        let events = events.expect("text");
        assert!(events.contains(LIMIT) && events.len() <= MAX_ANSWER, "{what}: {events}");
        let hash = format!("{:x}", Sha256::digest(&query));
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let body = json!({ "query": query, "extensions": extensions });
        let text = shop.client().post(&url).json(&body).send().await.expect("an answer").text().await.expect("text");
        assert_eq!(code(&serde_json::from_str(&text).expect("JSON")), Some(LIMIT), "{what}: {text}");
    }
    shop.close().await;
}

#[tokio::test]
async fn variables_are_as_harmless() {
    let shop = Shop::open().await;
    let query = "query($a: [ID!]!) { stocks(productIds: $a) { id } }";
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let table = [
        (nested(100), "BAD_USER_INPUT"),
        (nested(10_000), LIMIT),
        ("{ \"a\": ".repeat(100) + "1" + &"}".repeat(100), "BAD_USER_INPUT"),
        (format!("[{}]", "7,".repeat(200) + "7"), LIMIT),
        (format!("[{}]", "null,".repeat(5_000) + "7"), "BAD_USER_INPUT"),
        ("9".repeat(20_000), "BAD_USER_INPUT"),
        ("1e400".to_owned(), "BAD_USER_INPUT"),
        (format!("\"{}\"", "x".repeat(200_000)), LIMIT),
        (format!("\"{}\"", "\\u0001".repeat(5_000)), "BAD_ID"),
    ];
    for (value, right) in table {
        let body = format!("{{ \"query\": {}, \"variables\": {{ \"a\": {value} }} }}", json!(query));
        let request = shop.client().post(format!("{}/graphql", shop.url)).header("content-type", "application/json");
        let text = request.body(body).send().await.expect("an answer").text().await.expect("text");
        let what = value.chars().take(20).collect::<String>();
        assert!(text.len() <= MAX_ANSWER, "{what}: {} bytes", text.len());
        assert_eq!(code(&serde_json::from_str(&text).expect("JSON")), Some(right), "{what}: {text}");
        assert_eq!(shop.data("{ __typename }", json!({})).await["__typename"], "Query", "after {what}");
    }
    shop.close().await;
}

/// A document is refused by its characters, and a body that is larger still by its size.
#[tokio::test]
async fn a_comment_of_five_million_bytes_is_not_even_read() {
    let shop = Shop::open().await;
    let body = json!({ "query": format!("{{ __typename }} #{}", "x".repeat(5_000_000)) });
    // The server may close the connection while the rest is still being sent.
    if let Ok(response) = shop.client().post(format!("{}/graphql", shop.url)).json(&body).send().await {
        assert_eq!(response.status(), 413);
    }
    assert_eq!(shop.data("{ __typename }", json!({})).await["__typename"], "Query");
    shop.close().await;
}
