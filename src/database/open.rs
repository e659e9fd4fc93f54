//! Opens the database that an address means: a file, or a PostgreSQL that any number of servers share.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use migration::{Migrator, MigratorTrait};
use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use tokio::time::timeout;

use super::error::Error;
use crate::filesystem;

use super::MAX_SCANS;
use super::postgres::Postgres;
use super::sqlite::{self, SqliteFile, place as sqlite_place};

/// How long each step of closing a database may take: one that hangs ends with the process.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open database. Dropping it gives its lock back.
#[derive(Debug)]
pub struct Databases {
    /// Only reads.
    pub read: DatabaseConnection,
    /// Only reads what may take long, so that nobody else waits for it.
    pub scan: DatabaseConnection,
    /// Only asks whether the database answers.
    pub probe: DatabaseConnection,
    /// The one connection that writes to a file. To PostgreSQL the writer makes its own: a socket stays with the runtime
    /// that made it.
    pub write: Option<DatabaseConnection>,
    /// Who else may have it.
    pub kind: Kind,
}

/// Who else may have a database.
#[derive(Debug)]
pub enum Kind {
    /// Nobody: the lock keeps them away.
    Sqlite(SqliteFile),
    /// Any number of replicas.
    Postgres(Postgres),
}

impl Databases {
    /// Closes everything, and then gives the lock back. What SQLite's write-ahead log holds goes into the file first, so that
    /// who copies the file has all of it.
    pub async fn close(self) {
        let Self { read, scan, probe, write, kind } = self;
        for connections in [read, scan, probe].into_iter().chain(write) {
            close_in_time(Box::pin(connections.close())).await;
        }
        if let Kind::Sqlite(file) = &kind {
            close_in_time(Box::pin(file.checkpoint_for_copies())).await;
        }
        drop(kind);
    }
}

/// Does what belongs to an end, but does not wait for ever: the process ends anyway.
async fn close_in_time(last: impl Future<Output = Result<(), DbErr>>) {
    match timeout(CLOSE_TIMEOUT, last).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the database was not closed properly"),
        Err(_) => tracing::warn!("the database did not take leave in time"),
    }
}

/// A database that is not open yet.
enum Place {
    Sqlite(std::path::PathBuf),
    Postgres(Postgres),
}

/// Opens the database to read and write, making the file when there is none.
///
/// # Errors
/// When the address is not one that we understand, when another process has the file, or when it cannot be opened.
pub async fn open(url: &str) -> anyhow::Result<Databases> {
    match place(url)? {
        Place::Sqlite(name) => {
            let path = sqlite_place::resolve(&name)?;
            let lock = sqlite_place::lock(&path)?;
            let write = sqlite::writer(&path).await?;
            let read = sqlite::readers(&path, sqlite::READERS).await?;
            let scan = sqlite::readers(&path, MAX_SCANS).await?;
            let probe = sqlite::readers(&path, sqlite::PROBES).await?;
            let write = Some(write);
            Ok(Databases { read, scan, probe, write, kind: Kind::Sqlite(SqliteFile::new(name, path, lock)?) })
        }
        Place::Postgres(postgres) => {
            let read = postgres.readers().await?;
            let (scan, probe) = (postgres.scanners().await?, postgres.probes().await?);
            Ok(Databases { read, scan, probe, write: None, kind: Kind::Postgres(postgres) })
        }
    }
}

/// Opens an existing database to read it, also while servers have it.
///
/// # Errors
/// When the address is not one that we understand, there is no such database, or its schema is not up to date.
pub async fn open_read_only(url: &str) -> anyhow::Result<DatabaseConnection> {
    let db = match place(url)? {
        Place::Sqlite(name) => sqlite::reader_beside_a_server(&sqlite_place::resolve(&name)?).await?,
        Place::Postgres(postgres) => postgres.long_reader().await?,
    };
    // Who may not look, or finds what a newer release has done, tries: tables and columns are only ever added.
    let pending = Migrator::get_pending_migrations_read_only(&db).await.unwrap_or_default();
    if !pending.is_empty() {
        bail!("{} has no tables yet, or is not up to date: run `onhand migrate` first, as the owner", shown(url));
    }
    Ok(db)
}

/// A database that a copy is made of: a file, also while a server has it.
#[derive(Debug)]
pub struct Backup(DatabaseConnection);

impl Backup {
    /// Opens the database at this address.
    ///
    /// # Errors
    /// When it is no file, is not there, or cannot be opened.
    pub async fn of(url: &str) -> anyhow::Result<Self> {
        match place(url)? {
            Place::Sqlite(name) => Ok(Self(sqlite::copier(&sqlite_place::resolve(&name)?).await?)),
            Place::Postgres(_) => {
                bail!("a PostgreSQL has backups of its own: use pg_dump, or archive its write-ahead log")
            }
        }
    }

    /// The size of a copy, in bytes, or more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn size(&self) -> Result<u64, DbErr> {
        sqlite::size(&self.0).await
    }

    /// Writes a copy, as the database stands now, into a file that is empty, and makes it survive a power cut.
    ///
    /// # Errors
    /// When the database cannot be read, or the copy cannot be written.
    pub async fn write(&self, to: &Path) -> anyhow::Result<()> {
        sqlite::copy(&self.0, to).await
    }

    /// Opens a copy to read it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open_copy(path: &Path) -> anyhow::Result<DatabaseConnection> {
        sqlite::reader_beside_a_server(path).await
    }
}

/// Whether a database has the schema of this release.
///
/// # Errors
/// When it does not answer.
pub async fn is_current(db: &DatabaseConnection) -> Result<bool, DbErr> {
    Ok(Migrator::get_pending_migrations_read_only(db).await?.is_empty())
}

/// Refuses to write something else over the database, or over a file that belongs to it.
///
/// # Errors
/// When the output is one of them.
pub fn check_output(url: &str, output: &Path) -> anyhow::Result<()> {
    let Place::Sqlite(name) = place(url)? else { return Ok(()) };
    let path = sqlite_place::resolve(&name)?;
    for kind in ["", "-wal", "-shm", "-journal", ".lock"] {
        let own = sqlite_place::beside(&path, kind);
        if filesystem::are_same(output, &own) {
            bail!("{} belongs to the database: nothing else may be written there", own.display());
        }
    }
    Ok(())
}

/// What is wrong with the database itself, whatever its rows say; at most about `most` sentences. PostgreSQL checks its pages when
/// it reads them, and its foreign keys always.
///
/// # Errors
/// When the database does not answer.
pub async fn faults(db: &DatabaseConnection, most: usize) -> Result<Vec<String>, Error> {
    match db.get_database_backend() {
        DbBackend::Sqlite => Ok(sqlite::faults(db, most).await?),
        _ => Ok(Vec::new()),
    }
}

/// Brings the schema of the database up to date.
///
/// # Errors
/// When a change cannot be made; the changes before it stay made.
pub async fn migrate(databases: &Databases) -> anyhow::Result<()> {
    match &databases.kind {
        Kind::Sqlite(_) => {
            let write = databases.write.as_ref().context("the connection that writes")?;
            sqlite::with_temporary_files(write, Migrator::up(write, None)).await?.map_err(newer)?;
            sqlite::checkpoint(write).await.context("the write-ahead log could not be emptied")
        }
        Kind::Postgres(postgres) => postgres.migrate().await,
    }
}

/// A failure to migrate, in words. What a later release has done to a database is not known here.
pub fn newer(error: DbErr) -> anyhow::Error {
    let is_newer = matches!(&error, DbErr::Custom(text) if text.contains("its file is missing"));
    let reason = "the database was migrated by a newer release: use that one, or restore a backup from before";
    if is_newer { anyhow!(reason) } else { anyhow!(error).context("the database could not be migrated") }
}

/// The address as it may be shown: without a password.
#[must_use]
pub fn shown(url: &str) -> String {
    match place(url) {
        Ok(Place::Postgres(postgres)) => postgres.shown(),
        Ok(Place::Sqlite(_)) => url.to_owned(),
        Err(_) => scheme(url).unwrap_or("an address that is not understood").to_owned(),
    }
}

/// Whether an address means a file, which nobody has to wait for.
#[must_use]
pub fn is_file(url: &str) -> bool {
    scheme(url) == Some("sqlite")
}

fn place(url: &str) -> anyhow::Result<Place> {
    match scheme(url) {
        Some("sqlite") => Ok(Place::Sqlite(sqlite_place::path(url)?)),
        Some("postgres" | "postgresql") => Ok(Place::Postgres(Postgres::at(url)?)),
        Some(other) => bail!("{FORM}; {other:?} is not a database that this release knows"),
        None => bail!("{FORM}"),
    }
}

/// What an address looks like.
const FORM: &str = "DATABASE_URL must look like sqlite://onhand.db or postgres://user@host/database";

/// Longest scheme that a message repeats.
const MAX_SCHEME: usize = 16;

/// What stands before `://`, if it looks like a scheme: all else may be a password.
fn scheme(url: &str) -> Option<&str> {
    let is_known = |known: &&&str| url.strip_prefix(**known).is_some_and(|rest| rest.starts_with(':'));
    if let Some(known) = ["sqlite", "postgres", "postgresql"].iter().find(is_known) {
        return Some(known);
    }
    let (scheme, _) = url.split_once("://")?;
    let is_letter_first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_plain = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
    (is_letter_first && is_plain && scheme.len() <= MAX_SCHEME).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(shown("postgres://shop:secret@db.internal/onhand"), "postgres://shop@db.internal:5432/onhand");
        assert_eq!(shown("sqlite://onhand.db"), "sqlite://onhand.db");
        for bad in [
            "",
            "mysql://user:secret@host/db",
            "onhand.db",
            "postgres://user:secret@host:port/db",
            "postgres:secret@",
            "secret",
            "host=db user=u password=secret",
            "host=db password=secret://x",
            "user:secret@host/db",
            "a-very-long-secret-of-somebody://",
        ] {
            let error = place(bad).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.starts_with("DATABASE_URL must"), "{bad:?}: {error:?}");
            assert!(!error.contains("secret") && !shown(bad).contains("secret"), "{error:?}");
        }
    }
}
