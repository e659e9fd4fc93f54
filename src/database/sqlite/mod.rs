//! Opens a database in a file, which is locked: one connection that writes, and some that only read.
//!
//! Whoever may write holds the lock for as long as it runs. `verify` reads beside a running server and takes none.

pub mod place;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::database::VERIFIED_PARTS;
use crate::database::error::sql_state;

use place::{Lock, beside};

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

/// Pages of the write-ahead log after which they are brought into the file: 8 MB. Busy pages change with every commit, and
/// are brought there once for all of them. The commit that does it waits for it.
const CHECKPOINT_PAGES: &str = "2000";

/// Size that the write-ahead log is cut to when it begins anew, in bytes: more than it has when it is brought into the file,
/// so that it is written over and not made anew. A reader that takes long lets it grow.
const JOURNAL_SIZE: &str = "12582912";

/// Most memory for pages of the connection that writes: 64 MB, in KiB, as SQLite wants it. Nobody else writes, so they stay
/// right from commit to commit.
const WRITER_CACHE: &str = "-65536";

/// Most statements that a connection which reads keeps prepared.
const STATEMENTS: usize = 100;

/// Most statements that the writer keeps prepared: its groups of rows have about ten sizes for each table.
const WRITER_STATEMENTS: usize = 512;

/// Settings of the connection that writes.
const WRITER: &[(&str, &str)] = &[
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("busy_timeout", WRITE_BUSY_TIMEOUT),
    ("wal_autocheckpoint", CHECKPOINT_PAGES),
    ("journal_size_limit", JOURNAL_SIZE),
    ("cache_size", WRITER_CACHE),
    // What undoes one statement of many rows. Otherwise every page that it changes goes into a file of its own first, which
    // is made and removed with each transaction.
    ("temp_store", "MEMORY"),
];

/// A database file that is open for writing, with the lock that keeps a second server away. Clones are the same file.
#[derive(Debug, Clone)]
pub struct SqliteFile(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    /// The name that it was opened by.
    name: PathBuf,
    /// Where it is.
    path: PathBuf,
    /// Held for as long as this lives.
    _lock: Lock,
    database: FileId,
    /// The write-ahead log, once there is one.
    journal: Mutex<Option<FileId>>,
}

/// Which file a path leads to, whatever its name: device and inode.
type FileId = (u64, u64);

impl SqliteFile {
    /// The file at this path, which is open and locked. `name` is what leads to it.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn new(name: PathBuf, path: PathBuf, lock: Lock) -> anyhow::Result<Self> {
        let database = file_id(&path).with_context(|| format!("cannot look at {}", path.display()))?;
        Ok(Self(Arc::new(OpenFile { name, path, _lock: lock, database, journal: Mutex::default() })))
    }

    /// Why whoever opens the path now finds another database than the one that is open here; `None` when it is the same.
    /// SQLite itself goes on writing to a file that was moved, removed or replaced, and nobody would ever read it.
    pub fn replaced(&self) -> Option<String> {
        let OpenFile { name, path, database, journal, .. } = &*self.0;
        let is_gone = |looked: &io::Result<FileId>| looked.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        let found = file_id(name);
        // Another failure to look says nothing of the file.
        if is_gone(&found) {
            return Some(format!("{} was removed", name.display()));
        }
        if found.is_ok_and(|id| id != *database) {
            return Some(format!("{} was replaced by another file", name.display()));
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
        connection(&self.0.path, (1, WRITE_WAIT, WRITER_STATEMENTS), WRITER).await
    }

    /// Brings all of the write-ahead log into the file, once everybody here has closed it.
    ///
    /// # Errors
    /// When the file is another one by now, or cannot be written.
    pub async fn checkpoint_for_copies(&self) -> Result<(), DbErr> {
        // Nothing is added to a file that took the place of this one.
        if self.replaced().is_some() {
            return Ok(());
        }
        let last = self.new_writer().await?;
        checkpoint(&last).await?;
        last.close().await
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Brings everything that is in the write-ahead log into the database file and empties the log.
///
/// # Errors
/// When the database cannot be written to.
pub async fn checkpoint(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)
}

/// Does what may sort a whole table, which goes into files of its own and not into memory, over the connection that writes.
///
/// # Errors
/// When the database does not answer.
pub async fn with_temporary_files<T>(db: &DatabaseConnection, work: impl Future<Output = T>) -> Result<T, DbErr> {
    db.execute_unprepared("PRAGMA temp_store = FILE").await?;
    let done = work.await;
    db.execute_unprepared("PRAGMA temp_store = MEMORY").await?;
    Ok(done)
}

/// What is wrong with the file itself, as SQLite finds by reading all of it: pages, indexes, constraints and foreign keys. At most
/// `most` faults of either kind.
///
/// # Errors
/// When the file cannot be read at all.
pub async fn faults(db: &DatabaseConnection, most: usize) -> Result<Vec<String>, DbErr> {
    let ask = async |text: String| db.query_all_raw(Statement::from_string(DbBackend::Sqlite, text)).await;
    let mut faults = Vec::new();
    match ask(format!("PRAGMA integrity_check({most})")).await {
        Ok(rows) => {
            for row in rows {
                let told: String = row.try_get_by_index(0)?;
                faults.extend(told.lines().filter(|line| *line != "ok").map(|line| format!("the file: {line}")));
            }
        }
        Err(error) if is_corruption(&error) => faults.push(format!("the file: {error}")),
        Err(error) => return Err(error),
    }
    let orphans = "SELECT DISTINCT \"table\", \"parent\" FROM pragma_foreign_key_check";
    match ask(format!("{orphans} LIMIT {most}")).await {
        Ok(rows) => {
            for row in rows {
                let (table, parent): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                faults.push(format!("the file: rows of {table} refer to rows of {parent} that are not there"));
            }
        }
        Err(error) if is_corruption(&error) => {
            if faults.is_empty() {
                faults.push(format!("the file: {error}"));
            }
        }
        Err(error) => return Err(error),
    }
    Ok(faults)
}

/// What a failure to open a database says of its file, when that is to blame.
#[must_use]
pub fn corruption(error: &anyhow::Error) -> Option<String> {
    let found = error.downcast_ref::<DbErr>().filter(|error| is_corruption(error))?;
    Some(format!("the file: {found}"))
}

/// Whether SQLite says that a file is malformed, shorter than it should be, or no database.
fn is_corruption(error: &DbErr) -> bool {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    const SHORT_READ: i32 = 522;
    let code = sql_state(error).and_then(|code| code.parse::<i32>().ok());
    // The first byte is the kind, the others say more.
    code.is_some_and(|code| code == SHORT_READ || [CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff)))
}

/// So many connections that read.
///
/// # Errors
/// When the file cannot be opened.
pub async fn readers(path: &Path, connections: u32) -> anyhow::Result<DatabaseConnection> {
    connect(path, (connections, READ_WAIT, STATEMENTS), &[("query_only", "ON")]).await
}

/// The one connection that writes. Whoever holds the lock has made the file.
///
/// # Errors
/// When the file cannot be opened.
pub async fn writer(path: &Path) -> anyhow::Result<DatabaseConnection> {
    connect(path, (1, WRITE_WAIT, WRITER_STATEMENTS), WRITER).await
}

/// Connections that read an existing file, also while a server has it: as many as `verify` needs, made when they are needed.
///
/// # Errors
/// When there is no such file.
pub async fn reader_beside_a_server(path: &Path) -> anyhow::Result<DatabaseConnection> {
    if !path.exists() {
        bail!("there is no database at {}", path.display());
    }
    place::check_name(path)?;
    connect(path, (VERIFIED_PARTS, READ_WAIT, STATEMENTS), &[("query_only", "ON")]).await
}

/// One connection that copies an existing file, also while a server has it. It changes nothing in it; SQLite takes a copy for
/// something that is written.
///
/// # Errors
/// When there is no such file.
pub async fn copier(path: &Path) -> anyhow::Result<DatabaseConnection> {
    if !path.exists() {
        bail!("there is no database at {}", path.display());
    }
    place::check_name(path)?;
    connect(path, (1, READ_WAIT, STATEMENTS), &[]).await
}

/// The size of the database, in bytes.
///
/// # Errors
/// When it cannot be read.
pub async fn size(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let asked = "SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, asked)).await?;
    let size: i64 = row.map_or(Ok(0), |row| row.try_get("", "size"))?;
    Ok(size.unsigned_abs())
}

/// The names of all tables, without SQLite's own.
///
/// # Errors
/// When they cannot be read.
pub async fn tables(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let asked = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, asked)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// Writes what one read transaction sees into a file that is empty.
///
/// # Errors
/// When the database cannot be read, or the file cannot be written.
pub async fn copy(db: &DatabaseConnection, to: &Path) -> anyhow::Result<()> {
    let to = to.to_str().context("the name of a backup must be encoded in UTF-8")?;
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO ?", [to.into()])).await?;
    // SQLite leaves that to whoever asked for the copy.
    Ok(fs::File::open(to)?.sync_all()?)
}

async fn connect(
    path: &Path,
    size: (u32, Duration, usize),
    pragmas: &'static [(&'static str, &'static str)],
) -> anyhow::Result<DatabaseConnection> {
    let opened = connection(path, size, pragmas).await;
    opened.with_context(|| format!("cannot open the database {}", path.display()))
}

async fn connection(
    path: &Path,
    (connections, wait, statements): (u32, Duration, usize),
    pragmas: &'static [(&'static str, &'static str)],
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite://as-below?mode=rw");
    options.max_connections(connections).min_connections(1).acquire_timeout(wait).sqlx_logging(false);
    // One that stays open keeps the write-ahead log in its place: closing the last one removes it.
    options.max_lifetime(None).idle_timeout(None);
    // A file does not hang up. Whoever gives up during the test takes its connection along, and where thousands do, none is
    // left.
    options.test_before_acquire(false);
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let common = sqlite.filename(&path).statement_cache_capacity(statements);
        let common = common.pragma("foreign_keys", "ON").pragma("busy_timeout", BUSY_TIMEOUT);
        pragmas.iter().fold(common, |sqlite, (name, value)| sqlite.pragma(*name, *value))
    });
    Database::connect(options).await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use sea_orm::sqlx;

    use super::*;

    #[tokio::test]
    async fn whoever_gives_up_waiting_leaves_the_connection_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.db");
        fs::write(&path, "").expect("a file");
        let readers = readers(&path, 1).await.expect("readers");
        let pool: &sqlx::SqlitePool = readers.get_sqlite_connection_pool();
        assert_eq!(pool.size(), 1);
        // It is dropped as soon as it would have to wait.
        drop(pool.acquire().now_or_never());
        assert_eq!(pool.size(), 1, "a connection was lost");
    }
}
