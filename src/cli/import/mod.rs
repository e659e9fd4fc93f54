//! `onhand import`: opens the file, the results and the database, and runs the import until its end or a signal. A signal
//! finishes the rows that were begun; the same command continues with the others.

mod report;

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use anyhow::{Context, anyhow, bail};
use tokio::sync::oneshot;

use super::runtime::Runtime;
use super::signals::{BlockingWork, Force, Shutdown};
use crate::app::{App, Settings};
use crate::clock::Clock;
use crate::config::{CommandLine, ImportSettings};
use crate::database::{check_output, open_read_only};
use crate::files::Format;
use crate::files::import::{Ending, Import, Source, SourceOptions};
use crate::filesystem;
use crate::read::Store;
use domain::actor::Actor;
use domain::text::{self, MAX_REFERENCE_LENGTH};

use report::Report;

/// Imports a file, or shows what that would do. Returns whether no row was refused.
///
/// # Errors
/// When the file cannot be read, the database cannot be opened, or nothing can be done any more; the message is for people.
/// [`Interrupted`](super::signals::Interrupted) when a signal stopped it.
pub async fn run(line: &CommandLine, settings: &ImportSettings) -> anyhow::Result<bool> {
    check_results(&line.database_url, settings)?;
    let blocking = BlockingWork::default();
    let shutdown = Shutdown::on_signal(Force::Blocked(blocking.clone()), || {})?;
    let source = shutdown.interrupt(read_source(settings.clone())).await?;
    let actor = settings.actor.clone().map_or(Actor::System, Actor::Staff);
    let import = Import::new(&source, actor, shutdown.token().clone());
    let open_report = || Report::open(settings, &source, blocking);
    let (report, ending) = if settings.dry_run {
        let store = Store::without_deadline(shutdown.interrupt(open_read_only(&line.database_url)).await?);
        let mut report = open_report()?;
        let clock = Clock::system();
        let ending = import.preview(&store, &clock, line.access.public_stock, |batch| report.add(batch)).await?;
        (report, ending)
    } else {
        let settings = Settings {
            public_stock: line.access.public_stock,
            max_queued: line.limits.sizes.queued,
            ..Settings::of(line.serve.payment)
        };
        let runtime = Runtime::start(&line.database_url, settings, shutdown.token()).await?;
        let Some(runtime) = runtime else { return Err(shutdown.interrupted().into()) };
        let done = match open_report() {
            Ok(report) => change(&import, &runtime.app, report).await,
            Err(error) => Err(error),
        };
        runtime.stop().await;
        done?
    };
    let is_clean = report.finish(settings.dry_run, &source.id);
    match ending {
        Ending::Complete => Ok(is_clean),
        Ending::Cancelled => Err(shutdown.interrupted().into()),
        Ending::Failed(error) => Err(anyhow!(error)).context("the import was stopped before its end"),
        Ending::SourceChanged => bail!("the file changed while it was read"),
    }
}

async fn change(import: &Import<'_>, app: &App, mut report: Report) -> anyhow::Result<(Report, Ending)> {
    let ending = import.run(&app.store, &app.writer, &app.clock, |batch| report.add(batch)).await?;
    Ok((report, ending))
}

/// Refuses to write the results over what is imported, or over the database.
fn check_results(url: &str, settings: &ImportSettings) -> anyhow::Result<()> {
    let standard = |path: &Path, stream: &str| if path == Path::new("-") { stream.into() } else { path.to_owned() };
    let results = settings.results.as_deref().unwrap_or(Path::new("-"));
    let (results, input) = (standard(results, "/dev/stdout"), standard(&settings.file, "/dev/stdin"));
    if filesystem::are_same(&results, &input) {
        bail!("the results cannot be written to {}, which is imported", input.display());
    }
    check_output(url, &results)
}

/// Reads through the file in a thread of its own, which the end of the process does not wait for: standard input may have
/// no end.
async fn read_source(settings: ImportSettings) -> anyhow::Result<Source> {
    let (sender, receiver) = oneshot::channel();
    // Nobody receives it any more when a signal came first.
    thread::spawn(move || sender.send(open_source(&settings)).ok());
    receiver.await.context("the file could not be read to its end")?
}

fn open_source(settings: &ImportSettings) -> anyhow::Result<Source> {
    let path = settings.file.as_path();
    let format = settings.format.map(Format::from).or_else(|| Format::of_path(path)).with_context(|| {
        format!("the ending of {} tells no format: say --format csv or --format jsonl", path.display())
    })?;
    let options = SourceOptions {
        format,
        mode: settings.mode.into(),
        id: settings.id.clone(),
        reference: settings.reference.clone().or_else(|| name(path)),
    };
    if path == Path::new("-") {
        Source::of_stream(io::stdin().lock(), "standard input", options)
    } else {
        Source::of_file(open(path)?, options)
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        bail!("{} is not a file that can be read twice; hand it over as standard input", path.display());
    }
    Ok(file)
}

/// Returns the name of a file as the log may have it.
fn name(path: &Path) -> Option<String> {
    let name = path.file_name().filter(|name| *name != "-")?.to_string_lossy();
    let name: String = name.chars().take(MAX_REFERENCE_LENGTH).collect();
    text::optional_line("reference", Some(&name), MAX_REFERENCE_LENGTH).ok().flatten()
}
