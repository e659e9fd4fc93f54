//! What the command line asks for, from start to end: open, migrate, serve, drain; or verify, and say what was found.
//!
//! What is printed to standard output is for people who look; what is logged goes to standard error.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::config::{Command, CommandLine, LimitSettings, Room};
use crate::live::Feed;
use crate::server::{Door, Front, Gate, Wire, token};
use crate::store::{Databases, Kind, migrate, open, open_read_only, shown};
use crate::supervision::Supervisor;
use crate::verify::Report;
use crate::{demo, export, graphql, import, payment, probe, upkeep, verify};

/// Files that are kept free of connections: for the database and its reconnects, gateways, keys, and connections that are
/// about to end.
const OTHER_FILES: u64 = 512;

/// How long the writer may take to finish what is queued when the server has drained.
const MAX_LAST_COMMITS: Duration = Duration::from_secs(1);

/// How long connections to the database may take to end: one that hangs ends with the process.
const MAX_GOODBYE: Duration = Duration::from_secs(1);

/// Does what the command line asks for. `true` when all is well, `false` when `verify` found differences or
/// an import refused rows.
///
/// # Errors
/// When it cannot be done; the message is for people.
pub async fn run(line: CommandLine) -> anyhow::Result<bool> {
    match line.command.clone().unwrap_or(Command::Serve) {
        Command::Serve => serve(&line).await.map(|()| true),
        Command::Migrate => {
            let databases = open(&line.database_url).await?;
            migrate(&databases).await?;
            close(databases).await;
            say(&format!("{} is up to date.", shown(&line.database_url)));
            Ok(true)
        }
        Command::Schema => {
            say(graphql::sdl().trim_end());
            Ok(true)
        }
        Command::Health => {
            let answer = probe::ask(line.serve.listen).await?;
            say(&answer.text);
            Ok(answer.is_ready)
        }
        Command::Token { role, sub, ttl } => {
            say(&token(&line.access, role, &sub, ttl, Clock::system().now()).await?);
            Ok(true)
        }
        Command::Verify => {
            let db = open_read_only(&line.database_url).await?;
            let report = verify::verify(&db, true).await?;
            tell(&report);
            Ok(report.differences.is_empty())
        }
        Command::Import(settings) => import::run(&line, &settings).await,
        Command::Export(settings) => export::run(&line.database_url, &settings).await.map(|()| true),
    }
}

async fn serve(line: &CommandLine) -> anyhow::Result<()> {
    let (url, serve, access, limits) = (&line.database_url, &line.serve, &line.access, &line.limits);
    limits.check().map_err(anyhow::Error::msg)?;
    let gate = Gate::new(access).await?;
    let is_development = gate.is_development();
    if is_development && !serve.listen.ip().is_loopback() {
        bail!(
            "without ONHAND_SECRET or ONHAND_JWKS everybody is staff, so only a loopback address may be listened to, not {}",
            serve.listen
        );
    }
    if serve.payment.pay_lease <= serve.payment.pay_gateway {
        bail!("ONHAND_PAY_LEASE must be longer than ONHAND_PAY_GATEWAY");
    }
    if serve.payment.pay_answer >= limits.times.request {
        bail!("ONHAND_PAY_ANSWER must be shorter than ONHAND_WAIT_REQUEST");
    }
    let connections = bound_connections(limits.room.connections)?;
    let room = Room { connections, ..limits.room };
    let wire = Wire::new(&LimitSettings { room, ..limits.clone() }, serve.allowed_origins.clone());
    let stop = stop_on_signal()?;
    let listener = TcpListener::bind(serve.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", serve.listen))?;
    let address = listener.local_addr()?;
    // A migration may take minutes. Whoever comes meanwhile is told so.
    let door = Door::open(listener, &wire, stop.clone());
    let databases = open(url).await?;
    migrate(&databases).await?;
    let settings = Settings {
        times: serve.payment,
        public_stock: access.public_stock,
        has_sandbox: access.sandbox.unwrap_or(is_development),
        max_queued: limits.room.queued,
    };
    let (app, writer) = App::start(&databases, settings, Clock::system());
    let added = if serve.demo.unwrap_or(is_development) { demo::fill(&app).await? } else { 0 };
    let explore = access.explore.unwrap_or(is_development);
    let cart_lifetime = Duration::from_hours(u64::from(serve.cart_days) * 24);
    follow_replicas(&app, &databases.kind, &stop).await?;
    let supervisor = app.supervisor.clone();
    supervisor.spawn("recovery", &stop, payment::recover(app.clone(), stop.clone()));
    supervisor.spawn("upkeep", &stop, upkeep::keep_up(app.clone(), cart_lifetime, stop.clone()));
    stop_on_failure(&supervisor, &stop);
    let serving = door.let_in(app, Front { gate, explore, documents: limits.documents.clone(), wire })?;
    greet(line, (is_development, explore), added, address);
    serving.until_drained().await?;
    if timeout(MAX_LAST_COMMITS, writer).await.is_err() {
        tracing::warn!("somebody still held the writer at the end");
    }
    close(databases).await;
    if let Some(reason) = supervisor.failure() {
        bail!("{reason}");
    }
    say("stopped");
    Ok(())
}

/// Raises the limit of open files as far as it may be, and returns how many connections leave enough of them for the rest.
///
/// # Errors
/// When there are not even enough files for the rest.
fn bound_connections(wanted: usize) -> anyhow::Result<usize> {
    let files = rlimit::increase_nofile_limit(wanted as u64 + OTHER_FILES);
    let files =
        files.or_else(|_| rlimit::Resource::NOFILE.get_soft()).context("the limit of open files is not known")?;
    let most = files.saturating_sub(OTHER_FILES);
    if most == 0 {
        bail!("this process may open {files} files and needs more than {OTHER_FILES}: raise `ulimit -n`");
    }
    let connections = usize::try_from(most).map_or(wanted, |most| most.min(wanted));
    if connections < wanted {
        tracing::warn!(
            files,
            connections,
            wanted,
            "fewer connections than ONHAND_MAX_CONNECTIONS: raise `ulimit -n` for more"
        );
    }
    Ok(connections)
}

/// Closes a database, and then gives its lock back.
async fn close(databases: Databases) {
    let Databases { read, scan, probe, write, kind } = databases;
    for connections in [read, scan, probe, write] {
        if timeout(MAX_GOODBYE, connections.close()).await.is_err() {
            tracing::warn!("the database did not take leave in time");
        }
    }
    drop(kind);
}

/// Where replicas share a database, tells the others what is done here, and hears from them.
///
/// # Errors
/// When the database does not answer.
pub async fn follow_replicas(app: &App, kind: &Kind, stop: &CancellationToken) -> anyhow::Result<()> {
    if let Kind::Postgres(postgres) = kind {
        let links = (app.hub.clone(), app.clock.clone(), app.feed_age.clone());
        let feed = Feed::begin(postgres.clone(), links).await?;
        app.supervisor.spawn("the feed between replicas", stop, feed.follow(app.bell.clone(), stop.clone()));
        let carried = app.bell.clone().carry(postgres.clone(), stop.clone());
        app.supervisor.spawn("the notifier between replicas", stop, carried);
    }
    Ok(())
}

/// Begins to stop when a task has ended that the server cannot do without.
fn stop_on_failure(supervisor: &Supervisor, stop: &CancellationToken) {
    let (supervisor, stop) = (supervisor.clone(), stop.clone());
    tokio::spawn(async move {
        supervisor.failed().await;
        stop.cancel();
    });
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
        stopped.cancel();
        say("\nfinishing what was begun");
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(stop)
}

fn greet(line: &CommandLine, (is_development, explore): (bool, bool), added: usize, address: SocketAddr) {
    let version = env!("CARGO_PKG_VERSION");
    if is_development {
        say(&format!("onhand {version}, for development: everybody is staff, and only this machine is listened to"));
    } else {
        say(&format!("onhand {version}"));
    }
    say(&format!("database   {}", shown(&line.database_url)));
    if added > 0 {
        say(&format!("catalogue  {added} demo products added"));
    }
    if !is_development && line.access.sandbox == Some(true) {
        say("WARNING    orders can be paid with the sandbox, which takes no money");
    }
    say(&format!("listening  http://{address}"));
    say("");
    if explore {
        say(&format!("  explore   http://{address}/          a whole order in tabs, with live stock above it"));
        say(&format!("  demo      http://{address}/demo      a shop and its back office, live beside each other"));
    }
    say(&format!(
        "  graphql   http://{address}/graphql   POST, GET, websocket (graphql-transport-ws), server-sent events"
    ));
    say(&format!("  health    http://{address}/health/ready"));
    say("");
    say("Ctrl-C stops it.");
}

fn tell(report: &Report) {
    let Report { products, transactions, orders, differences, untold } = report;
    for difference in differences {
        say(difference);
    }
    if *untold > 0 {
        say(&format!("... and {untold} more"));
    }
    let found = differences.len() as u64 + *untold as u64;
    let verdict = if found == 0 { "no differences".to_owned() } else { counted(found, "difference") };
    let checked =
        [counted(*products, "product"), counted(*transactions, "stock transaction"), counted(*orders, "order")];
    let [products, transactions, orders] = checked;
    say(&format!("checked {products}, {transactions} and {orders}: {verdict}"));
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Prints a line for whoever looks. Nobody may look any more: a closed pipe ends no server.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
