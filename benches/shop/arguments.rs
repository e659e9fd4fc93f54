//! The command line of the benchmark, and how much each mode does.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the server on SQLite and PostgreSQL, and the limits of the machine beside it.
#[derive(Parser, Debug)]
#[command(name = "shop")]
pub struct Arguments {
    /// The full mode: larger counts, three repeats. Takes about half an hour.
    #[arg(long)]
    pub full: bool,
    /// Multiplies all counts and durations. For trying the benchmark itself.
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    pub scale: f64,
    /// Number of repeats; the medians are reported.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub repeats: Option<u8>,
    /// Measures only this database.
    #[arg(long)]
    pub only: Option<DatabaseKind>,
    /// Measures this program instead of building one. For comparing two versions.
    #[arg(long, value_name = "FILE")]
    pub server: Option<PathBuf>,
    /// The folder in which the databases are made. On the disk that is to be measured.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Also writes `docs/benchmark.svg`, the medians of at least three repeats: `--full` or `--repeats 3`.
    #[arg(long, conflicts_with_all = ["scale", "only", "server"])]
    pub write: bool,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A database that the server is measured on.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file on disk, `synchronous=FULL`.
    Sqlite,
    /// A cluster of its own with the default settings.
    Postgres,
}

impl DatabaseKind {
    /// The name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.001..=1.0).contains(&scale) { Ok(scale) } else { Err("must be from 0.001 to 1".to_owned()) }
}

/// Counts and durations of a run. Durations are in seconds.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of repeats of everything.
    pub repeats: usize,
    /// Buyers that pay at the same time.
    pub buyers: usize,
    /// Connections that read at the same time.
    pub readers: usize,
    /// Products of the catalogue.
    pub products: usize,
    /// Orders that are paid in one measurement.
    pub orders: usize,
    /// Orders that are paid while subscribers follow the product.
    pub followed: usize,
    /// Orders that go through the whole flow.
    pub flows: usize,
    /// Duration of a measurement of reads.
    pub read: f64,
    /// Duration of a measurement of a limit.
    pub limit: f64,
    /// Websockets that subscribe to one product.
    pub subscribers: usize,
    /// Changes per second that they are sent.
    pub rate: f64,
    /// Duration of a measurement of deliveries.
    pub follow: f64,
    /// Duration of what runs before each measurement of reads and deliveries and is not counted.
    pub warm_up: f64,
    /// Rows that the log has at least when it is verified.
    pub log_rows: usize,
}

impl Plan {
    /// Returns what these arguments ask for.
    pub fn new(arguments: &Arguments) -> Self {
        let full = arguments.full;
        let count = |quick: u32, in_full: u32, least: u32| {
            let scaled = f64::from(if full { in_full } else { quick }) * arguments.scale;
            // In range: at least `least`, at most what stands in this file.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive count")]
            let count = scaled.round().max(f64::from(least)) as usize;
            count
        };
        let seconds = |quick: f64, in_full: f64| ((if full { in_full } else { quick }) * arguments.scale).max(0.2);
        Self {
            repeats: arguments.repeats.map_or(if full { 3 } else { 1 }, usize::from),
            buyers: 64,
            readers: 32,
            products: count(1_000, 1_000, 25),
            orders: count(1_500, 10_000, 70),
            followed: count(500, 2_500, 70),
            flows: count(300, 2_000, 20),
            read: seconds(2.0, 5.0),
            limit: seconds(2.0, 5.0),
            subscribers: count(1_000, 9_000, 10),
            rate: 20.0,
            follow: seconds(3.0, 6.0),
            warm_up: seconds(0.5, 2.0),
            log_rows: count(20_000, 200_000, 100),
        }
    }
}
