//! `onhand backup`: writes a copy of an SQLite database, as it stood at one moment, also beside a running server. The copy is
//! verified before it gets its name; the database is not changed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::interval;

use super::part_file::PartFile;
use super::print::print_line;
use super::progress;
use super::verify::{print, verify};
use crate::database::{Backup, check_output};
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
    let report = verify(&copy, true).await?;
    copy.close().await?;
    print(&report)?;
    if !report.differences.is_empty() {
        print_line("no backup was written: mend the database first, and keep the last backup")?;
        return Ok(false);
    }
    let size = fs::metadata(part.path()).map(|file| file.len())?;
    part.keep()?;
    print_line(&format!("{}: {size} bytes", output.display()))?;
    Ok(true)
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
