//! What the command line asks for: each command parses, calls the module that does the work, and prints the answer.
//!
//! Answers go to standard output; the log goes to standard error. No rule of the shop may stand here.

mod arguments;
mod backup;
mod banner;
mod export;
mod import;
mod migrate;
mod part_file;
mod print;
mod progress;
mod runtime;
mod serve;
mod signals;
mod transfer;

pub mod demo;
pub mod health;
pub mod verify;

use crate::clock::Clock;
use crate::config::{Command, CommandLine};
use crate::graphql;
use crate::server::issue_token;

use print::print_line;
use signals::{Interrupted, until_signal};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// The command was done, and not all is well: `verify` found differences, `import` refused rows, `health` found no server
    /// that is ready.
    Unsuccessful,
    /// A signal ended the command before its work was done; the process exits with this code.
    Interrupted(u8),
}

impl Exit {
    /// Returns the exit code of the process.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Unsuccessful => 1,
            Self::Interrupted(code) => code,
        }
    }
}

impl From<bool> for Exit {
    fn from(is_success: bool) -> Self {
        if is_success { Self::Success } else { Self::Unsuccessful }
    }
}

/// Does what the command line asks for.
///
/// # Errors
/// When it cannot be done; the message is for people.
pub async fn run(line: CommandLine) -> anyhow::Result<Exit> {
    match command(line).await {
        Err(error) => error.downcast().map(|Interrupted { code }| Exit::Interrupted(code)),
        done => done,
    }
}

async fn command(line: CommandLine) -> anyhow::Result<Exit> {
    #[cfg(feature = "faults")]
    crate::faults::take(&crate::config::fault_plan())?;
    let url = &line.database_url;
    match line.command.clone().unwrap_or(Command::Serve) {
        Command::Serve => Box::pin(serve::run(&line)).await?,
        Command::Migrate => Box::pin(migrate::run(url)).await?,
        Command::Schema => print_line(graphql::sdl().trim_end())?,
        Command::Health => {
            let health = health::ask(&line.serve.listen).await;
            // The exit code says it, too, and that is what containers look at.
            let _ = print_line(&health.sentence);
            return Ok(health.is_ready.into());
        }
        Command::Token { role, sub, ttl } => {
            print_line(&issue_token(&line.access, role, &sub, ttl, Clock::system().now()).await?)?;
        }
        Command::Verify => return Box::pin(until_signal(verify::run(url))).await.map(Exit::from),
        Command::Import(settings) => return Box::pin(import::run(&line, &settings)).await.map(Exit::from),
        Command::Backup { output } => return Box::pin(until_signal(backup::run(url, &output))).await.map(Exit::from),
        Command::Transfer { to } => return Box::pin(until_signal(transfer::run(url, &to))).await.map(Exit::from),
        Command::Export(settings) => Box::pin(until_signal(export::run(url, &settings))).await?,
    }
    Ok(Exit::Success)
}
