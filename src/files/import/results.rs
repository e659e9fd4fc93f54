//! What became of each row, written while the import goes on, and the sums at its end. On standard output only rows that
//! somebody has to look at, unless all are asked for.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::config::{Format, ImportSettings};
use crate::files::rows::{Cell, RowWriter};
use crate::filesystem;
use domain::commands::{ImportedRow, RowResult};
use domain::rejection::Rejection;
use domain::stock::Numbers;

use super::source::{Source, format_of};
use super::task::explain;

/// The columns of results.
const COLUMNS: [&str; 9] =
    ["line", "sku", "result", "code", "reason", "total_before", "available_before", "total_after", "available_after"];

/// The code of a line that is no row.
const BAD_LINE: &str = "BAD_LINE";

/// The code of a failure of ours.
const INTERNAL: &str = "INTERNAL";

/// What is said of a row that was done, when nobody can buy its product.
const ARCHIVED: &str = "The product is archived: it is not for sale.";

const UNWRITABLE: &str = "the results cannot be written";

/// What became of one row.
#[derive(Debug)]
pub struct Outcome {
    /// Its line.
    pub line: u64,
    /// Its SKU as it stands there, when it could be read.
    pub sku: Option<String>,
    /// How it ended.
    pub end: End,
}

/// How a row ended.
#[derive(Debug)]
pub enum End {
    /// It was done, by this run or by an earlier one.
    Done(ImportedRow),
    /// The business refuses it.
    Refused(Vec<Rejection>),
    /// The line is not a row.
    Bad(String),
    /// Something is wrong with us.
    Failed,
}

/// How many rows ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// All rows.
    pub rows: u64,
    /// Products that were made.
    pub created: u64,
    /// Rows whose units were added.
    pub added: u64,
    /// Rows that set something.
    pub set: u64,
    /// Rows that changed nothing.
    pub unchanged: u64,
    /// Those of them that an earlier run had done.
    pub earlier: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Rows that were done to products which are archived.
    pub archived: u64,
}

/// Where results go, and the bar that shows how far it is.
#[derive(Debug)]
pub struct Results {
    out: Out,
    shows_all: bool,
    bar: ProgressBar,
    run: Uuid,
    sums: Sums,
    /// How many rows the file has.
    rows: u64,
}

/// Where results go.
#[derive(Debug)]
enum Out {
    /// Standard output, where nothing was written yet.
    Silent(Format),
    Open(RowWriter<Box<dyn Write + Send>>),
    /// Whoever read them has gone away.
    Gone,
}

/// How an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    /// Nothing was to be changed.
    DryRun,
    /// It was done, under this name.
    Import(&'a str),
}

impl Results {
    /// Begins to write: to a file in what its ending says, otherwise to standard output.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(settings: &ImportSettings, source: &Source, run: Uuid) -> anyhow::Result<Self> {
        let out = match settings.results.as_deref().filter(|path| !is_standard(path)) {
            None => Out::Silent(source.format()),
            Some(path) => {
                let file = filesystem::create(path).with_context(|| format!("cannot write {}", path.display()))?;
                Out::open(Box::new(file), format_of(path).unwrap_or(source.format()))?
            }
        };
        let bar = if io::stderr().is_terminal() { ProgressBar::new(source.size) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {msg}, {eta} left") {
            bar.set_style(style);
        }
        let shows_all = settings.all || settings.results.is_some();
        Ok(Self { out, shows_all, bar, run, sums: Sums::default(), rows: source.rows })
    }

    /// Adds some rows to the sums.
    pub fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            self.add(&outcome.end);
        }
    }

    /// The sums, in words.
    pub fn told(&self) -> String {
        let told = self.sums.shown();
        if self.is_whole() {
            return told;
        }
        format!("stopped after {} of {} rows: {told}", self.sums.rows, self.rows)
    }

    /// Writes what became of some rows, which are in the sums already. Whoever read them may have gone away; that stops no import.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn tell(&mut self, outcomes: &[Outcome], read: u64) -> anyhow::Result<()> {
        let (run, shows_all) = (self.run, self.shows_all);
        let mut shown = outcomes.iter().filter(|outcome| shows_all || outcome.end.needs_a_look()).peekable();
        if let (Out::Silent(format), true) = (&self.out, shown.peek().is_some()) {
            self.out = Out::open(Box::new(io::stdout()), *format)?;
        }
        let told = match &mut self.out {
            Out::Open(rows) => self.bar.suspend(|| {
                for outcome in shown {
                    tell(rows, outcome, run)?;
                }
                rows.flush()
            }),
            Out::Silent(_) | Out::Gone => Ok(()),
        };
        self.bar.set_position(read);
        self.bar.set_message(format!("{} rows", self.sums.rows));
        match told {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.out = Out::Gone,
            told => told.context(UNWRITABLE)?,
        }
        Ok(())
    }

    /// Whether every row of the file has its result.
    pub const fn is_whole(&self) -> bool {
        self.sums.rows >= self.rows
    }

    /// Tells the sums, on standard error: standard output has the results. `true` when no row was refused.
    pub fn finish(&self, ending: Ending<'_>) -> bool {
        self.bar.finish_and_clear();
        let mut told = self.told();
        match ending {
            Ending::DryRun => told.push_str("; a dry run: nothing was changed"),
            Ending::Import(id) if self.sums.refused > 0 => {
                told.push_str("\nmend refused lines where they stand, and run it again with --id ");
                told.push_str(id);
                told.push_str(": what was done is not done again");
            }
            Ending::Import(_) => {}
        }
        if ending != Ending::DryRun && !self.is_whole() {
            told.push_str("\nrun the same command again and it goes on: what was done is not done again");
        }
        // Nobody may look any more.
        let _ = writeln!(io::stderr(), "{told}");
        self.sums.refused == 0
    }

    fn add(&mut self, end: &End) {
        let sums = &mut self.sums;
        sums.rows += 1;
        sums.archived += u64::from(matches!(end, End::Done(row) if row.is_archived));
        match end {
            End::Done(row) if row.run != self.run => {
                sums.unchanged += 1;
                sums.earlier += 1;
            }
            End::Done(row) => match row.result {
                RowResult::Created => sums.created += 1,
                RowResult::Added => sums.added += 1,
                RowResult::Set => sums.set += 1,
                RowResult::Unchanged => sums.unchanged += 1,
            },
            End::Refused(_) | End::Bad(_) | End::Failed => sums.refused += 1,
        }
    }
}

impl End {
    /// Whether somebody has to look at it: it was refused, or done to what nobody can buy.
    const fn needs_a_look(&self) -> bool {
        match self {
            Self::Done(row) => row.is_archived,
            Self::Refused(_) | Self::Bad(_) | Self::Failed => true,
        }
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-") || filesystem::is_standard_output(path)
}

impl Out {
    fn open(to: Box<dyn Write + Send>, format: Format) -> anyhow::Result<Self> {
        RowWriter::begin(to, format, &COLUMNS).map(Self::Open).context(UNWRITABLE)
    }
}

impl Sums {
    /// One line for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let Self { rows, created, added, set, unchanged, earlier, refused, archived } = *self;
        let all = [
            (created, "created"),
            (added, "added"),
            (set, "set"),
            (unchanged, "unchanged"),
            (earlier, "of these done by an earlier run"),
            (refused, "refused"),
            (archived, if archived == 1 { "of an archived product" } else { "of archived products" }),
        ];
        let told = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let told = std::iter::once(format!("{rows} row{}", if rows == 1 { "" } else { "s" })).chain(told);
        let told = told.collect::<Vec<_>>().join(", ");
        let repeated = if earlier > 0 { "; to do them once more, give the import another --id" } else { "" };
        told + repeated
    }
}

fn tell(rows: &mut RowWriter<Box<dyn Write + Send>>, outcome: &Outcome, run: Uuid) -> io::Result<()> {
    let reason;
    let (result, code, why, before, after) = match &outcome.end {
        End::Done(row) if row.run != run => {
            let archived = if row.is_archived { format!(" {ARCHIVED}") } else { String::new() };
            reason = format!("An earlier run did this: {}.{archived}", code(row.result));
            ("unchanged", None, Some(reason.as_str()), None, None)
        }
        End::Done(row) => (code(row.result), None, row.is_archived.then_some(ARCHIVED), row.before, Some(row.after)),
        End::Refused(refusal) => {
            reason = explain(refusal);
            ("refused", refusal.first().map(|first| first.code.as_str()), Some(reason.as_str()), None, None)
        }
        End::Bad(why) => ("refused", Some(BAD_LINE), Some(why.as_str()), None, None),
        End::Failed => ("refused", Some(INTERNAL), Some("It could not be done; the log says more."), None, None),
    };
    let total = |numbers: Option<Numbers>| Cell::from(numbers.map(|numbers| i64::from(numbers.total)));
    let available = |numbers: Option<Numbers>| Cell::from(numbers.map(|numbers| i64::from(numbers.available())));
    rows.write(&[
        Cell::from(i64::try_from(outcome.line).ok()),
        outcome.sku.as_deref().into(),
        Cell::Text(result),
        code.into(),
        why.into(),
        total(before),
        available(before),
        total(after),
        available(after),
    ])
}

const fn code(result: RowResult) -> &'static str {
    match result {
        RowResult::Created => "created",
        RowResult::Added => "added",
        RowResult::Set => "set",
        RowResult::Unchanged => "unchanged",
    }
}
