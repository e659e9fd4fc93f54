//! The command line: parse, call, exit.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use onhand::config::CommandLine;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let line = CommandLine::parse();
    let filter = EnvFilter::builder().parse_lossy(&line.serve.log);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match onhand::run::run(line).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("onhand: {error:#}");
            ExitCode::from(2)
        }
    }
}
