//! Writes the result of each row as a row of CSV or JSON Lines. It knows nothing of where that goes.

use std::io::{self, Write};

use crate::files::Format;
use crate::files::rows::{Cell, RowWriter};
use domain::commands::RowResult;
use domain::stock::Numbers;

use super::outcome::{Outcome, RowOutcome};
use super::task::explain;

/// The columns of results.
const COLUMNS: [&str; 9] =
    ["line", "sku", "result", "code", "reason", "total_before", "available_before", "total_after", "available_after"];

/// The code of a line that is no row.
const BAD_LINE: &str = "BAD_LINE";

/// The code of a failure of the server.
const INTERNAL: &str = "INTERNAL";

/// The reason that is given for a row that was done, when nobody can buy its product.
const ARCHIVED: &str = "The product is archived: it is not for sale.";

/// Writes results.
#[derive(Debug)]
pub struct ResultWriter<W: Write>(RowWriter<W>);

/// The cells of a result that say how the row ended.
struct Shown<'a> {
    result: &'static str,
    code: Option<&'a str>,
    reason: Option<String>,
    before: Option<Numbers>,
    after: Option<Numbers>,
}

impl<W: Write> ResultWriter<W> {
    /// Begins to write; CSV begins with the names of the columns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(to: W, format: Format) -> io::Result<Self> {
        RowWriter::begin(to, format, &COLUMNS).map(Self)
    }

    /// Writes the result of one row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, outcome: &Outcome) -> io::Result<()> {
        let shown = shown(&outcome.result);
        let total = |numbers: Option<Numbers>| Cell::from(numbers.map(|numbers| i64::from(numbers.total)));
        let available = |numbers: Option<Numbers>| Cell::from(numbers.map(|numbers| i64::from(numbers.available())));
        self.0.write(&[
            Cell::from(i64::try_from(outcome.line).ok()),
            outcome.sku.as_deref().into(),
            Cell::Text(shown.result),
            shown.code.into(),
            shown.reason.as_deref().into(),
            total(shown.before),
            available(shown.before),
            total(shown.after),
            available(shown.after),
        ])
    }

    /// Hands on everything that was written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn shown(result: &RowOutcome) -> Shown<'_> {
    let refused = |code, reason| Shown { result: "refused", code, reason: Some(reason), before: None, after: None };
    match result {
        RowOutcome::Done(row) => Shown {
            result: code(row.result),
            code: None,
            reason: row.is_archived.then(|| ARCHIVED.to_owned()),
            before: row.before,
            after: Some(row.after),
        },
        RowOutcome::DoneEarlier(row) => {
            let archived = if row.is_archived { format!(" {ARCHIVED}") } else { String::new() };
            let reason = format!("An earlier run did this: {}.{archived}", code(row.result));
            Shown { result: "unchanged", code: None, reason: Some(reason), before: None, after: None }
        }
        RowOutcome::Refused(refusal) => refused(refusal.first().map(|first| first.code.as_str()), explain(refusal)),
        RowOutcome::Malformed(reason) => refused(Some(BAD_LINE), reason.clone()),
        RowOutcome::Failed => refused(Some(INTERNAL), "It could not be done; the log says more.".to_owned()),
    }
}

const fn code(result: RowResult) -> &'static str {
    match result {
        RowResult::Created => "created",
        RowResult::Added => "added",
        RowResult::Set => "set",
        RowResult::Unchanged => "unchanged",
    }
}
