//! How fast the server is, beside the limits of the machine it runs on: `cargo bench --bench shop`, on Linux.
//!
//! It starts release servers on SQLite and on a PostgreSQL of its own, drives them from another process over HTTP and
//! graphql-transport-ws, and measures the limits in the same run. What it says is a ratio: rates differ between machines
//! and hours. The quick mode measures for about a minute; `-- --full` takes longer and repeats three times. A run in which
//! anything is oversold, lost or not delivered fails.
//!
//! - [`arguments`]: the command line, and the counts and durations.
//! - [`server`], [`limits`]: what is measured.
//! - [`client`], [`http`], [`api`]: what drives it.
//! - [`measure`]: the scenarios, and what must be true after each.
//! - [`figures`], [`usage`], [`machine`], [`report`], [`chart`]: what comes of it.

mod api;
mod arguments;
mod chart;
mod client;
mod figures;
mod http;
mod limits;
mod machine;
mod measure;
mod progress;
mod report;
mod server;
mod usage;

#[path = "../../tests/support/cluster.rs"]
#[expect(dead_code, clippy::expect_used, reason = "shared with the tests")]
mod cluster;

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use arguments::{Arguments, DatabaseKind, Plan};
use figures::Figures;
use machine::Machine;
use measure::Run;
use progress::say;
use report::Report;

/// Files that this process and those that it starts may open, where the system lets them.
const FILES: u64 = 32_768;

/// Files that a process opens besides its websockets.
const OTHER_FILES: usize = 1_000;

/// Timeout for everything.
const TIMEOUT: Duration = Duration::from_hours(2);

#[tokio::main]
async fn main() -> Result<()> {
    let files = usize::try_from(rlimit::increase_nofile_limit(FILES)?)?;
    match env::args().nth(1).as_deref() {
        Some(client::ARGUMENT) => client::main().await,
        Some(limits::bare::ARGUMENT) => limits::bare::main().await,
        Some(limits::fanout::ARGUMENT) => limits::fanout::main().await,
        _ => {
            let arguments = Arguments::parse();
            let plan = Plan::new(&arguments);
            ensure!(!arguments.write || plan.repeats >= 3, "what is written is the median of at least three repeats");
            let needed = plan.subscribers + OTHER_FILES;
            ensure!(files >= needed, "{needed} open files are needed and {files} allowed: see `ulimit -n`");
            benchmark(&arguments, &plan).await
        }
    }
}

/// Measures until it is done or asked to stop. Whatever it started ends with it.
async fn benchmark(arguments: &Arguments, plan: &Plan) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = timeout(TIMEOUT, measure(arguments, plan)) => done.context("not done in time")?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn measure(arguments: &Arguments, plan: &Plan) -> Result<()> {
    let kinds = arguments.only.map_or_else(|| vec![DatabaseKind::Sqlite, DatabaseKind::Postgres], |kind| vec![kind]);
    let folder = tempfile::tempdir_in(arguments.folder.clone().unwrap_or_else(env::temp_dir))?;
    let program = server::program(arguments.server.as_deref(), folder.path()).await?;
    let mut machine = Machine::look(folder.path())?;
    // On the same disk, in a folder that its user may enter.
    let data = tempfile::tempdir_in(folder.path().parent().context("no folder")?)?;
    let cluster = if kinds.contains(&DatabaseKind::Postgres) {
        let cluster = measure::cluster(data.path()).await?;
        machine.postgres = Some(measure::version(&cluster).await?);
        Some(cluster)
    } else {
        None
    };
    let (folder, cluster) = (folder.path(), cluster.as_ref());
    let mut run = Run { plan, program: &program, folder, cluster, figures: Figures::default() };
    for repeat in 1..=plan.repeats {
        say(&format!("repeat {repeat} of {}", plan.repeats));
        run.once(&kinds, repeat).await?;
    }
    machine.load_after = machine::load();
    let figures = &run.figures;
    let is_release = program.is_release;
    let report = Report { figures, machine: &machine, command: &command(), repeats: plan.repeats, is_release };
    report.publish(arguments.write)
}

/// The command that was given.
fn command() -> String {
    let given: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let separator = if given.is_empty() { "" } else { " -- " };
    format!("cargo bench --bench shop{separator}{}", given.join(" "))
}
