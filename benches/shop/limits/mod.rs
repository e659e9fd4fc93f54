//! The limits beside which the server is measured: the least that the same work costs on this machine.

pub mod bare;
pub mod fanout;
pub mod sql;

use std::io::{read_to_string, stdin};
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;

/// A limit that runs as a server of its own.
pub struct Limit {
    child: Child,
    hosts: Vec<String>,
}

impl Limit {
    /// Starts this program again with the argument that makes it such a server.
    pub async fn start(argument: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child =
            command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let line = lines.next_line().await?.context("the limit did not start")?;
        Ok(Self { child, hosts: line.split_whitespace().map(str::to_owned).collect() })
    }

    /// Returns where it listens: `HOST:PORT`.
    pub fn host(&self, number: usize) -> Result<String> {
        self.hosts.get(number).cloned().context("the limit listens nowhere")
    }

    /// Returns the id of the process.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Says where a limit listens, and returns when the benchmark is gone.
#[expect(clippy::print_stdout, reason = "how a limit talks to the benchmark")]
async fn serve_until_gone(hosts: &str) -> Result<()> {
    println!("{hosts}");
    spawn_blocking(|| read_to_string(stdin())).await??;
    Ok(())
}
