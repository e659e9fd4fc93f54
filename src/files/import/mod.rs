//! Imports a file row by row: each row is one command under an idempotency key of its own, so that a row that is refused
//! fails no other, and a row that was done is not done again by another run. Whether earlier runs are remembered is decided
//! once for the whole file.
//!
//! [`Import::run`] changes the shop through the writer; [`Import::preview`] shows what that would do. Both hand the results
//! of each batch of rows to a sink. An import must never skip a row without a result.

mod commands;
mod csv_rows;
mod json_row;
mod memory;
mod outcome;
mod plan;
mod preview;
mod reader;
mod results;
mod run;
mod source;
mod task;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database::error::Error;
use domain::actor::Actor;

pub use outcome::{Outcome, RowOutcome, Totals};
pub use results::ResultWriter;
pub use source::{Source, SourceOptions};

/// What an import does with each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Creates products that are not there. One that is there already must be as the row says, or the row is refused.
    Create,
    /// Adds units to the stock of products that are there.
    Add,
    /// Sets the total of products that are there, and the other columns that are given.
    Set,
}

/// One run of an import.
#[derive(Debug)]
pub struct Import<'a> {
    source: &'a Source,
    actor: Actor,
    /// Tells the rows of this run from those of earlier runs.
    run: Uuid,
    cancel: CancellationToken,
}

/// The results of some rows, in the order of the file.
#[derive(Debug)]
pub struct Batch {
    /// A result for each row.
    pub outcomes: Vec<Outcome>,
    /// Bytes of the source that have been read.
    pub read: u64,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    /// Every row has its result.
    Complete,
    /// The run was cancelled before its last row.
    Cancelled,
    /// The database took no more rows.
    Failed(Error),
    /// The source had fewer rows than when it was opened.
    SourceChanged,
}

impl<'a> Import<'a> {
    /// A run on behalf of this actor. When it is cancelled, it finishes the rows that were begun and begins no others.
    #[must_use]
    pub fn new(source: &'a Source, actor: Actor, cancel: CancellationToken) -> Self {
        Self { source, actor, run: Uuid::now_v7(), cancel }
    }

    /// Returns how a run ended that gave results for this many rows.
    fn ending(&self, rows: u64) -> Ending {
        if rows >= self.source.rows {
            Ending::Complete
        } else if self.cancel.is_cancelled() {
            Ending::Cancelled
        } else {
            Ending::SourceChanged
        }
    }
}
