//! The result of each row, and how many rows ended how. It writes nothing.

use domain::commands::{ImportedRow, RowResult};
use domain::rejection::Rejection;

/// The result of one row.
#[derive(Debug)]
pub struct Outcome {
    /// The line that the row begins at.
    pub line: u64,
    /// The SKU as the row has it, if it could be read.
    pub sku: Option<String>,
    /// How the row ended.
    pub result: RowOutcome,
}

/// How a row ended.
#[derive(Debug)]
pub enum RowOutcome {
    /// It was done.
    Done(ImportedRow),
    /// An earlier run did it; nothing was changed.
    DoneEarlier(ImportedRow),
    /// The business refuses it.
    Refused(Vec<Rejection>),
    /// The line is not a row; the message says why.
    Malformed(String),
    /// The server failed; the log says more.
    Failed,
}

impl RowOutcome {
    /// Whether somebody has to look at the row: it was refused, or done to a product that nobody can buy.
    #[must_use]
    pub const fn needs_attention(&self) -> bool {
        match self {
            Self::Done(row) | Self::DoneEarlier(row) => row.is_archived,
            Self::Refused(_) | Self::Malformed(_) | Self::Failed => true,
        }
    }
}

/// How many rows ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// All rows.
    pub rows: u64,
    /// Rows that created a product.
    pub created: u64,
    /// Rows that added units.
    pub added: u64,
    /// Rows that set something.
    pub set: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Rows that changed nothing because an earlier run had done them.
    pub earlier: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Rows that were done to products which are archived.
    pub archived: u64,
}

impl Totals {
    /// Counts a row.
    pub fn add(&mut self, result: &RowOutcome) {
        self.rows += 1;
        match result {
            RowOutcome::Done(row) => {
                self.archived += u64::from(row.is_archived);
                match row.result {
                    RowResult::Created => self.created += 1,
                    RowResult::Added => self.added += 1,
                    RowResult::Set => self.set += 1,
                    RowResult::Unchanged => self.unchanged += 1,
                }
            }
            RowOutcome::DoneEarlier(row) => {
                self.archived += u64::from(row.is_archived);
                self.unchanged += 1;
                self.earlier += 1;
            }
            RowOutcome::Refused(_) | RowOutcome::Malformed(_) | RowOutcome::Failed => self.refused += 1,
        }
    }
}
