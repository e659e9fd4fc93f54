//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Breaks a shop on purpose, again and again, and checks that it keeps its promises.
#[derive(Debug, Clone, Parser)]
#[command(name = "tests/faults")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch")]
pub struct Arguments {
    /// Repeats for this long, with a new seed each round: 90s, 30m, 2h. Without it every scenario runs once, in its short form.
    #[arg(long = "for", value_parser = duration)]
    pub time: Option<Duration>,

    /// The seed of what is chosen at random. Timing and keys differ all the same.
    #[arg(long)]
    pub seed: Option<u64>,

    /// Only scenarios whose names contain this text.
    #[arg(long)]
    pub only: Option<String>,

    /// On which database; on both unless given.
    #[arg(long)]
    pub database: Option<Kind>,

    /// With so many replicas only: 1 or 3.
    #[arg(long)]
    pub replicas: Option<usize>,

    /// The server that is broken. The last one counts.
    #[arg(long, default_value = "target/debug/onhand", overrides_with = "binary")]
    pub binary: PathBuf,

    /// The server is a release without the feature `faults`: what needs it is not run.
    #[arg(long)]
    pub release: bool,

    /// Breaks this promise in the server, to see what the checker says.
    #[arg(long)]
    pub breach: Option<String>,

    /// Breaks each promise that a test build can break, one after the other; the checker must find every one.
    #[arg(long)]
    pub breaches: bool,

    /// Keeps journals and logs also when all is well.
    #[arg(long)]
    pub keep: bool,

    /// Does nothing but pass connections on, from an address to another: what a server in a network of its own needs, which
    /// listens to itself only.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], hide = true)]
    pub relay: Vec<String>,

    /// How many scenarios run beside each other.
    #[arg(long, default_value_t = 2)]
    pub jobs: usize,

    /// Names the scenarios and ends.
    #[arg(long)]
    pub list: bool,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("a number and s, m or h".to_owned()),
    };
    number.parse::<u64>().map(|number| Duration::from_secs(number * seconds)).map_err(|error| error.to_string())
}
