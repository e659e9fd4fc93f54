//! Opens a database in a file: one connection that writes, some that only read, and a lock that keeps a second server
//! away.
//!
//! Whoever may write holds the lock for as long as it runs. `verify` reads beside a running server and takes none.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

/// Connections that read.
const READERS: u32 = 8;

/// How long a query waits for a connection.
const READ_WAIT: Duration = Duration::from_secs(5);

/// How long the writer waits for its one connection: well below what a caller waits for an answer.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long SQLite itself waits for a lock that another process holds, in milliseconds.
const BUSY_TIMEOUT: &str = "5000";

/// Connections that read.
///
/// # Errors
/// When the file cannot be opened.
pub async fn readers(path: &Path) -> anyhow::Result<DatabaseConnection> {
    connect(path, "rw", (READERS, READ_WAIT), &[("query_only", "ON")]).await
}

/// The one connection that writes. It makes the file when there is none.
///
/// # Errors
/// When the file cannot be opened.
pub async fn writer(path: &Path) -> anyhow::Result<DatabaseConnection> {
    connect(path, "rwc", (1, WRITE_WAIT), &[("journal_mode", "WAL"), ("synchronous", "FULL")]).await
}

/// One connection that reads an existing file, also while a server has it.
///
/// # Errors
/// When there is no such file.
pub async fn bystander(path: &Path) -> anyhow::Result<DatabaseConnection> {
    if !path.exists() {
        bail!("there is no database at {}", path.display());
    }
    connect(path, "rw", (1, READ_WAIT), &[("query_only", "ON")]).await
}

/// The file that an address means, when it begins with `sqlite:`.
///
/// # Errors
/// When what follows is no file.
pub fn path(url: &str) -> anyhow::Result<PathBuf> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        bail!("DATABASE_URL must name a file, like sqlite://onhand.db");
    }
    Ok(PathBuf::from(path))
}

/// Keeps a second server away until it is dropped.
///
/// # Errors
/// When another process has the file.
pub fn lock(path: &Path) -> anyhow::Result<File> {
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
        for bad in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite://onhand.db?mode=memory"] {
            let error = path(bad).map_err(|error| error.to_string()).err().unwrap_or_default();
            assert!(error.starts_with("DATABASE_URL must"), "{bad:?}: {error:?}");
        }
    }
}
