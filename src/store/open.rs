//! Opens the database: one connection that writes, some that only read, and a lock that keeps a second server away.
//!
//! Whoever may write holds the lock for as long as it runs. `verify` reads beside a running server and takes none.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// Connections that read.
const READERS: u32 = 8;

/// How long a query waits for a connection.
const READ_WAIT: Duration = Duration::from_secs(5);

/// How long the writer waits for its one connection: well below what a caller waits for an answer.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long SQLite itself waits for a lock that another process holds, in milliseconds.
const BUSY_TIMEOUT: &str = "5000";

/// An open database. Dropping it gives the lock back.
#[derive(Debug)]
pub struct Databases {
    /// Only reads.
    pub read: DatabaseConnection,
    /// The one connection that writes; it is the writer's.
    pub write: DatabaseConnection,
    /// Keeps a second server away.
    pub lock: File,
}

/// Opens the database to read and write, making the file when there is none.
///
/// # Errors
/// When the address is not one that we understand, when another process has the file, or when it cannot be opened.
pub async fn open(url: &str) -> anyhow::Result<Databases> {
    let path = path(url)?;
    let lock = lock(&path)?;
    let write = connect(&path, "rwc", (1, WRITE_WAIT), &[("journal_mode", "WAL"), ("synchronous", "FULL")]).await?;
    let read = connect(&path, "rw", (READERS, READ_WAIT), &[("query_only", "ON")]).await?;
    Ok(Databases { read, write, lock })
}

/// Opens an existing database to read it, also while a server has it.
///
/// # Errors
/// When the address is not one that we understand, or there is no such file.
pub async fn open_read_only(url: &str) -> anyhow::Result<DatabaseConnection> {
    let path = path(url)?;
    if !path.exists() {
        bail!("there is no database at {}", path.display());
    }
    connect(&path, "rw", (1, READ_WAIT), &[("query_only", "ON")]).await
}

/// Brings the schema of the database up to date.
///
/// # Errors
/// When a change cannot be made; the changes before it stay made.
pub async fn migrate(databases: &Databases) -> anyhow::Result<()> {
    Migrator::up(&databases.write, None).await.context("the database could not be migrated")
}

fn path(url: &str) -> anyhow::Result<PathBuf> {
    let Some(path) = url.strip_prefix("sqlite:") else {
        bail!(
            "DATABASE_URL must look like sqlite://onhand.db; {:?} is not a database that this release knows",
            scheme(url)
        );
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        bail!("DATABASE_URL must name a file, like sqlite://onhand.db");
    }
    Ok(PathBuf::from(path))
}

/// What stands before the colon: the rest of an address may hold a password.
fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    let file = file.with_context(|| format!("cannot open {}", beside.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another onhand is using {}: only one at a time may write to an SQLite file (`onhand verify` may run beside it)",
            path.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", beside.display())),
    }
}

async fn connect(
    path: &Path,
    mode: &str,
    (connections, wait): (u32, Duration),
    pragmas: &'static [(&'static str, &'static str)],
) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode={mode}", path.display()));
    options.max_connections(connections).min_connections(1).acquire_timeout(wait).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let common = sqlite.pragma("foreign_keys", "ON").pragma("busy_timeout", BUSY_TIMEOUT);
        pragmas.iter().fold(common, |sqlite, (name, value)| sqlite.pragma(*name, *value))
    });
    Database::connect(options).await.with_context(|| format!("cannot open the database {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_databases() {
        assert_eq!(path("sqlite://onhand.db").ok(), Some(PathBuf::from("onhand.db")));
        assert_eq!(path("sqlite:///var/lib/onhand.db").ok(), Some(PathBuf::from("/var/lib/onhand.db")));
        for bad in ["", "sqlite:", "sqlite://", "sqlite::memory:", "mysql://user:secret@host/db", "onhand.db"] {
            let error = path(bad).map_err(|error| error.to_string()).err().unwrap_or_default();
            assert!(error.starts_with("DATABASE_URL must"), "{bad:?}: {error:?}");
            assert!(!error.contains("secret"), "{error:?}");
        }
    }
}
