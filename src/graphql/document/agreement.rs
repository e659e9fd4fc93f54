//! What passes here would pass the strict validation of the library that executes, too, so that it need not repeat it: the
//! documents of `tests/corpus`, some more about what the compiler does not know, and many that differ from them by a few
//! words, with variables by chance.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use async_graphql::{Request, ValidationMode, Variables};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::guard::{Kind, token};
use super::*;
use crate::graphql::{ApiSchema, builder};
use domain::actor::Actor;
use domain::client::ClientKey;
use domain::stock::PublicStock;

/// How many changed documents are compared.
const CHANGED: u64 = 1_500;

/// What the library says of a subscription that is not executed as one.
const WRONG_TRANSPORT: &str = "Subscriptions are not supported on this transport.";

/// An argument of introspection that may be null by the specification, but not in the library: the field that has it fails.
const STRICTER: &str = "Invalid value for argument \"includeDeprecated\", expected type \"Boolean\"";

const MORE: [&str; 6] = [
    "query($a: String!, $by: ProductKey!) { a: product(by: { sku: $a }) { id } b: product(by: $by) { id } }",
    "query($a: ProductKey = { slug: \"x\" }, $b: ProductKey! = { id: 7 }) { a: product(by: $b) { id } __typename }",
    "query($t: DateTime, $n: Int = 5) { stockTransactions(filter: { since: $t, until: \"2026-01-31T12:00:00Z\" }, first: $n) { nodes { id } } }",
    "mutation($m: Long!) { createProduct(input: { sku: \"A\", name: \"A\", price: { amount: $m, currency: \"EUR\" } }) { product { id } } }",
    "mutation { updateProduct(input: { id: \"x\", price: { amount: 900, currency: \"EUR\" } }) { userErrors { code } } }",
    "mutation($r: StockReason! = OTHER) { adjustStock(input: { changes: [{ productId: 1, action: SET, quantity: 1 }], reason: $r }) { stocks { id } } }",
];

const WORDS: [&str; 35] = [
    "$a",
    "$by",
    "$n",
    "@skip(if: true)",
    "@include(if: $a)",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "!",
    "null",
    "true",
    "1",
    "1.5",
    "9007199254740993",
    "99999999999999999999999",
    "-9223372036854775809",
    "2147483648",
    "-0",
    "1e2",
    "\"x\"",
    "\"2026-01-31T12:00:00Z\"",
    "{ sku: \"x\" }",
    "{ sku: null }",
    "{ sku: \"x\", id: 1 }",
    "{ slug: $a }",
    "ProductKey",
    "Long",
    "DateTime",
    "String",
    "Int",
    "ACTIVE",
    "id",
];

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::new(Limits::default()).unwrap());
static STRICT: LazyLock<ApiSchema> =
    LazyLock::new(|| builder().validation_mode(ValidationMode::Strict).disable_suggestions().finish());

/// What we find wrong with a document and its variables.
fn found(text: &str, variables: &Map<String, Value>) -> Faults {
    let viewer = Viewer { actor: Actor::System, client: ClientKey::System, public_stock: PublicStock::Exact };
    let read = DOCUMENTS.read(text);
    read.and_then(|document| DOCUMENTS.admit(&document, (None, Some(variables)), &viewer, Delivery::Once))
        .err()
        .unwrap_or_default()
}

/// What the library finds wrong with it in its strict mode. Nothing of it is executed.
async fn strictly(text: &str, variables: &Map<String, Value>) -> Vec<String> {
    let mut request = Request::new(text).variables(Variables::from_json(json!(variables))).only_introspection();
    let parsed = library::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    request.set_parsed_query(parsed);
    let errors = STRICT.execute(request).await.errors.into_iter();
    let before = errors.filter(|error| error.path.is_empty()).map(|error| error.message);
    before.filter(|message| message != WRONG_TRANSPORT && message != STRICTER).collect()
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().map(|path| fs::read_to_string(path).unwrap());
    files.chain(MORE.map(str::to_owned)).collect()
}

fn tokens(text: &str) -> Vec<String> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some((kind, length)) = token(&text.as_bytes()[at..]) {
        let end = (at + length).min(text.len());
        if kind != Kind::Nothing {
            tokens.push(text[at..end].to_owned());
        }
        at = end;
    }
    tokens
}

/// The document with up to two of its words left out, doubled or replaced.
fn changed(text: &str, chance: &mut StdRng) -> String {
    let mut tokens = tokens(text);
    for _ in 0..chance.random_range(0..3) {
        let at = chance.random_range(0..tokens.len());
        match chance.random_range(0..6) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => {
                let other = tokens[chance.random_range(0..tokens.len())].clone();
                tokens[at] = other;
            }
            _ => tokens[at] = (*WORDS.choose(chance).unwrap()).to_owned(),
        }
    }
    tokens.join(" ")
}

/// Values for the variables of a document, most of them sensible.
fn values(text: &str, chance: &mut StdRng) -> Map<String, Value> {
    let all = [
        json!(null),
        json!(1),
        json!(1.5),
        json!(9_007_199_254_740_993_i64),
        json!(u64::MAX),
        json!(1e100),
        json!(-0.0),
        json!(true),
        json!("x"),
        json!("ACTIVE"),
        json!("2026-01-31T12:00:00Z"),
        json!(["x"]),
        json!([null]),
        json!([["ACTIVE"]]),
        json!({ "sku": "x" }),
        json!({ "sku": null }),
        json!({ "sku": "x", "id": null }),
        json!({ "cartId": "x", "items": [{ "productId": 1, "quantity": 1 }] }),
        json!({}),
    ];
    let tokens = tokens(text);
    let names = tokens.windows(2).filter(|pair| pair[0] == "$").map(|pair| pair[1].clone());
    let mut given = Map::new();
    for name in names {
        let sensible = match name.as_str() {
            "n" | "m" | "first" => json!(7),
            "t" => json!("2026-01-31T12:00:00Z"),
            "by" => json!({ "sku": "x" }),
            "ids" | "productIds" => json!(["x"]),
            _ => json!("x"),
        };
        match chance.random_range(0..4) {
            0 => drop(given.insert(name, all.choose(chance).unwrap().clone())),
            1 => {}
            _ => drop(given.insert(name, sensible)),
        }
    }
    given
}

#[tokio::test]
async fn what_passes_here_passes_the_librarys_strict_validation() {
    let seed: u64 = rand::rng().random_range(0..1 << 48);
    println!("seed {seed}");
    let corpus = corpus();
    let mut passed = 0;
    for number in 0..CHANGED {
        let mut chance = StdRng::seed_from_u64(seed + number);
        let text = changed(corpus.choose(&mut chance).unwrap(), &mut chance);
        let variables = values(&text, &mut chance);
        if found(&text, &variables).is_empty() {
            passed += 1;
            let missed = strictly(&text, &variables).await;
            assert!(missed.is_empty(), "seed {}: {text}\n{}\n{missed:?}", seed + number, json!(variables));
        }
    }
    assert!(passed > CHANGED / 20, "only {passed} of {CHANGED} were compared");
}

const NO: &str = "GRAPHQL_VALIDATION_FAILED";

/// Compares what we say of each document; the library must not say otherwise of what is fine.
async fn compare(table: impl IntoIterator<Item = (String, Value, &str)>) {
    for (text, variables, right) in table {
        let variables = variables.as_object().unwrap();
        let faults = serde_json::to_value(found(&text, variables)).unwrap();
        assert_eq!(faults[0]["extensions"]["code"].as_str().unwrap_or("fine"), right, "{text} {variables:?}");
        if right == "fine" {
            assert_eq!(strictly(&text, variables).await, Vec::<String>::new(), "{text} {variables:?}");
        }
    }
}

#[tokio::test]
async fn of_one_of_exactly_one_is_given() {
    let by = |value: &str| format!("{{ product(by: {value}) {{ id }} }}");
    let with = |definition: &str, value: &str| format!("query({definition}) {{ product(by: {value}) {{ id }} }}");
    compare([
        (by("{ sku: \"x\" }"), json!({}), "fine"),
        (by("{ id: 7 }"), json!({}), "fine"),
        (by("{ id: 9223372036854775807 }"), json!({}), "fine"),
        (by("{ id: 9223372036854775808 }"), json!({}), NO),
        (with("$a: ID!", "{ id: $a }"), json!({ "a": u64::MAX }), "BAD_USER_INPUT"),
        (by("{}"), json!({}), NO),
        (by("null"), json!({}), NO),
        (by("{ sku: null }"), json!({}), NO),
        (by("{ sku: \"x\", id: null }"), json!({}), NO),
        (by("{ sku: \"x\", slug: \"x\" }"), json!({}), NO),
        (by("{ sku: \"x\", sku: \"y\" }"), json!({}), NO),
        (by("{ sku: 7 }"), json!({}), NO),
        (by("{ other: 7 }"), json!({}), NO),
        (by("[{ sku: \"x\" }]"), json!({}), NO),
        (with("$a: String!", "{ sku: $a }"), json!({ "a": "x" }), "fine"),
        (with("$a: String! = \"x\"", "{ sku: $a }"), json!({}), "fine"),
        (with("$a: String! = \"x\"", "{ sku: $a }"), json!({ "a": null }), "BAD_USER_INPUT"),
        (with("$a: String!", "{ sku: $a }"), json!({}), "BAD_USER_INPUT"),
        (with("$a: String", "{ sku: $a }"), json!({ "a": "x" }), NO),
        (with("$a: String = \"x\"", "{ sku: $a }"), json!({}), NO),
        (with("$a: String!, $b: ID!", "{ sku: $a, id: $b }"), json!({ "a": "x", "b": "y" }), NO),
        (with("$a: ProductKey!", "$a"), json!({ "a": { "sku": "x" } }), "fine"),
        (with("$a: ProductKey!", "$a"), json!({ "a": {} }), "BAD_USER_INPUT"),
        (with("$a: ProductKey!", "$a"), json!({ "a": { "sku": null } }), "BAD_USER_INPUT"),
        (with("$a: ProductKey!", "$a"), json!({ "a": { "sku": "x", "id": null } }), "BAD_USER_INPUT"),
        (with("$a: ProductKey! = {}", "$a"), json!({}), NO),
        (with("$a: ProductKey! = { sku: null }", "$a"), json!({}), NO),
        (with("$a: ProductKey! = { sku: \"x\", id: 1 }", "$a"), json!({ "a": { "sku": "x" } }), NO),
        (with("$a: ProductKey = { sku: \"x\" }", "$a"), json!({}), "fine"),
        (with("$a: ProductKey = { sku: \"x\" }", "$a"), json!({ "a": null }), "BAD_USER_INPUT"),
        ("{ ...F } fragment F on Query { product(by: {}) { id } }".to_owned(), json!({}), NO),
    ])
    .await;
}

#[tokio::test]
async fn scalars_are_what_they_say_and_null_is_only_where_it_may_be() {
    let since = |value: &str| format!("{{ stockTransactions(filter: {{ since: {value} }}) {{ nodes {{ id }} }} }}");
    let price = |value: &str| {
        let price = format!("price: {{ amount: {value}, currency: \"EUR\" }}");
        format!("mutation {{ updateProduct(input: {{ id: 1, {price} }}) {{ product {{ id }} }} }}")
    };
    let reason =
        "mutation($r: StockReason = OTHER) { adjustStock(input: { changes: [], reason: $r }) { userErrors { code } } }";
    let id = "query($i: ID = \"x\") { stock(productId: $i) { id } }";
    compare([
        (since("\"2026-01-31T12:00:00Z\""), json!({}), "fine"),
        (since("null"), json!({}), "fine"),
        (since("\"yesterday\""), json!({}), NO),
        (since("7"), json!({}), NO),
        (since("[\"2026-01-31T12:00:00Z\"]"), json!({}), NO),
        (since("{ a: 1 }"), json!({}), NO),
        (since("TODAY"), json!({}), NO),
        (price("9007199254740991"), json!({}), "fine"),
        (price("-1"), json!({}), "fine"),
        (price("9007199254740992"), json!({}), NO),
        (price("99999999999999999999999"), json!({}), NO),
        (price("1.0"), json!({}), NO),
        (price("\"1\""), json!({}), NO),
        (price("true"), json!({}), NO),
        (reason.to_owned(), json!({}), "fine"),
        (reason.to_owned(), json!({ "r": null }), "BAD_USER_INPUT"),
        (id.to_owned(), json!({ "i": "y" }), "fine"),
        (id.to_owned(), json!({ "i": null }), "BAD_USER_INPUT"),
    ])
    .await;
}
