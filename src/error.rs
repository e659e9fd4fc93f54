//! What crosses layers when something does not happen: a refusal by the business, or a failure of ours.
//!
//! A failure's inner text is for the log; it must never reach a client.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::domain::rejection::{Refusal, Rejection};

/// Why something did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The business refuses. Nothing changed.
    #[error("refused: {0:?}")]
    Refused(Refusal),
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

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            tracing::error!(%error, "the database cannot be reached");
            return Self::Unavailable;
        }
        Self::Failure(anyhow::Error::new(error))
    }
}

/// What is the matter when the database does not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is not there, or gave up. Nothing was executed.
    Away,
    /// Somebody else holds a row for longer than we wait.
    Locked,
    /// Two transactions were in each other's way. Worth another try at once.
    Conflict,
    /// A value that must be unique is taken.
    Taken,
    /// It refuses what was asked.
    Refused,
}

/// Whether the database could not be reached, so that nothing was executed.
#[must_use]
pub fn is_away(error: &DbErr) -> bool {
    trouble(error) == Trouble::Away
}

/// What is the matter.
#[must_use]
pub fn trouble(error: &DbErr) -> Trouble {
    let error = match error {
        // Whatever the reason: there is no connection.
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return Trouble::Away,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return Trouble::Refused,
    };
    match &**error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Trouble::Away,
        sqlx::Error::Database(error) if error.is_unique_violation() => Trouble::Taken,
        sqlx::Error::Database(error) => error.code().map_or(Trouble::Refused, |code| by_code(&code)),
        _ => Trouble::Refused,
    }
}

/// By the codes of PostgreSQL, which all have five characters; those of SQLite are numbers with fewer.
fn by_code(code: &str) -> Trouble {
    match code {
        "55P03" => Trouble::Locked,
        "40001" | "40P01" => Trouble::Conflict,
        // A statement or an idle transaction that took too long; a server that became a standby.
        "57014" | "25P03" | "25006" => Trouble::Away,
        // Connections, resources, and the operator's interventions.
        _ if code.len() == 5 && ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => Trouble::Away,
        _ => Trouble::Refused,
    }
}
