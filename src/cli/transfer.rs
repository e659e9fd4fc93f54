//! `onhand transfer`: copies everything of an SQLite database to an empty PostgreSQL, all or nothing, and verifies it. The SQLite
//! database stays as it is.

use anyhow::bail;

use super::print::print_line;
use super::progress;
use super::runtime::open_and_migrate;
use super::verify::{print, verify};
use crate::database::{Databases, Kind, is_file, shown, transfer};

/// Copies, compares and verifies. Returns whether nothing differs.
///
/// # Errors
/// When one of the databases is not of the kind that is needed, cannot be opened, is in use, or has something already; the
/// message is for people.
pub async fn run(from: &str, to: &str) -> anyhow::Result<bool> {
    if !is_file(from) || is_file(to) {
        bail!("a transfer goes from SQLite (DATABASE_URL) to PostgreSQL (--to)");
    }
    // Its lock keeps servers away until all is done.
    let source = open_and_migrate(from).await?;
    let target = open_and_migrate(to).await?;
    let done = copy(&source, &target, to).await;
    target.close().await;
    source.close().await;
    done
}

async fn copy(source: &Databases, target: &Databases, to: &str) -> anyhow::Result<bool> {
    let Kind::Postgres(postgres) = &target.kind else { bail!("{} is no PostgreSQL", shown(to)) };
    let report = verify(&source.read, true).await?;
    if !report.differences.is_empty() {
        print(&report)?;
        print_line("nothing was copied: the database that is to be copied has differences")?;
        return Ok(false);
    }
    let bar = progress::rows(transfer::count(&source.read).await?);
    let copied = transfer::run(&source.read, postgres, |rows| bar.inc(rows)).await;
    bar.finish_and_clear();
    let tables = copied?;
    for (table, rows) in tables.iter().filter(|(_, rows)| *rows > 0) {
        print_line(&format!("{rows:>12} {table}"))?;
    }
    let reader = postgres.long_reader().await?;
    let report = verify(&reader, true).await?;
    reader.close().await?;
    print(&report)?;
    print_line(&format!("Every row was compared. Start servers with DATABASE_URL={} now.", shown(to)))?;
    Ok(report.differences.is_empty())
}
