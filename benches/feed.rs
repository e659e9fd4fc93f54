//! How long a change takes from one replica to those who watch on another, with the doorbell and without it. It needs a
//! PostgreSQL whose role may make databases: `TEST_DATABASE_URL=postgres://... cargo bench --bench feed`.
//!
//! Measured from the moment when the change is answered on the one to the moment when the hub of the other tells it.
//! Beside it: the time of the change itself, so that it is seen what the machine was able to do.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "a bench ends with the tasks that it spawns")]

#[path = "../tests/support/place.rs"]
#[expect(dead_code, clippy::expect_used, clippy::print_stderr, reason = "shared with the tests")]
mod place;

use std::time::{Duration, Instant};

use domain::actor::Actor;
use domain::commands::{AdjustStock, CreateProduct, NewProduct, ProductInput, StockChange};
use domain::id::ProductId;
use domain::stock::{Action, PublicStock};
use domain::transaction::Reason;
use onhand::app::{App, Settings};
use onhand::clock::Clock;
use onhand::config::PaymentTimeouts;
use onhand::database::{Kind, migrate, open};
use onhand::live::Feed;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use place::Place;

/// Products that change at the same time, and changes of each.
const ROUNDS: [(usize, usize); 3] = [(1, 400), (8, 300), (32, 200)];

/// Changes of each product where nobody rings.
const UNRUNG: (usize, usize) = (8, 20);

/// The pause between two changes of a product: a badge is told the newest state, so each has to be told on its own.
const PAUSE: Duration = Duration::from_millis(5);

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    if !place::is_postgres() {
        println!("TEST_DATABASE_URL names no PostgreSQL: on SQLite there is nothing between replicas to measure");
        return Ok(());
    }
    let place = Place::new().await;
    println!(
        "{:>9} {:>9}  {:>22}  {:>22}  {:>8}",
        "doorbell", "products", "change p50 p99", "other replica p50 p99", "told"
    );
    for has_bell in [true, false] {
        let stop = CancellationToken::new();
        let (here, there) = (replica(&place, has_bell, &stop).await?, replica(&place, has_bell, &stop).await?);
        let rounds: &[(usize, usize)] = if has_bell { &ROUNDS } else { &[UNRUNG] };
        for (products, changes) in rounds {
            let (mut took, mut told) = round(&here, &there, *products, *changes).await?;
            let notifier = if has_bell { "yes" } else { "no" };
            let [took, to_other] = [&mut took, &mut told].map(|times| format!("{} {}", at(times, 50), at(times, 99)));
            println!("{notifier:>9} {products:>9}  {took:>22}  {to_other:>22}  {:>8}", told.len());
        }
        stop.cancel();
    }
    Ok(())
}

async fn replica(place: &Place, has_bell: bool, stop: &CancellationToken) -> Outcome<App> {
    let databases = open(&place.url).await?;
    migrate(&databases).await?;
    let second = Duration::from_secs(1);
    let times = PaymentTimeouts {
        pay_answer: second * 4,
        pay_gateway: second * 20,
        pay_lease: second * 30,
        pay_retry: second,
        pay_retry_max: second * 60,
        pay_give_up: second * 900,
    };
    let (app, _) = App::start(&databases, Settings::of(times), Clock::system());
    if let Kind::Postgres(postgres) = &databases.kind {
        let (hub, clock, age) = (app.hub.clone(), app.clock.clone(), app.feed_age.clone());
        let feed = Feed::begin(postgres.clone(), hub, clock, age).await?;
        tokio::spawn(feed.follow(app.notifier.clone(), stop.clone()));
        if has_bell {
            tokio::spawn(app.notifier.clone().carry(postgres.clone(), stop.clone()));
        }
    }
    Ok(app)
}

/// Changes products here and watches them there: how long each change took, and how long it was on its way.
async fn round(here: &App, there: &App, products: usize, changes: usize) -> Outcome<(Vec<Duration>, Vec<Duration>)> {
    let mut work = Vec::new();
    for number in 0..products {
        let product = product(here, &format!("P{products}-{changes}-{number}")).await?;
        let (here, there) = (here.clone(), there.clone());
        work.push(tokio::spawn(async move { one(&here, &there, product, changes).await }));
    }
    let (mut took, mut told) = (Vec::new(), Vec::new());
    for one in work {
        let (some_took, some_told) = one.await??;
        took.extend(some_took);
        told.extend(some_told);
    }
    Ok((took, told))
}

async fn one(here: &App, there: &App, product: ProductId, changes: usize) -> Outcome<(Vec<Duration>, Vec<Duration>)> {
    let mut watch = there.hub.watch_stocks(&[product], PublicStock::Exact);
    let (sender, mut arrived) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (_, (version, _)) = watch.next().await;
            if sender.send((version, Instant::now())).is_err() {
                break;
            }
        }
    });
    let (mut took, mut told) = (Vec::new(), Vec::new());
    for _ in 0..changes {
        let change = StockChange { product, action: Action::Increment, quantity: 1, expected_version: None };
        let adjust = AdjustStock::check(vec![change], Reason::Received, None, None, false);
        let adjust = adjust.map_err(|refusal| format!("{refusal:?}"))?;
        let began = Instant::now();
        here.writer.submit(&Actor::System, adjust).await?;
        let answered = Instant::now();
        took.push(answered - began);
        // It may have been faster than the answer.
        let (_, at) = arrived.recv().await.ok_or("nobody tells")?;
        told.push(at.saturating_duration_since(answered));
        sleep(PAUSE).await;
    }
    Ok((took, told))
}

async fn product(app: &App, sku: &str) -> Outcome<ProductId> {
    let input = ProductInput {
        sku: sku.to_owned(),
        name: "Hot".to_owned(),
        price_amount: 100,
        price_currency: "EUR".to_owned(),
        manage_stock: true,
        ..ProductInput::default()
    };
    let product = NewProduct::check(&input).map_err(|refusal| format!("{refusal:?}"))?;
    Ok(app.writer.submit(&Actor::System, CreateProduct(product)).await?.product.id)
}

/// The time that so many of a hundred stay below.
fn at(times: &mut [Duration], percent: usize) -> String {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or_else(String::new, |time| format!("{:.1} ms", time.as_secs_f64() * 1_000.0))
}
