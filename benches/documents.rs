//! How long a document is looked at before it is executed, when it is new and when it has come before.
//!
//! `cargo bench --bench documents`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use onhand::domain::party::Party;
use onhand::domain::stock::PublicStock;
use onhand::graphql::{Documents, Limits, Viewer};
use serde_json::{Map, Value, json};

/// How often each is looked at.
const TIMES: u32 = 20_000;

const DOCUMENTS: [(&str, &str); 3] = [
    (
        "a badge",
        "subscription Badge($productIds: [ID!]!) { stockChanged(productIds: $productIds) { id total available } }",
    ),
    ("a catalogue", include_str!("../tests/corpus/catalogue.graphql")),
    ("introspection", include_str!("../tests/corpus/introspection.graphql")),
];

fn main() -> Result<(), String> {
    let documents = Documents::new(Limits::default()).map_err(|error| error.to_string())?;
    let variables = json!({ "productIds": ["product_01j0000000e008000000000001"], "search": "mug" });
    let variables = variables.as_object().cloned().unwrap_or_default();
    println!("per document, in microseconds: new, and when it has come before");
    for (what, text) in DOCUMENTS {
        let new = time(|turn| look(&documents, &format!("{text} # {turn}"), &variables))?;
        let known = time(|_| look(&documents, text, &variables))?;
        println!("{what:15} {:8.1} {:8.1}", micros(new), micros(known));
    }
    Ok(())
}

/// What every request goes through before it is executed.
fn look(documents: &Documents, text: &str, variables: &Map<String, Value>) -> Result<(), String> {
    let viewer = Viewer { party: Party::Guest, public_stock: PublicStock::Exact };
    let document = documents.read(text).map_err(|faults| format!("{faults:?}"))?;
    documents.admit(&document, None, Some(variables), &viewer).map_err(|faults| format!("{faults:?}"))?;
    black_box(document.parsed());
    Ok(())
}

fn time(mut each: impl FnMut(u32) -> Result<(), String>) -> Result<Duration, String> {
    let begun = Instant::now();
    for turn in 0..TIMES {
        each(turn)?;
    }
    Ok(begun.elapsed() / TIMES)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
