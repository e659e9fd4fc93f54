//! The fault programme: sells while everything breaks, and has the checker look whether every promise was kept.
//!
//! Each scenario gets a shop of its own: a database, one server or three, a gateway that is another process to them, and
//! clients that write down what they do before and after they do it. When it is over, the shop is brought to rest and the
//! checker compares journals, database and API. It must never talk to anything but this machine, nor end a process that it
//! did not begin.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "the machinery that it shares with the tests of the shop ends what fails"
)]
#![allow(clippy::disallowed_methods, reason = "these are the rules of the server, and this is none")]

mod arguments;
mod clients;
mod run;
mod scenarios;
mod world;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = arguments::Arguments::parse();
    if let [from, to] = &arguments.relay[..] {
        match world::network::relay(from, to).await? {}
    }
    let is_well = run::run(arguments).await?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
