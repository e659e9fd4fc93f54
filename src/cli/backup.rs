//! `onhand backup`: writes a copy of an SQLite database, as it stood at one moment, also beside a running server. The copy is
//! verified before it gets its name; the database is not changed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::DatabaseConnection;
use tokio::time::interval;

use super::part_file::PartFile;
use super::print::print_line;
use super::progress;
use super::verify::{MAX_REPORTED, Report, print, verify};
use crate::database::{Backup, check_output, faults, is_current};
use crate::filesystem;

/// Pause between two looks at how much is written.
const PAUSE: Duration = Duration::from_millis(200);

/// What a file belongs to a database that stands beside it: a copy of that name would be read together with it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Writes and verifies a copy. Returns whether nothing differs in it; otherwise there is no copy.
///
/// # Errors
/// When the database is a PostgreSQL or cannot be read, or the copy cannot be written; the message is for people.
pub async fn run(url: &str, output: &Path) -> anyhow::Result<bool> {
    check_output(url, output)?;
    if output.is_dir() || filesystem::is_device(output) {
        bail!("cannot write {}: a backup is a file", output.display());
    }
    let output = filesystem::target(output);
    for kind in BESIDE {
        let mut beside = output.as_os_str().to_owned();
        beside.push(kind);
        if Path::new(&beside).exists() {
            bail!("{} belongs to a database of the name {}", Path::new(&beside).display(), output.display());
        }
    }
    let database = Backup::of(url).await?;
    let part = PartFile::beside(&output);
    // SQLite writes into an empty file, and only its owner may read it.
    drop(part.create()?);
    write(&database, part.path()).await.with_context(|| format!("cannot write {}", output.display()))?;
    let copy = Backup::open_copy(part.path()).await?;
    let report = check(&copy).await?;
    copy.close().await?;
    if !report.differences.is_empty() {
        print_line("no backup was written: mend the database first, and keep the last backup")?;
        return Ok(false);
    }
    let size = fs::metadata(part.path()).map(|file| file.len())?;
    part.keep()?;
    print_line(&format!("{}: {size} bytes", output.display()))?;
    Ok(true)
}

/// Verifies a copy, and prints what differs. Of one that an earlier release made the file is checked, and not its rows.
async fn check(copy: &DatabaseConnection) -> anyhow::Result<Report> {
    if is_current(copy).await? {
        let report = verify(copy, true).await?;
        print(&report)?;
        return Ok(report);
    }
    let report = Report { differences: faults(copy, MAX_REPORTED).await?, ..Report::default() };
    for difference in &report.differences {
        print_line(difference)?;
    }
    print_line("the schema is that of an earlier release: the file was checked, its rows were not")?;
    Ok(report)
}

/// Writes the copy, with a progress bar.
async fn write(database: &Backup, to: &Path) -> anyhow::Result<()> {
    let bar = progress::bytes(database.size().await?);
    bar.set_message("copied");
    let mut looks = interval(PAUSE);
    let copied = database.write(to);
    tokio::pin!(copied);
    loop {
        tokio::select! {
            done = &mut copied => {
                bar.finish_and_clear();
                return done;
            }
            _ = looks.tick() => bar.set_position(fs::metadata(to).map_or(0, |file| file.len())),
        }
    }
}
