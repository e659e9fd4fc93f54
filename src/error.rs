//! What crosses layers when something does not happen: a refusal by the business, or a failure of ours.
//!
//! A failure's inner text is for the log; it must never reach a client.

use sea_orm::DbErr;

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
        if is_connection_lost(&error) {
            tracing::error!(%error, "the database cannot be reached");
            return Self::Unavailable;
        }
        Self::Failure(anyhow::Error::new(error))
    }
}

/// Whether the database could not be reached, so that nothing was executed.
#[must_use]
pub fn is_connection_lost(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_))
}
