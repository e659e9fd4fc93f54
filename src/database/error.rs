//! What crosses layers when something does not happen: a refusal by the business, or a failure of ours.
//!
//! A failure's inner text is for the log; it must never reach a client.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use domain::rejection::{Rejection, Rejections};

/// Why something did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The business refuses. Nothing changed.
    #[error("refused: {0:?}")]
    Refused(Rejections),
    /// The queue is full. Not executed; worth another try soon.
    #[error("the server has too much to do")]
    Overloaded,
    /// The database is away, or the caller's time ran out before it was its turn. Not executed.
    #[error("the server cannot do this now")]
    Unavailable,
    /// Nobody knows whether it happened. With an idempotency key it can be asked again.
    #[error("no answer in time")]
    TimedOut,
    /// Our own failure.
    #[error(transparent)]
    Failure(#[from] anyhow::Error),
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection.into())
    }
}

impl From<Rejections> for Error {
    fn from(refusal: Rejections) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        use DatabaseErrorKind::{Blocked, Locked, TimedOut, Unavailable};
        if is_newer(&error) {
            tracing::error!(%error, "a newer release wrote this; run that one on all servers");
            return Self::Unavailable;
        }
        match kind(&error) {
            Unavailable | Blocked | TimedOut => tracing::error!(%error, "the database did not answer a query"),
            Locked => tracing::warn!(%error, "another transaction holds what a query asks for"),
            _ => return Self::Failure(anyhow::Error::new(error)),
        }
        Self::Unavailable
    }
}

/// Why the database did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The connection is lost, or the server or the file cannot be used. Worth another try on a new connection.
    Unavailable,
    /// The disk is full, or another process keeps the database busy. Nothing was executed, and trying again at once does
    /// not help.
    Blocked,
    /// A statement took longer than it may. Nothing was executed.
    TimedOut,
    /// Another transaction holds a row for longer than the lock timeout.
    Locked,
    /// A deadlock or a serialization failure. Worth another try at once.
    Conflict,
    /// A value that must be unique is taken.
    UniqueViolation,
    /// The database refuses the statement itself.
    Refused,
}

/// Returns why the database did not do what it was asked for.
#[must_use]
pub fn kind(error: &DbErr) -> DatabaseErrorKind {
    let error = match error {
        // Whatever the reason: there is no connection.
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return DatabaseErrorKind::Unavailable,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return DatabaseErrorKind::Refused,
    };
    match &**error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => DatabaseErrorKind::Unavailable,
        sqlx::Error::Database(error) if error.is_unique_violation() => DatabaseErrorKind::UniqueViolation,
        sqlx::Error::Database(error) => error.code().map_or(DatabaseErrorKind::Refused, |code| by_code(&code)),
        _ => DatabaseErrorKind::Refused,
    }
}

/// How an error ends that tells of a code which a newer release has written.
pub const UNKNOWN: &str = "that this release knows";

/// Whether a row has a code that this release does not know: a newer one has written it, and a server of that one can read it.
#[must_use]
pub fn is_newer(error: &DbErr) -> bool {
    matches!(error, DbErr::Type(text) if text.ends_with(UNKNOWN))
}

/// Whether the database itself answered that it did not do what it was asked for, so that nothing of it was done.
#[must_use]
pub fn is_answered(error: &DbErr) -> bool {
    let Some(code) = sql_state(error) else { return false };
    // SQLite could not write the end of the transaction. After its other failures the end may be on disk.
    let is_unwritten = code == "778";
    is_unwritten || kind(error) != DatabaseErrorKind::Unavailable
}

/// The code that the database gives for an error; `None` when the error is not the database's own.
#[must_use]
pub fn sql_state(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return None;
    };
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Codes of PostgreSQL have five characters; those of SQLite are numbers with at most four digits.
fn by_code(code: &str) -> DatabaseErrorKind {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => by_sqlite_code(number),
        Ok(_) | Err(_) => by_sqlstate(code),
    }
}

fn by_sqlstate(code: &str) -> DatabaseErrorKind {
    match code {
        "55P03" => DatabaseErrorKind::Locked,
        "40001" | "40P01" => DatabaseErrorKind::Conflict,
        "57014" => DatabaseErrorKind::TimedOut,
        "53100" => DatabaseErrorKind::Blocked,
        // An idle transaction that took too long; a server that became a standby.
        "25P03" | "25006" => DatabaseErrorKind::Unavailable,
        // Connections, resources, and the operator's interventions.
        _ if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => DatabaseErrorKind::Unavailable,
        _ => DatabaseErrorKind::Refused,
    }
}

/// The low byte of an extended result code is the primary one.
fn by_sqlite_code(code: u32) -> DatabaseErrorKind {
    match code & 0xff {
        // BUSY, LOCKED and FULL.
        5 | 6 | 13 => DatabaseErrorKind::Blocked,
        // NOMEM, READONLY, INTERRUPT, IOERR, CANTOPEN and PROTOCOL.
        7..=10 | 14 | 15 => DatabaseErrorKind::Unavailable,
        _ => DatabaseErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        let kinds = [
            ("13", DatabaseErrorKind::Blocked),
            ("5", DatabaseErrorKind::Blocked),
            ("517", DatabaseErrorKind::Blocked),
            ("778", DatabaseErrorKind::Unavailable),
            ("1032", DatabaseErrorKind::Unavailable),
            ("11", DatabaseErrorKind::Refused),
            ("53100", DatabaseErrorKind::Blocked),
            ("53300", DatabaseErrorKind::Unavailable),
            ("25006", DatabaseErrorKind::Unavailable),
            ("57014", DatabaseErrorKind::TimedOut),
            ("57P01", DatabaseErrorKind::Unavailable),
            ("23514", DatabaseErrorKind::Refused),
        ];
        for (code, kind) in kinds {
            assert_eq!(by_code(code), kind, "{code}");
        }
    }
}
