//! What the command line asks for, from start to end: open, migrate, serve, drain; or verify, and say what was found.
//!
//! What is printed to standard output is for people who look; what is logged goes to standard error.

pub mod demo;
pub mod health;
pub mod signals;
pub mod verify;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::config::{Command, CommandLine, LimitSettings, LogFormat, SizeLimits};
use crate::database::{Databases, damage, is_file, migrate, open, open_read_only, shown};
use crate::files::import::Interrupted;
use crate::files::{export, import};
use crate::observability::lines::Lines;
use crate::server::bind;
use crate::server::{Door, Front, Gate, Wire, token};
use crate::supervision::Supervisor;
use crate::writer::retention;
use crate::{graphql, payment};

use signals::{INTERRUPTED, Signals, TERMINATED};
use verify::Report;

/// Files that are kept free of connections: for the database and its reconnects, gateways, keys, and connections that are
/// about to end.
const OTHER_FILES: u64 = 512;

/// How long the writer may take to finish what is queued when the server has drained.
const MAX_LAST_COMMITS: Duration = Duration::from_secs(1);

/// How long the end of a server waits for whoever reads what it says.
const MAX_LAST_LINES: Duration = Duration::from_secs(1);

/// How long work may hold its thread when it is to end.
const MAX_HELD: Duration = Duration::from_secs(1);

/// How what the command line asks for has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All is well.
    Well,
    /// It was done, and not all is well: `verify` found differences, `import` refused rows, `health` found no server that
    /// is ready.
    Unwell,
    /// A signal ended it before it was done; the exit code says which.
    Stopped(u8),
}

impl From<bool> for End {
    fn from(is_well: bool) -> Self {
        if is_well { Self::Well } else { Self::Unwell }
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// When it cannot be done; the message is for people.
pub async fn run(line: CommandLine) -> anyhow::Result<End> {
    match line.command.clone().unwrap_or(Command::Serve) {
        Command::Serve => Box::pin(serve(&line)).await.map(|()| End::Well),
        Command::Migrate if is_file(&line.database_url) => {
            Box::pin(to_its_end(bring_up_to_date(&line.database_url))).await
        }
        Command::Migrate => Box::pin(until_signal(bring_up_to_date(&line.database_url))).await,
        Command::Schema => {
            say(graphql::sdl().trim_end())?;
            Ok(End::Well)
        }
        Command::Health => {
            let health = health::ask(&line.serve.listen).await;
            // Its end says it, too, and that is what is looked at.
            let _ = say(&health.sentence);
            Ok(health.is_ready.into())
        }
        Command::Token { role, sub, ttl } => {
            say(&token(&line.access, role, &sub, ttl, Clock::system().now()).await?)?;
            Ok(End::Well)
        }
        Command::Verify => {
            let verified = async {
                let report = match open_read_only(&line.database_url).await {
                    Ok(db) => verify::verify(&db, true).await?,
                    Err(error) => {
                        let differences = vec![damage(&error).ok_or(error)?];
                        Report { differences, ..Report::default() }
                    }
                };
                tell(&report)?;
                Ok(report.differences.is_empty())
            };
            Box::pin(until_signal(verified)).await
        }
        Command::Import(settings) => match Box::pin(import::run(&line, &settings)).await {
            // It has told how far it came.
            Err(error) => error.downcast::<Interrupted>().map(|stopped| End::Stopped(stopped.code)),
            Ok(is_clean) => Ok(is_clean.into()),
        },
        Command::Export(settings) => {
            let exported = async { export::run(&line.database_url, &settings).await.map(|()| true) };
            Box::pin(until_signal(exported)).await
        }
    }
}

async fn bring_up_to_date(url: &str) -> anyhow::Result<bool> {
    let databases = open(url).await?;
    migrate(&databases).await?;
    databases.close().await;
    say(&format!("{} is up to date.", shown(url)))?;
    Ok(true)
}

/// Does some work until it is done, or until Ctrl-C or SIGTERM; the process ends soon after that or at a second one, also
/// when the work holds its thread, as writing to a pipe that nobody reads may. As the first process of a container, too,
/// which the kernel does not end by itself.
async fn until_signal(work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<End> {
    let (_watch, told) = watch()?;
    tokio::select! {
        biased;
        done = work => done.map(End::from),
        code = told => Ok(End::Stopped(code.unwrap_or(TERMINATED))),
    }
}

/// Does some work to its end, which is near: Ctrl-C and SIGTERM end the process only when the work is not done soon after, or
/// at a second one.
async fn to_its_end(work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<End> {
    let (_watch, _told) = watch()?;
    work.await.map(End::from)
}

/// Tells of Ctrl-C or SIGTERM, and ends the process soon after it or at a second one, for as long as the handle lives.
fn watch() -> anyhow::Result<(AbortOnDropHandle<()>, oneshot::Receiver<u8>)> {
    let mut signals = Signals::new()?;
    let (tell, told) = oneshot::channel();
    let watch = AbortOnDropHandle::new(tokio::spawn(async move {
        let code = signals.next().await;
        // Nobody listens any more when the work is done.
        let _ = tell.send(code);
        let _ = timeout(MAX_HELD, signals.next()).await;
        std::process::exit(code.into());
    }));
    Ok((watch, told))
}

/// What a server says to whoever looks, which it never waits for, and to its log.
#[derive(Clone)]
struct Output {
    lines: Lines,
    is_logged: bool,
}

impl Output {
    fn new(format: LogFormat) -> anyhow::Result<Self> {
        let lines = Lines::to(io::stdout(), |lost| format!("({lost} lines are missing here)\n"))?;
        Ok(Self { lines, is_logged: format == LogFormat::Json })
    }

    /// Says it to people. A log for collectors has it as a line of its own, beside which there is nothing else.
    fn say(&self, line: &str) {
        if self.is_logged {
            return;
        }
        self.lines.send(format!("{line}\n").into_bytes());
    }
}

async fn serve(line: &CommandLine) -> anyhow::Result<()> {
    let output = Output::new(line.serve.log_format)?;
    let served = serve_with(line, &output).await;
    output.lines.flush(MAX_LAST_LINES);
    served
}

async fn serve_with(line: &CommandLine, output: &Output) -> anyhow::Result<()> {
    let (url, serve, access, limits) = (&line.database_url, &line.serve, &line.access, &line.limits);
    line.check().map_err(anyhow::Error::msg)?;
    let stop = stop_on_signal(output.clone())?;
    let gate = Gate::new(access).await?;
    let is_development = gate.is_development();
    let connections = bound_connections(limits.sizes.connections, limits.sizes.sockets)?;
    let sizes = SizeLimits { connections, ..limits.sizes };
    let wire = Wire::new(&LimitSettings { sizes, ..limits.clone() }, serve.allowed_origins.clone());
    let bound = stop.run_until_cancelled(bind::bind(&serve.listen, is_development)).await;
    let Some(listener) = bound.transpose()? else {
        output.ended();
        return Ok(());
    };
    let address = listener.local_addr()?;
    // A migration may take minutes. Whoever comes meanwhile is told so.
    let door = Door::open(listener, &wire, stop.clone());
    let Some(databases) = prepared(url, &stop).await? else {
        output.ended();
        return Ok(());
    };
    if stop.run_until_cancelled(gate.settled()).await.is_none() {
        output.ended();
        return Ok(());
    }
    let settings = Settings {
        times: serve.payment,
        public_stock: access.public_stock,
        has_sandbox: access.sandbox.unwrap_or(is_development),
        max_queued: limits.sizes.queued,
    };
    let (app, writer) = App::start(&databases, settings, Clock::system());
    let added = if serve.demo.unwrap_or(is_development) { demo::fill(&app).await? } else { 0 };
    let explore = access.explore.unwrap_or(is_development);
    let cart_lifetime = Duration::from_hours(u64::from(serve.cart_days) * 24);
    app.follow_replicas(&databases.kind, &stop).await?;
    let supervisor = app.supervisor.clone();
    supervisor.spawn("recovery", &stop, payment::recover(app.clone(), stop.clone()));
    supervisor.spawn(
        "upkeep",
        &stop,
        retention::keep_up(app.writer.clone(), app.clock.clone(), cart_lifetime, stop.clone()),
    );
    stop_on_failure(&supervisor, &stop);
    let serving = door.let_in(app, Front { gate, explore, documents: limits.documents.clone(), wire })?;
    output.greet(line, (is_development, explore), added, address);
    serving.until_drained().await?;
    if timeout(MAX_LAST_COMMITS, writer).await.is_err() {
        tracing::warn!("somebody still held the writer at the end");
    }
    databases.close().await;
    if let Some(reason) = supervisor.failure() {
        bail!("{reason}");
    }
    output.ended();
    Ok(())
}

/// The database with its schema up to date; `None` when it was told to stop meanwhile. Whoever waits for a server obeys at
/// once; a file is not waited for, and its schema is never left half-made.
///
/// # Errors
/// When the database cannot be opened, or its schema cannot be brought up to date.
pub async fn prepared(url: &str, stop: &CancellationToken) -> anyhow::Result<Option<Databases>> {
    let prepared = async {
        let databases = open(url).await?;
        migrate(&databases).await?;
        anyhow::Ok(databases)
    };
    if is_file(url) {
        return prepared.await.map(Some);
    }
    tokio::select! {
        biased;
        databases = prepared => databases.map(Some),
        () = stop.cancelled() => Ok(None),
    }
}

/// Raises the limit of open files as far as it may be, and returns how many connections leave enough of them for the rest.
///
/// # Errors
/// When there are not even enough files for the rest.
fn bound_connections(wanted: usize, sockets: usize) -> anyhow::Result<usize> {
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
    if connections < sockets {
        tracing::warn!(
            files,
            connections,
            sockets,
            "there are not as many connections as ONHAND_MAX_SOCKETS allows websockets: raise `ulimit -n` and \
             ONHAND_MAX_CONNECTIONS, or lower ONHAND_MAX_SOCKETS"
        );
    }
    Ok(connections)
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
fn stop_on_signal(output: Output) -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut signals = Signals::new()?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        output.ending();
        stopped.cancel();
        signals.interrupted().await;
        std::process::exit(INTERRUPTED.into());
    });
    Ok(stop)
}

impl Output {
    fn greet(&self, line: &CommandLine, (is_development, explore): (bool, bool), added: usize, address: SocketAddr) {
        let version = env!("CARGO_PKG_VERSION");
        let database = shown(&line.database_url);
        let sandbox_in_production = !is_development && line.access.sandbox == Some(true);
        if self.is_logged {
            tracing::info!(version, %address, database, is_development, explore, demo_products = added, "started");
            if sandbox_in_production {
                tracing::warn!("orders can be paid with the sandbox, which takes no money");
            }
        }
        if is_development {
            self.say(&format!(
                "onhand {version}, for development: everybody is staff, and only this machine is listened to"
            ));
        } else {
            self.say(&format!("onhand {version}"));
        }
        self.say(&format!("database   {database}"));
        if added > 0 {
            self.say(&format!("catalogue  {added} demo products added"));
        }
        if sandbox_in_production {
            self.say("WARNING    orders can be paid with the sandbox, which takes no money");
        }
        self.say(&format!("listening  http://{address}"));
        self.say("");
        if explore {
            self.say(&format!(
                "  explore   http://{address}/          a whole order in tabs, with live stock above it"
            ));
            self.say(&format!(
                "  demo      http://{address}/demo      a shop and its back office, live beside each other"
            ));
        }
        self.say(&format!(
            "  graphql   http://{address}/graphql   POST, GET, websocket (graphql-transport-ws), server-sent events"
        ));
        self.say(&format!("  health    http://{address}/health/ready"));
        self.say("");
        self.say("Ctrl-C stops it.");
    }

    fn ending(&self) {
        if self.is_logged {
            tracing::info!("draining: finishing what was begun");
        }
        self.say("\nfinishing what was begun");
    }

    fn ended(&self) {
        if self.is_logged {
            tracing::info!("stopped");
        }
        self.say("stopped");
    }
}

fn tell(report: &Report) -> anyhow::Result<()> {
    let Report { products, transactions, orders, differences, untold } = report;
    for difference in differences {
        say(difference)?;
    }
    if *untold > 0 {
        say(&format!("... and {untold} more"))?;
    }
    let found = differences.len() as u64 + *untold as u64;
    let verdict = if found == 0 { "no differences".to_owned() } else { counted(found, "difference") };
    let checked =
        [counted(*products, "product"), counted(*transactions, "stock transaction"), counted(*orders, "order")];
    let [products, transactions, orders] = checked;
    say(&format!("checked {products}, {transactions} and {orders}: {verdict}"))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Prints a line for whoever looks. Nobody may look any more: a closed pipe is no failure.
///
/// # Errors
/// When it cannot be written, as on a disk that is full.
fn say(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}
