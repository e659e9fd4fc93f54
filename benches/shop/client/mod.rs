//! The load client: a process of its own, so that its processor time is counted apart from everything else's.
//!
//! It reads one job as a line of JSON from its standard input, and writes what it has to tell as lines of JSON. It ends when
//! the job is done or its standard input ends.

pub mod followers;
mod frames;
pub mod load;
pub mod sqlite;

use std::io::stdin;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::spawn_blocking;

use crate::usage::Cpu;

/// The argument that makes this program a client.
pub const ARGUMENT: &str = "client";

/// What a client is to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Sends requests over several connections, one after the other on each.
    Load(load::Load),
    /// Subscribes over many websockets.
    Follow(followers::Follow),
    /// Commits one order after the other to a SQLite file of its own.
    Sqlite(sqlite::Limit),
}

/// What a client has to tell.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    /// All websockets have got their first value. It waits for a line that says the last version there will be.
    Ready,
    Done(Timing),
    Failed(String),
}

/// The result of a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Operations that succeeded, or events that were received.
    pub succeeded: u64,
    /// Operations that were refused because there was not enough stock.
    pub refused: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Median latency, in milliseconds.
    pub p50: Option<f64>,
    /// 99th percentile of the latency, in milliseconds.
    pub p99: Option<f64>,
    /// Cores that were busy in that time.
    pub cores: Cpu,
}

impl Timing {
    /// Operations per second.
    pub fn rate(&self) -> f64 {
        as_float(self.succeeded) / self.seconds
    }
}

/// A client that works.
pub struct Client {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// Starts a client with a job.
    pub async fn start(job: &Job) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut client = Self { child, input, output };
        client.write(&serde_json::to_string(job)?).await?;
        Ok(client)
    }

    /// Has a client do a job and returns the result.
    pub async fn run(job: &Job) -> Result<Timing> {
        Self::start(job).await?.done().await
    }

    /// Waits until all websockets have got their first value.
    pub async fn ready(&mut self) -> Result<()> {
        match self.next().await? {
            Told::Ready => Ok(()),
            other => bail!("the client is not ready: {other:?}"),
        }
    }

    /// Tells it the last version that there will be, and waits until every websocket has got it.
    pub async fn finish(mut self, version: u64) -> Result<Timing> {
        self.write(&version.to_string()).await?;
        self.done().await
    }

    async fn done(mut self) -> Result<Timing> {
        match self.next().await? {
            Told::Done(timing) => {
                self.child.wait().await?;
                Ok(timing)
            }
            other => bail!("the client is not done: {other:?}"),
        }
    }

    async fn next(&mut self) -> Result<Told> {
        let line = self.output.next_line().await?.context("the load client ended without a result")?;
        match serde_json::from_str(&line)? {
            Told::Failed(reason) => bail!("the load client failed: {reason}"),
            told => Ok(told),
        }
    }

    async fn write(&mut self, line: &str) -> Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.input.flush().await?)
    }
}

/// Says that all websockets have got their first value, and returns the last version that there will be.
async fn last_version() -> Result<u64> {
    tell(&Told::Ready)?;
    Ok(heard().await?.parse()?)
}

/// Returns the next line that the benchmark says.
async fn heard() -> Result<String> {
    let line = spawn_blocking(|| stdin().lines().next()).await?;
    line.context("the benchmark is gone")?.map_err(Into::into)
}

/// Reads a job, does it and writes the result.
pub async fn main() -> Result<()> {
    let result = match serde_json::from_str(&heard().await?)? {
        Job::Load(load) => load.run().await,
        Job::Follow(follow) => follow.run().await,
        Job::Sqlite(limit) => limit.run().await,
    };
    tell(&result.map_or_else(|error| Told::Failed(format!("{error:#}")), Told::Done))
}

#[expect(clippy::print_stdout, reason = "how a client talks to the benchmark")]
fn tell(told: &Told) -> Result<()> {
    println!("{}", serde_json::to_string(told)?);
    Ok(())
}

/// Returns a percentile of latencies in microseconds, in milliseconds. Sorts them.
pub fn percentile(micros: &mut [u32], percent: usize) -> Option<f64> {
    micros.sort_unstable();
    let rank = (micros.len() * percent).div_ceil(100).max(1) - 1;
    micros.get(rank).map(|micros| f64::from(*micros) / 1_000.0)
}

/// Returns a count as a number to calculate with.
pub fn as_float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
