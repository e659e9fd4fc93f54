//! The server that is measured: a release build without the feature `faults`, as a process of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::progress::say;
use crate::usage;

/// Timeout for a start and for a stop.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Settings of the measured server. In development everybody is staff, whom no rate limits.
const SETTINGS: [&str; 16] = [
    "--listen=127.0.0.1:0",
    "--demo=false",
    "--log=error",
    "--sandbox=true",
    // Limits that would only measure the limit.
    "--sockets-per-address=100000",
    "--connections-per-address=100000",
    "--max-connections=100000",
    "--max-sockets=100000",
    "--rate=1000000",
    "--rate-burst=1000000",
    "--cart-rows=1000000",
    // What is late on a busy machine is measured, and not refused.
    "--wait-request=60s",
    "--wait-idle=10m",
    "--pay-answer=50s",
    "--pay-gateway=50s",
    "--pay-lease=2m",
];

/// Returns the program to measure, copied into this folder: the one given, or the one that belongs to this source.
///
/// Cargo builds the server that belongs to a bench with the features of tests, `faults` among them. A release has none of
/// them, so that it is built once more without. That takes long the first time.
pub async fn program(given: Option<&Path>, folder: &Path) -> Result<Program> {
    let built = Path::new(env!("CARGO_BIN_EXE_onhand"));
    let is_release = given.is_some() || built.parent().is_some_and(|folder| folder.ends_with("release"));
    if given.is_none() && is_release {
        build().await?;
    }
    let path = folder.join("onhand");
    fs::copy(given.unwrap_or(built), &path)?;
    let program = Program { path, is_release };
    ensure!(!is_release || !program.has_faults().await?, "the server was built with the feature `faults`");
    Ok(program)
}

/// Builds the server as it is released, in the place of the one that was built for tests.
#[expect(clippy::disallowed_methods, reason = "the environment of a command, not a setting")]
async fn build() -> Result<()> {
    say("building the server as it is released");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--release", "--package=onhand", "--bin=onhand"]);
    // What Cargo tells this process of its package would have build scripts run again, and again after the next bench.
    let told = ["CARGO_CFG_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_", "LD_LIBRARY_PATH"];
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| told.iter().any(|start| name.starts_with(start))) {
            cargo.env_remove(name);
        }
    }
    let status = cargo.kill_on_drop(true).status().await?;
    ensure!(status.success(), "the server cannot be built: {status}");
    Ok(())
}

/// The program of the server.
pub struct Program {
    path: PathBuf,
    /// Whether it is what is released; otherwise the figures say nothing.
    pub is_release: bool,
}

impl Program {
    /// Folds the whole log of a database, and returns the number of its rows. Fails if anything differs.
    pub async fn verify(&self, database: &str) -> Result<u64> {
        let mut command = self.command(database);
        let output = command.arg("verify").stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(": no differences"), "verify: {text}");
        let (before, _) = text.split_once(" stock transaction").context("no count of rows")?;
        Ok(before.rsplit(' ').next().unwrap_or_default().parse()?)
    }

    /// Whether it has points for faults: only then does it look at a plan, and this one is none.
    async fn has_faults(&self) -> Result<bool> {
        let mut command = self.command("sqlite://unused.db");
        command.env("FAULTS", "none").arg("schema").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(!command.status().await?.success())
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.env_clear().env("DATABASE_URL", database);
        command
    }
}

/// A running server.
pub struct Server {
    child: Child,
    /// `HOST:PORT` where it listens.
    pub host: String,
    /// The id of the process.
    pub id: u32,
    /// How long it took from the start of the process until it said that it serves.
    pub started_in: Duration,
}

impl Server {
    /// Starts it on a database and waits until it serves.
    pub async fn start(program: &Program, database: &str) -> Result<Self> {
        let mut command = program.command(database);
        command.args(SETTINGS).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let start = Instant::now();
        let mut child = command.spawn()?;
        let id = child.id().context("the server ended")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let host = timeout(TIMEOUT, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(host) = line.strip_prefix("listening  http://") {
                    return Ok(host.to_owned());
                }
            }
            bail!("the server ended before it served")
        });
        let host = host.await.context("the server did not start in time")??;
        Ok(Self { child, host, id, started_in: start.elapsed() })
    }

    /// Returns its resident memory, in kB.
    pub fn memory(&self) -> Result<f64> {
        usage::memory(self.id)
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        let sent = Command::new("kill").args(["-s", "TERM", &self.id.to_string()]).status().await?;
        ensure!(sent.success(), "the server cannot be stopped");
        let status = timeout(TIMEOUT, self.child.wait()).await.context("the server does not stop")??;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}
