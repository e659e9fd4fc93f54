//! How many payments a second go through the writer, against how many commits a second the disk under it takes.
//!
//! Both are measured in the same run, on the same kind of file: what matters is the ratio. `cargo bench --bench writer`;
//! with `TEST_DATABASE_URL` on that PostgreSQL, in a database of its own.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "a bench ends with the tasks that it spawns")]

#[path = "../tests/support/place.rs"]
#[expect(dead_code, clippy::expect_used, clippy::print_stderr, reason = "shared with the tests")]
mod place;

use std::future::Future;
use std::time::{Duration, Instant};

use domain::actor::Actor;
use domain::commands::{BeginPayment, CartChange, CheckOut, CreateCart, CreateProduct, NewProduct, ProductInput};
use domain::id::{OrderId, ProductId};
use domain::payment::Method;
use futures_util::{StreamExt, stream};
use onhand::app::{App, Settings};
use onhand::clock::Clock;
use onhand::config::PaymentTimeouts;
use onhand::database::{migrate, open};
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;

use place::Place;

/// Plain commits that are timed.
const COMMITS: usize = 500;

/// Buyers who wait at the same time, and payments that they make together.
const ROUNDS: [(usize, usize); 4] = [(1, 400), (8, 2_000), (32, 6_000), (256, 20_000)];

/// Lease of a payment that is begun. Nothing recovers payments here.
const LEASE: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let (plain, place) = (Place::new().await, Place::new().await);
    let limit = plain_commits(&plain.url).await?;
    println!("plain commits of one row, one after the other: {limit:.0} a second");
    println!("{:>7}  {:>12}  {:>8}  {:>10}", "buyers", "payments/s", "ratio", "latency");
    let app = shop(&place.url).await?;
    for (buyers, payments) in ROUNDS {
        let hot = product(&app, payments).await?;
        let orders = orders(&app, hot, payments).await?;
        let began = Instant::now();
        all(buyers, orders, |order| pay(app.clone(), order)).await?;
        let took = began.elapsed().as_secs_f64();
        let rate = as_float(payments) / took;
        let latency = as_float(buyers) / rate * 1_000.0;
        println!("{buyers:>7}  {rate:>12.0}  {:>7.1}x  {latency:>7.2} ms", rate / limit);
    }
    Ok(())
}

/// Commits a second of the smallest transaction there is, on a file like the shop's.
async fn plain_commits(url: &str) -> Outcome<f64> {
    let databases = open(url).await?;
    let db = databases.write.as_ref().unwrap_or(&databases.read);
    db.execute_unprepared("CREATE TABLE plain (id INTEGER PRIMARY KEY, count INTEGER)").await?;
    db.execute_unprepared("INSERT INTO plain VALUES (1, 0)").await?;
    let began = Instant::now();
    for _ in 0..COMMITS {
        db.execute_unprepared("UPDATE plain SET count = count + 1 WHERE id = 1").await?;
    }
    Ok(as_float(COMMITS) / began.elapsed().as_secs_f64())
}

async fn shop(url: &str) -> Outcome<App> {
    let databases = open(url).await?;
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
    app.follow_replicas(&databases.kind, &CancellationToken::new()).await?;
    // The lock lives as long as the process.
    std::mem::forget(databases);
    Ok(app)
}

/// One product that everybody wants.
async fn product(app: &App, units: usize) -> Outcome<ProductId> {
    let input = ProductInput {
        sku: format!("HOT-{units}"),
        name: "Hot".to_owned(),
        price_amount: 100,
        price_currency: "EUR".to_owned(),
        manage_stock: true,
        initial_stock: i32::try_from(units)?,
        ..ProductInput::default()
    };
    let product = NewProduct::check(&input).map_err(|refusal| format!("{refusal:?}"))?;
    Ok(app.writer.submit(&Actor::System, CreateProduct(product)).await?.product.id)
}

async fn orders(app: &App, product: ProductId, count: usize) -> Outcome<Vec<OrderId>> {
    let made = stream::iter(0..count).map(|_| async move {
        let items = vec![CartChange { product, quantity: 1 }];
        let cart = app.writer.submit(&Actor::Guest, CreateCart { items }).await?;
        let check_out = CheckOut::check(cart.id, None)?;
        app.writer.submit(&Actor::Guest, check_out).await.map(|record| record.order.id)
    });
    let made: Vec<Result<OrderId, onhand::database::error::Error>> = made.buffer_unordered(256).collect().await;
    Ok(made.into_iter().collect::<Result<_, _>>()?)
}

async fn pay(app: App, order: OrderId) -> Result<(), onhand::database::error::Error> {
    let begin = BeginPayment {
        order,
        gateway: "manual".to_owned(),
        method: Method::Purchase,
        settles_without_call: true,
        lease: LEASE,
        hold_time: LEASE,
        key: None,
    };
    app.writer.submit(&Actor::System, begin).await.map(|_| ())
}

/// Does all of these, so many at a time.
async fn all<T, F>(at_once: usize, what: Vec<T>, each: impl Fn(T) -> F) -> Outcome<()>
where
    F: Future<Output = Result<(), onhand::database::error::Error>> + Send + 'static,
{
    let results: Vec<_> =
        stream::iter(what).map(|one| tokio::spawn(each(one))).buffer_unordered(at_once).collect().await;
    for result in results {
        result??;
    }
    Ok(())
}

fn as_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
