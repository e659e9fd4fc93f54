//! The limits of paying on PostgreSQL: what `pgbench` reaches with the least SQL that allocates a unit and logs it, on
//! tables of its own in the same cluster.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sea_orm::{ConnectionTrait, Database};
use tokio::task::spawn_blocking;

use crate::client::{Timing, as_float};
use crate::cluster::Cluster;
use crate::usage::{Cpu, Watched};

/// The database of the tables.
pub const DATABASE: &str = "limits";

const TABLES: &str = "DROP TABLE IF EXISTS stock, stock_transaction; \
    CREATE TABLE stock (product_id int PRIMARY KEY, total int NOT NULL, allocated int NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0); \
    CREATE TABLE stock_transaction (id bigserial PRIMARY KEY, product_id int NOT NULL, action text NOT NULL, quantity int NOT NULL, \
        created_at timestamptz NOT NULL DEFAULT now()); \
    INSERT INTO stock (product_id, total) SELECT n, 1000000000 FROM generate_series(1, 1000) n; ANALYZE stock";

/// One statement that allocates a unit of the same product.
pub const HOT: &str = "WITH taken AS (UPDATE stock SET allocated = allocated + 1, version = version + 1 \
    WHERE product_id = 17 AND total - allocated >= 1 RETURNING product_id) \
    INSERT INTO stock_transaction (product_id, action, quantity) SELECT product_id, 'allocate', 1 FROM taken;\n";

/// A transaction that allocates a unit of one of 1,000 products.
pub const SPREAD: &str = "\\set product random(1, 1000)\n\
    BEGIN;\n\
    UPDATE stock SET allocated = allocated + 1, version = version + 1 WHERE product_id = :product AND total - allocated >= 1;\n\
    INSERT INTO stock_transaction (product_id, action, quantity) VALUES (:product, 'allocate', 1);\n\
    COMMIT;\n";

/// Seconds that are added for opening the connections: pgbench counts them as part of its time.
const CONNECTING: f64 = 2.0;

/// Runs a script over so many connections for so many seconds, rounded to whole ones.
pub async fn measure(cluster: &Cluster, script: &str, connections: usize, seconds: f64) -> Result<Timing> {
    let database = Database::connect(cluster.url(DATABASE)).await?;
    database.execute_unprepared(TABLES).await?;
    database.close().await?;
    let file = cluster.folder().join("limit.sql");
    fs::write(&file, script)?;
    let watched = Watched { server: None, database: cluster.postmaster() };
    let mut command = cluster.program("pgbench");
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--client"]).arg(connections.to_string());
    command.arg("--time").arg(format!("{:.0}", seconds + CONNECTING)).arg("--file").arg(file);
    command.arg(cluster.url(DATABASE)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (cpu, start) = (Cpu::read(watched), Instant::now());
    let output = spawn_blocking(move || run(command)).await??;
    let elapsed = start.elapsed().as_secs_f64();
    let cores = Cpu::read(watched).since(cpu, elapsed);
    let rate: f64 = value(&output, "tps = ")?.parse()?;
    let count: u64 = value(&output, "transactions actually processed: ")?.parse()?;
    // Its rate leaves out the time in which it opens its connections.
    Ok(Timing { succeeded: count, seconds: as_float(count) / rate, cores, ..Timing::default() })
}

fn run(mut command: Command) -> Result<String> {
    let Output { status, stdout, stderr } = command.output().context("cannot run pgbench")?;
    ensure!(status.success(), "pgbench: {}", String::from_utf8_lossy(&stderr));
    Ok(String::from_utf8(stdout)?)
}

fn value<'a>(output: &'a str, label: &str) -> Result<&'a str> {
    let (_, after) = output.split_once(label).with_context(|| format!("no `{label}` in: {output}"))?;
    Ok(after.split([' ', '\n', '/']).next().unwrap_or_default())
}
