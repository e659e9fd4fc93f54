//! `checker --database URL --journal FILE [--server URL …]`: prints what is not as promised. Exit code 1 when anything is not.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Looks whether a shop that is at rest has kept its promises.
#[derive(Debug, Parser)]
struct Arguments {
    /// The database's address.
    #[arg(long)]
    database: String,
    /// What its clients wrote down.
    #[arg(long)]
    journal: PathBuf,
    /// Servers that share the database.
    #[arg(long = "server")]
    servers: Vec<String>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this is what it is for")]
async fn main() -> anyhow::Result<ExitCode> {
    let Arguments { database, journal, servers } = Arguments::parse();
    let verdict = checker::check(&database, &servers, &checker::journal::read(&journal)?).await?;
    for violation in verdict.violations() {
        println!("{violation}");
    }
    println!("{} violations", verdict.count);
    Ok(if verdict.count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
