//! `onhand export`: writes an export to a file, which appears when it is whole, or to standard output. It changes nothing in
//! the database.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::part_file::PartFile;
use super::progress;
use crate::config::ExportSettings;
use crate::database::{check_output, open_read_only};
use crate::files::Format;
use crate::files::export::{Export, export};
use crate::filesystem;
use crate::read::Snapshot;

/// Writes what is asked for.
///
/// # Errors
/// When the database does not answer, or the file cannot be written; the message is for people.
pub async fn run(url: &str, settings: &ExportSettings) -> anyhow::Result<()> {
    let output = settings.output.as_deref().filter(|output| *output != Path::new("-"));
    check_output(url, output.unwrap_or(Path::new("/dev/stdout")))?;
    if let Some(folder) = output.filter(|output| output.is_dir()) {
        bail!("cannot write {}: it is a folder", folder.display());
    }
    let format = settings.format.map(Format::from).or_else(|| output.and_then(Format::of_path)).unwrap_or(Format::Csv);
    let snapshot = Snapshot::begin(&open_read_only(url).await?).await?;
    // A device or a pipe is written to as it is; a file appears when it is whole.
    match output.filter(|output| !filesystem::is_device(output)) {
        Some(file) => to_file(snapshot, settings.into(), format, file).await,
        None => to_stream(snapshot, settings.into(), format, output).await,
    }
}

async fn to_file(snapshot: Snapshot, what: Export, format: Format, output: &Path) -> anyhow::Result<()> {
    let part = PartFile::beside(&filesystem::target(output));
    write(&snapshot, what, format, part.create()?).await?;
    drop(snapshot);
    part.keep()
}

/// Writes to a device, or to standard output. All of the rows are read before the first is written, if there is a place for
/// a temporary file: a slow reader would keep the snapshot open, which lets the write-ahead log of SQLite grow and keeps
/// PostgreSQL from cleaning up.
async fn to_stream(snapshot: Snapshot, what: Export, format: Format, device: Option<&Path>) -> anyhow::Result<()> {
    let spool = tempfile::tempfile();
    let spool = spool
        .inspect_err(|error| tracing::warn!(%error, "no temporary file; a slow reader keeps the snapshot open"))
        .ok();
    let written = if let Some(spool) = spool {
        let to = spool.try_clone().context("cannot write a temporary file")?;
        let written = write(&snapshot, what, format, to).await;
        drop(snapshot);
        written.and_then(|()| copy(spool, device))
    } else {
        write(&snapshot, what, format, open(device)?).await
    };
    match written {
        // The reader has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => written,
    }
}

async fn write(snapshot: &Snapshot, what: Export, format: Format, to: impl Write) -> anyhow::Result<()> {
    let (products, transactions) = snapshot.log_counts().await?;
    let bar = progress::rows(match what {
        Export::Products { .. } => products,
        Export::Log => transactions,
    });
    let written = export(snapshot, what, format, to, |rows| bar.inc(rows)).await;
    bar.finish_and_clear();
    written
}

/// Opens a device, or standard output.
fn open(device: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    let Some(device) = device.filter(|device| !filesystem::is_standard_output(device)) else {
        return Ok(Box::new(io::stdout()));
    };
    let opened = filesystem::create(device).with_context(|| format!("cannot write {}", device.display()))?;
    Ok(Box::new(opened))
}

fn copy(mut spool: File, device: Option<&Path>) -> anyhow::Result<()> {
    spool.rewind()?;
    let mut to = open(device)?;
    io::copy(&mut spool, &mut to)?;
    Ok(to.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
