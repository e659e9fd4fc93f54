//! Shows an import to people: the results while it goes on, how far it is, and the totals at its end. On standard output
//! only the rows that somebody has to look at, unless all are asked for.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::ProgressBar;

use crate::cli::progress;
use crate::cli::signals::BlockingWork;
use crate::config::ImportSettings;
use crate::files::Format;
use crate::files::import::{Batch, Outcome, ResultWriter, Source, Totals};
use crate::filesystem;

const UNWRITABLE: &str = "the results cannot be written";

/// Shows one import.
pub struct Report {
    output: Output,
    shows_all: bool,
    bar: ProgressBar,
    totals: Totals,
    /// Number of rows in the file.
    rows: u64,
    /// Writing waits for who reads.
    blocking: BlockingWork,
}

/// Where the results go.
enum Output {
    /// Standard output, to which nothing was written yet.
    Unopened(Format),
    Open(ResultWriter<Box<dyn Write + Send>>),
    /// The reader has gone away.
    Closed,
}

impl Report {
    /// Opens the file that the results are written to, if there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(settings: &ImportSettings, source: &Source, blocking: BlockingWork) -> anyhow::Result<Self> {
        // Opening a named pipe waits for its reader.
        let output = blocking
            .run(unread("no row was looked at"), || Output::open(settings.results.as_deref(), source.format()))?;
        let shows_all = settings.all || settings.results.is_some();
        let (bar, totals) = (progress::bytes(source.size), Totals::default());
        Ok(Self { output, shows_all, bar, totals, rows: source.rows, blocking })
    }

    /// Counts the results of some rows, and writes them. A reader that has gone away stops no import.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, batch: &Batch) -> anyhow::Result<()> {
        for outcome in &batch.outcomes {
            self.totals.add(&outcome.result);
        }
        let (message, blocking) = (unread(&self.summary()), self.blocking.clone());
        blocking.run(message, || self.write(batch))
    }

    fn write(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let is_shown = |outcome: &&Outcome| self.shows_all || outcome.result.needs_attention();
        let mut shown = batch.outcomes.iter().filter(is_shown).peekable();
        if let (Output::Unopened(format), true) = (&self.output, shown.peek().is_some()) {
            self.output = Output::begin(Box::new(io::stdout()), *format)?;
        }
        let written = match &mut self.output {
            Output::Open(writer) => self.bar.suspend(|| {
                for outcome in shown {
                    writer.write(outcome)?;
                }
                writer.flush()
            }),
            Output::Unopened(_) | Output::Closed => Ok(()),
        };
        self.bar.set_position(batch.read);
        self.bar.set_message(format!("{} rows", self.totals.rows));
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.output = Output::Closed,
            written => written.context(UNWRITABLE)?,
        }
        Ok(())
    }

    /// Prints the totals to standard error: standard output has the results. Returns whether no row was refused.
    pub fn finish(&self, is_dry_run: bool, id: &str) -> bool {
        self.bar.finish_and_clear();
        let mut text = self.summary();
        if is_dry_run {
            text.push_str("; a dry run: nothing was changed");
        } else {
            if self.totals.refused > 0 {
                text.push_str("\nfix the refused lines in place, and run it again with --id ");
                text.push_str(id);
                text.push_str(": what was done is not done again");
            }
            if !self.is_complete() {
                text.push_str("\nrun the same command again and it goes on: what was done is not done again");
            }
        }
        // Nobody may read it any more.
        let _ = writeln!(io::stderr(), "{text}");
        self.totals.refused == 0
    }

    fn summary(&self) -> String {
        let sentence = sentence(&self.totals);
        if self.is_complete() {
            return sentence;
        }
        format!("stopped after {} of {} rows: {sentence}", self.totals.rows, self.rows)
    }

    const fn is_complete(&self) -> bool {
        self.totals.rows >= self.rows
    }
}

impl Output {
    fn open(results: Option<&Path>, format: Format) -> anyhow::Result<Self> {
        let is_standard = |path: &Path| path == Path::new("-") || filesystem::is_standard_output(path);
        let Some(path) = results.filter(|path| !is_standard(path)) else { return Ok(Self::Unopened(format)) };
        let file = filesystem::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Self::begin(Box::new(file), Format::of_path(path).unwrap_or(format))
    }

    fn begin(to: Box<dyn Write + Send>, format: Format) -> anyhow::Result<Self> {
        ResultWriter::begin(to, format).map(Self::Open).context(UNWRITABLE)
    }
}

/// What is printed when the process ends because nobody reads the results.
fn unread(summary: &str) -> String {
    format!("{summary}\nnobody reads the results; run the same command again and it goes on")
}

/// The totals in one line.
fn sentence(totals: &Totals) -> String {
    let Totals { rows, created, added, set, unchanged, earlier, refused, archived } = *totals;
    let all = [
        (created, "created"),
        (added, "added"),
        (set, "set"),
        (unchanged, "unchanged"),
        (earlier, "of these done by an earlier run"),
        (refused, "refused"),
        (archived, if archived == 1 { "of an archived product" } else { "of archived products" }),
    ];
    let counts = all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let counts = std::iter::once(format!("{rows} row{}", if rows == 1 { "" } else { "s" })).chain(counts);
    let sentence = counts.collect::<Vec<_>>().join(", ");
    let repeated = if earlier > 0 { "; to do them once more, give the import another --id" } else { "" };
    sentence + repeated
}
