//! What the command line asks for, from start to end: open, migrate, serve, drain; or verify, and say what was found.
//!
//! What is printed to standard output is for people who look; what is logged goes to standard error.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Clock};
use crate::config::{Command, CommandLine, Serve};
use crate::server::Wire;
use crate::store::{Databases, migrate, open, open_read_only};
use crate::verify::Report;
use crate::{demo, graphql, payment, server, upkeep, verify};

/// How long the writer may take to finish what is queued when the server has drained.
const MAX_LAST_COMMITS: Duration = Duration::from_secs(1);

/// Does what the command line asks for. `true` when all is well, `false` when `verify` found differences.
///
/// # Errors
/// When it cannot be done; the message is for people.
pub async fn run(line: CommandLine) -> anyhow::Result<bool> {
    match line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&line.database_url, &line.serve).await.map(|()| true),
        Command::Migrate => {
            migrate(&open(&line.database_url).await?).await?;
            println!("{} is up to date.", line.database_url);
            Ok(true)
        }
        Command::Schema => {
            print!("{}", graphql::sdl());
            Ok(true)
        }
        Command::Verify => {
            let db = open_read_only(&line.database_url).await?;
            let report = verify::verify(&db, true).await?;
            tell(&report);
            Ok(report.differences.is_empty())
        }
    }
}

async fn serve(url: &str, settings: &Serve) -> anyhow::Result<()> {
    if !settings.listen.ip().is_loopback() {
        bail!("everybody is staff here, so only a loopback address may be listened to, not {}", settings.listen);
    }
    if settings.payment.pay_lease <= settings.payment.pay_gateway {
        bail!("ONHAND_PAY_LEASE must be longer than ONHAND_PAY_GATEWAY");
    }
    let stop = stop_on_signal()?;
    let databases = open(url).await?;
    migrate(&databases).await?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
    let Databases { read, write, lock } = databases;
    let (app, writer) = App::start(read.clone(), write.clone(), settings.payment, Clock::system());
    let added = if settings.demo { demo::fill(&app).await? } else { 0 };
    greet(url, added, &listener)?;
    let cart_lifetime = Duration::from_secs(u64::from(settings.cart_days) * 24 * 3_600);
    tokio::spawn(payment::recover(app.clone(), stop.clone()));
    tokio::spawn(upkeep::keep_up(app.clone(), cart_lifetime, stop.clone()));
    let wire = Wire { origins: settings.allowed_origins.clone(), ..Wire::default() };
    server::serve(app, wire, listener, stop).await?;
    if timeout(MAX_LAST_COMMITS, writer).await.is_err() {
        tracing::warn!("somebody still held the writer at the end");
    }
    read.close().await?;
    write.close().await?;
    drop(lock);
    println!("stopped");
    Ok(())
}

/// Cancelled by Ctrl-C or SIGTERM. A second Ctrl-C ends the process at once.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        println!("\nfinishing what was begun");
        stopped.cancel();
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(stop)
}

fn greet(url: &str, added: usize, listener: &TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    println!(
        "onhand {}, for development: everybody is staff, and only this machine is listened to",
        env!("CARGO_PKG_VERSION")
    );
    println!("database   {url}");
    if added > 0 {
        println!("catalogue  {added} demo products added");
    }
    println!("listening  http://{address}");
    println!();
    println!("  explore   http://{address}/          a whole order in tabs, with live stock above it");
    println!("  graphql   http://{address}/graphql   POST, GET, websocket (graphql-transport-ws), server-sent events");
    println!("  health    http://{address}/health/ready");
    println!();
    println!("Ctrl-C stops it.");
    Ok(())
}

fn tell(report: &Report) {
    let Report { products, transactions, orders, differences, untold } = report;
    for difference in differences {
        println!("{difference}");
    }
    if *untold > 0 {
        println!("... and {untold} more");
    }
    let found = differences.len() as u64 + *untold as u64;
    let verdict = if found == 0 { "no differences".to_owned() } else { counted(found, "difference") };
    let checked =
        [counted(*products, "product"), counted(*transactions, "stock transaction"), counted(*orders, "order")];
    let [products, transactions, orders] = checked;
    println!("checked {products}, {transactions} and {orders}: {verdict}");
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
