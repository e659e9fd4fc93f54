//! The command line: parse, call, exit.

use std::process::ExitCode;

use clap::Parser;
use onhand::config::{Command, CommandLine, LogFormat};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let line = CommandLine::parse();
    let format = line.serve.log_format;
    let serves = matches!(line.command, None | Some(Command::Serve));
    let sent = match onhand::logs::start(&line.serve, serves) {
        Ok(sent) => sent,
        Err(error) => {
            eprintln!("onhand: {error:#}");
            return ExitCode::from(2);
        }
    };
    let done = onhand::run::run(line).await;
    sent.flush().await;
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            match format {
                LogFormat::Text => eprintln!("onhand: {error:#}"),
                LogFormat::Json => tracing::error!(error = format!("{error:#}"), "it could not be done"),
            }
            ExitCode::from(2)
        }
    }
}
