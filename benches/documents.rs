//! How long a document is looked at before it is executed, when it is new and when it has come before, and how long an
//! operation takes from there to its answer when nothing of it is left to be done.
//!
//! `cargo bench --bench documents`.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Request, Variables};
use domain::actor::Actor;
use domain::stock::PublicStock;
use onhand::app::{App, Settings};
use onhand::clock::Clock;
use onhand::config::PaymentTimeouts;
use onhand::database::{migrate, open};
use onhand::graphql::document::Delivery;
use onhand::graphql::{ApiSchema, Budget, Documents, Limits, Viewer, prepare, schema};
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

/// Validated as a whole, and executed without its fields.
const SKIPPED: &str = "query($no: Boolean! = false) { products(first: 10) @include(if: $no) { nodes { id sku name price \
    { amount currency } availability stock { total available allocated version updatedAt } } pageInfo { hasNextPage } } \
    product(by: { sku: \"MUG\" }) @include(if: $no) { id stock { available } } __typename }";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let documents = Documents::new(Limits::default())?;
    let variables = json!({ "productIds": ["product_01j0000000e008000000000001"], "search": "mug" });
    let variables = variables.as_object().cloned().unwrap_or_default();
    println!("per document, in microseconds: new, and when it has come before");
    for (what, text) in DOCUMENTS {
        let new = time(|turn| look(&documents, &format!("{text} # {turn}"), &variables))?;
        let known = time(|_| look(&documents, text, &variables))?;
        println!("{what:15} {:8.1} {:8.1}", micros(new), micros(known));
    }
    let folder = tempfile::tempdir()?;
    let app = shop(folder.path()).await?;
    let schema = schema(app.clone(), false);
    let began = Instant::now();
    for _ in 0..TIMES {
        answer(&documents, &app, &schema).await?;
    }
    println!("looked at and answered, without its fields: {:.1}", micros(began.elapsed() / TIMES));
    Ok(())
}

async fn answer(documents: &Documents, app: &App, schema: &ApiSchema) -> Result<(), String> {
    let viewer = Viewer { actor: Actor::Guest, client: (&Actor::Guest).into(), public_stock: PublicStock::Exact };
    let document = documents.read(SKIPPED).map_err(|faults| format!("{faults:?}"))?;
    documents.admit(&document, (None, None), &viewer, Delivery::Once).map_err(|faults| format!("{faults:?}"))?;
    let mut request = Request::new(SKIPPED).variables(Variables::default());
    request.set_parsed_query(document.parsed().clone());
    let response =
        schema.execute(prepare(app, request, (viewer, Arc::new(Budget::new(usize::MAX, |_| Ok(())))), None)).await;
    if response.is_err() { Err(format!("{:?}", response.errors)) } else { Ok(()) }
}

async fn shop(folder: &Path) -> Result<App, Box<dyn std::error::Error>> {
    let databases = open(&format!("sqlite://{}/shop.db", folder.display())).await?;
    migrate(&databases).await?;
    let second = Duration::from_secs(1);
    let times = PaymentTimeouts {
        pay_answer: second,
        pay_gateway: second,
        pay_lease: second * 2,
        pay_retry: second,
        pay_retry_max: second,
        pay_give_up: second,
    };
    let (app, _) = App::start(&databases, Settings::of(times), Clock::system());
    // The lock lives as long as the process.
    std::mem::forget(databases);
    Ok(app)
}

/// What every request goes through before it is executed.
fn look(documents: &Documents, text: &str, variables: &Map<String, Value>) -> Result<(), String> {
    let viewer = Viewer { actor: Actor::Guest, client: (&Actor::Guest).into(), public_stock: PublicStock::Exact };
    let document = documents.read(text).map_err(|faults| format!("{faults:?}"))?;
    documents
        .admit(&document, (None, Some(variables)), &viewer, Delivery::Once)
        .map_err(|faults| format!("{faults:?}"))?;
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
