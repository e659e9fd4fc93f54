//! The fault programme: sells while everything breaks, and has the checker look whether every promise was kept.
//!
//! Each scenario gets a shop of its own: a database, one server or three, a gateway that is another process to them, and
//! clients that write down what they do before and after they do it. When it is over, the shop is brought to rest and the
//! checker compares journals, database and API. It must never talk to anything but this machine, nor end a process that it
//! did not begin.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]
#![expect(clippy::disallowed_methods, reason = "they are banned in the server; here everything ends with its scenario")]

mod arguments;
mod clients;
mod run;
mod scenarios;
mod world;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = arguments::Arguments::parse();
    if let [from, to] = &arguments.relay[..] {
        return world::network::relay_while_wanted(from, to).await.map(|()| ExitCode::SUCCESS);
    }
    // Crowds of subscribers take as many files. Where fewer are allowed, those who come too late say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    // Whoever is told to stop takes away what was mounted, linked and started.
    let (mut stop, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let is_well = tokio::select! {
        done = run::run(arguments) => done?,
        _ = stop.recv() => false,
        _ = hang_up.recv() => false,
        _ = tokio::signal::ctrl_c() => false,
    };
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
