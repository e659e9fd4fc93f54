//! The limit of paying on SQLite: one commit per order, `synchronous=FULL`, by prepared statements on one connection to a
//! file on the same disk, through the driver that the server uses.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection};
use serde::{Deserialize, Serialize};

use super::{Timing, percentile};
use crate::usage::{Cpu, Watched};

/// Where it commits, and for how long.
#[derive(Debug, Serialize, Deserialize)]
pub struct Limit {
    /// The file, which is not there yet.
    pub file: std::path::PathBuf,
    /// Rows over which the orders are spread; 1: all want the same.
    pub products: u32,
    /// How long, in seconds.
    pub seconds: f64,
}

const TABLES: [&str; 3] = [
    "CREATE TABLE stock (product_id INTEGER PRIMARY KEY, total INTEGER NOT NULL, allocated INTEGER NOT NULL, version INTEGER NOT NULL)",
    "CREATE TABLE stock_transaction (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL, action TEXT NOT NULL, quantity INTEGER NOT NULL)",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
     INSERT INTO stock SELECT i, 1000000000, 0, 0 FROM n",
];
const UPDATE: &str = "UPDATE stock SET allocated = allocated + 1, version = version + 1 WHERE product_id = ?1 AND total - allocated >= 1";
const INSERT: &str = "INSERT INTO stock_transaction (product_id, action, quantity) VALUES (?1, 'allocate', 1)";

impl Limit {
    /// Commits until the time is over.
    pub async fn run(self) -> Result<Timing> {
        let options = SqliteConnectOptions::new().filename(&self.file).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        for statement in TABLES {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        let (cpu, start) = (Cpu::read(Watched::default()), Instant::now());
        let end = start + Duration::from_secs_f64(self.seconds);
        let (mut micros, mut product) = (Vec::new(), 0);
        loop {
            let begin = Instant::now();
            if begin >= end {
                break;
            }
            // Steps of a prime number reach every row, and never the one beside.
            product = (product + 389) % self.products;
            self::order(&mut connection, i64::from(product) + 1).await?;
            micros.push(u32::try_from(begin.elapsed().as_micros())?);
        }
        let seconds = start.elapsed().as_secs_f64();
        let cores = Cpu::read(Watched::default()).since(cpu, seconds);
        connection.close().await?;
        let succeeded = u64::try_from(micros.len())?;
        let (p50, p99) = (percentile(&mut micros, 50), percentile(&mut micros, 99));
        Ok(Timing { succeeded, refused: 0, seconds, p50, p99, cores })
    }
}

async fn order(connection: &mut SqliteConnection, product: i64) -> Result<()> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let updated = sqlx::query(UPDATE).bind(product).execute(&mut *connection).await?;
    ensure!(updated.rows_affected() == 1, "there is no product {product}");
    sqlx::query(INSERT).bind(product).execute(&mut *connection).await?;
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}
