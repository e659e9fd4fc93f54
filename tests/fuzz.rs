//! Documents that nobody would write: those of `tests/corpus`, with bytes, words and whole parts changed by chance.
//!
//! Each is read as a request is. It must neither panic nor take long, and whatever is wrong is told shortly, by a code. What
//! is accepted is sent to a shop. The seed is printed; `ONHAND_FUZZ_SEED` plays it again, for `ONHAND_FUZZ_SECONDS`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::actor::Actor;
use domain::stock::PublicStock;
use onhand::graphql::document::Delivery;
use onhand::graphql::{Documents, Limits, Viewer};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::support::Shop;

/// How long it plays unless told otherwise.
const SECONDS: u64 = 3;
/// Longest list of what is wrong, in bytes.
const MAX_ANSWER: usize = 8_000;
/// Longest time for one document; a document takes well under a millisecond.
const MAX_TIME: Duration = Duration::from_secs(2);
/// One in so many documents that are accepted is sent to a shop, too.
const SENT: u32 = 8;

/// Pieces of GraphQL that go anywhere.
const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "...",
    "...F",
    "... on ",
    "on",
    "$a",
    "$",
    ":",
    "=",
    "!",
    "@",
    "@skip(if: true)",
    "@include(if: $a)",
    "|",
    "&",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "\n",
    "\r",
    ",",
    " ",
    "\u{feff}",
    "\u{0}",
    "é",
    "\u{1f9f5}",
    "null",
    "true",
    "0",
    "-0",
    "1.5e400",
    "9007199254740993",
    "-",
    "query",
    "mutation",
    "subscription",
    "fragment",
    "fragment F on Query { __typename ...F }",
    "extend type Query { a: Int }",
    "__typename",
    "__schema { types { name } }",
    "id",
    "a: id",
    "nodes",
    "first: 100",
    "first: $a",
    "\"\\u",
    "\"\\uD83E\\uDDF5\"",
    "($a: Int)",
    "[[[[",
    "{a:{a:",
];

fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

/// A place between two characters.
fn place(text: &str, chance: &mut StdRng) -> usize {
    text.floor_char_boundary(chance.random_range(0..=text.len()))
}

/// Two places, the first one first.
fn range(text: &str, chance: &mut StdRng) -> std::ops::Range<usize> {
    let (a, b) = (place(text, chance), place(text, chance));
    a.min(b)..a.max(b)
}

fn change(text: &mut String, corpus: &[String], chance: &mut StdRng) {
    match chance.random_range(0..9) {
        0 => {
            let at = chance.random_range(0..=text.len().saturating_sub(1));
            let mut bytes = std::mem::take(text).into_bytes();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.random_range(0..8);
            }
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        1 => {
            let range = range(text, chance);
            text.replace_range(range, "");
        }
        2 => {
            let part = text[range(text, chance)].to_owned();
            let at = place(text, chance);
            text.insert_str(at, &part.repeat(chance.random_range(1..4)));
        }
        3 => {
            let other = corpus.choose(chance).expect("a corpus");
            let part = &other[range(other, chance)];
            text.replace_range(range(text, chance), part);
        }
        4 => {
            let (open, close) =
                *[("[", "]"), ("{a:", "}"), ("{ ", " }"), ("(", ")"), ("...{", "}")].choose(chance).expect("pairs");
            let depth = chance.random_range(1..120);
            let range = range(text, chance);
            text.insert_str(range.end, &close.repeat(depth));
            text.insert_str(range.start, &open.repeat(depth));
        }
        5 => {
            let word = WORDS.choose(chance).expect("words");
            let at = place(text, chance);
            text.insert_str(at, &word.repeat(chance.random_range(1..300)));
        }
        _ => {
            let word = WORDS.choose(chance).expect("words");
            let at = place(text, chance);
            text.insert_str(at, &format!(" {word} "));
        }
    }
}

fn values(chance: &mut StdRng) -> Value {
    let id = "product_01j0000000e008000000000001";
    let all = [
        json!({}),
        json!({ "a": 1, "ids": [id], "id": id, "productIds": [], "product": id }),
        json!({ "first": "x", "input": [] }),
    ];
    all.choose(chance).expect("values").clone()
}

/// Reads one document that was made from this seed. It returns what may be executed.
fn play(documents: &Documents, corpus: &[String], seed: u64) -> Option<(String, Value)> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut text = corpus.choose(&mut chance).expect("a corpus").clone();
    for _ in 0..chance.random_range(0..6) {
        change(&mut text, corpus, &mut chance);
    }
    let variables = values(&mut chance);
    let viewer = Viewer { actor: Actor::Guest, client: (&Actor::Guest).into(), public_stock: PublicStock::Exact };
    let begun = Instant::now();
    let read = documents.read(&text);
    let admitted =
        read.and_then(|document| documents.admit(&document, (None, variables.as_object()), &viewer, Delivery::Once));
    assert!(begun.elapsed() < MAX_TIME, "it took {:?}: {text}", begun.elapsed());
    let Err(faults) = admitted else { return Some((text, variables)) };
    let answer = serde_json::to_value(&faults).expect("JSON");
    assert!(!faults.is_empty() && answer.to_string().len() <= MAX_ANSWER, "{answer}");
    for fault in answer.as_array().expect("a list") {
        let has_code = fault["extensions"]["code"].is_string();
        let message = fault["message"].as_str().expect("a message");
        assert!(has_code && !message.is_empty() && !message.contains(char::is_control), "{fault}");
    }
    None
}

#[tokio::test]
async fn no_document_is_too_strange() {
    let seconds = Duration::from_secs(setting("ONHAND_FUZZ_SECONDS").unwrap_or(SECONDS));
    let first = setting("ONHAND_FUZZ_SEED").unwrap_or_else(|| rand::rng().random_range(0..1 << 48));
    let documents = Documents::new(Limits::default()).expect("a schema");
    let shop = Shop::open().await;
    let corpus = corpus();
    let end = Instant::now() + seconds;
    let (mut count, mut accepted) = (0_u64, 0_u32);
    println!("ONHAND_FUZZ_SEED={first}");
    while Instant::now() < end {
        let seed = first + count;
        count += 1;
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&documents, &corpus, seed)));
        let Ok(played) = played else { panic!("failed with ONHAND_FUZZ_SEED={seed}") };
        let Some((text, variables)) = played else { continue };
        accepted += 1;
        if accepted % SENT == 0 {
            let answer = shop.ask(&text, variables).await.to_string();
            assert!(!answer.contains("\"INTERNAL\""), "ONHAND_FUZZ_SEED={seed}: {text}\n{answer}");
        }
    }
    println!("{count} documents, {accepted} of them accepted");
    assert!(accepted > 0, "the corpus itself is accepted");
    shop.close().await;
}
