//! Opens a database in a file: one connection that writes, some that only read, and a lock that keeps a second server
//! away.
//!
//! Whoever may write holds the lock for as long as it runs. `verify` reads beside a running server and takes none.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

/// Connections that read.
pub const READERS: u32 = 8;

/// Connections for the server's own looks.
pub const PROBES: u32 = 1;

/// How long a query waits for a connection.
const READ_WAIT: Duration = Duration::from_secs(5);

/// How long the writer waits for its one connection: well below what a caller waits for an answer.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long a reader waits for a lock that another process holds, in milliseconds.
const BUSY_TIMEOUT: &str = "5000";

/// The same for the writer: well below what a caller waits for an answer.
const WRITE_BUSY_TIMEOUT: &str = "2000";

/// Size that the write-ahead log is cut to when it begins anew, in bytes. A reader that takes long lets it grow.
const JOURNAL_SIZE: &str = "4194304";

/// Settings of the connection that writes.
const WRITER: &[(&str, &str)] = &[
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("busy_timeout", WRITE_BUSY_TIMEOUT),
    ("journal_size_limit", JOURNAL_SIZE),
];

/// A database file that is open for writing, with the lock that keeps a second server away. Clones are the same file.
#[derive(Debug, Clone)]
pub struct SqliteFile(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    /// Held for as long as this lives.
    _lock: File,
    database: FileId,
    /// The write-ahead log, once there is one.
    journal: Mutex<Option<FileId>>,
}

/// Which file a path leads to, whatever its name: device and inode.
type FileId = (u64, u64);

impl SqliteFile {
    /// The file at this path, which is open and locked.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn new(path: &Path, lock: File) -> anyhow::Result<Self> {
        let database = file_id(path).with_context(|| format!("cannot look at {}", path.display()))?;
        Ok(Self(Arc::new(OpenFile { path: path.to_owned(), _lock: lock, database, journal: Mutex::default() })))
    }

    /// Why whoever opens the path now finds another database than the one that is open here; `None` when it is the same.
    /// SQLite itself goes on writing to a file that was moved, removed or replaced, and nobody would ever read it.
    pub fn replaced(&self) -> Option<String> {
        let OpenFile { path, database, journal, .. } = &*self.0;
        let is_gone = |looked: &io::Result<FileId>| looked.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        let found = file_id(path);
        // Another failure to look says nothing of the file.
        if is_gone(&found) {
            return Some(format!("{} was removed", path.display()));
        }
        if found.is_ok_and(|id| id != *database) {
            return Some(format!("{} was replaced by another file", path.display()));
        }
        let mut known = journal.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = beside(path, "-wal");
        let found = file_id(&beside);
        if known.is_some() && is_gone(&found) {
            return Some(format!("{} was removed", beside.display()));
        }
        let id = found.ok()?;
        let is_other = *known.get_or_insert(id) != id;
        is_other.then(|| format!("{} was replaced by another file", beside.display()))
    }

    /// Opens one more connection that writes, to the file that is there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn new_writer(&self) -> Result<DatabaseConnection, DbErr> {
        // Whoever closed the last connection removed the log properly, and it is made anew.
        *self.0.journal.lock().unwrap_or_else(PoisonError::into_inner) = None;
        connection(&self.0.path, "rw", (1, WRITE_WAIT), WRITER).await
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// The file of this kind that belongs to a database.
fn beside(path: &Path, kind: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(kind);
    PathBuf::from(beside)
}

/// Brings everything that is in the write-ahead log into the database file and empties the log.
///
/// # Errors
/// When the database cannot be written to.
pub async fn checkpoint(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)
}

/// So many connections that read.
///
/// # Errors
/// When the file cannot be opened.
pub async fn readers(path: &Path, connections: u32) -> anyhow::Result<DatabaseConnection> {
    connect(path, "rw", (connections, READ_WAIT), &[("query_only", "ON")]).await
}

/// The one connection that writes. It makes the file when there is none.
///
/// # Errors
/// When the file cannot be opened.
pub async fn writer(path: &Path) -> anyhow::Result<DatabaseConnection> {
    connect(path, "rwc", (1, WRITE_WAIT), WRITER).await
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
    let beside = beside(path, ".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    let file = file.with_context(|| format!("cannot open {}", beside.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another onhand is using {}: only one at a time may write to an SQLite file (`onhand verify` and `onhand export` may \
             run beside it; to import, stop the server first, or use its API)",
            path.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", beside.display())),
    }
}

async fn connect(
    path: &Path,
    mode: &str,
    size: (u32, Duration),
    pragmas: &'static [(&'static str, &'static str)],
) -> anyhow::Result<DatabaseConnection> {
    let opened = connection(path, mode, size, pragmas).await;
    opened.with_context(|| format!("cannot open the database {}", path.display()))
}

async fn connection(
    path: &Path,
    mode: &str,
    (connections, wait): (u32, Duration),
    pragmas: &'static [(&'static str, &'static str)],
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode={mode}", path.display()));
    options.max_connections(connections).min_connections(1).acquire_timeout(wait).sqlx_logging(false);
    // One that stays open keeps the write-ahead log in its place: closing the last one removes it.
    options.max_lifetime(None).idle_timeout(None);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let common = sqlite.pragma("foreign_keys", "ON").pragma("busy_timeout", BUSY_TIMEOUT);
        pragmas.iter().fold(common, |sqlite, (name, value)| sqlite.pragma(*name, *value))
    });
    Database::connect(options).await
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
