//! The command line: parse, call, exit.

use std::process::ExitCode;

use onhand::cli;
use onhand::config::{Command, CommandLine, Given, LogFormat, NotGiven};
use onhand::observability::logs::Log;
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code when it could not be done.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let Ok(runtime) = Builder::new_multi_thread().enable_all().build() else { return ExitCode::from(FAILED) };
    let code = runtime.block_on(answer());
    // What holds a thread in the kernel, such as the look-up of a name, ends with the process and is not waited for.
    runtime.shutdown_background();
    code
}

/// Does what the command line asks for, and returns the exit code.
async fn answer() -> ExitCode {
    let (Given { line, warnings }, format) = match CommandLine::given() {
        Ok(given) => {
            let format = given.line.serve.log_format;
            (given, format)
        }
        // Help is for people, whatever the log looks like.
        Err(NotGiven::Usage(usage, LogFormat::Text)) => usage.exit(),
        Err(NotGiven::Usage(usage, LogFormat::Json)) => return refuse(LogFormat::Json, &[usage.to_string()]).await,
        Err(NotGiven::Refused(reasons, format)) => return refuse(format, &reasons).await,
    };
    let Ok(mut log) = Log::bare(format) else { return ExitCode::from(FAILED) };
    let serves = matches!(line.command, None | Some(Command::Serve));
    let done = match log.start(&line.serve, serves) {
        Ok(()) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            cli::run(line).await
        }
        Err(error) => Err(error),
    };
    let code = match done {
        Ok(exit) => exit.code(),
        Err(error) => {
            log.end_with(&format!("{error:#}"));
            FAILED
        }
    };
    log.finish().await;
    ExitCode::from(code)
}

/// Ends before there is anything to log.
async fn refuse(format: LogFormat, reasons: &[String]) -> ExitCode {
    if let Ok(log) = Log::bare(format) {
        for reason in reasons {
            log.end_with(reason.trim_end());
        }
        log.finish().await;
    }
    ExitCode::from(FAILED)
}
