//! `onhand migrate`: brings the schema of a database up to date. It starts nothing.

use super::print::print_line;
use super::runtime::open_and_migrate;
use super::signals::{to_its_end, until_signal};
use crate::database::{is_file, shown};

/// Brings the schema up to date.
///
/// # Errors
/// When the database cannot be opened, or a change cannot be made; the message is for people.
pub async fn run(url: &str) -> anyhow::Result<()> {
    let migrated = Box::pin(async {
        open_and_migrate(url).await?.close().await;
        print_line(&format!("{} is up to date.", shown(url)))
    });
    // Waiting for a server ends at a signal; a migration of a file ends by itself.
    if is_file(url) { to_its_end(migrated).await } else { until_signal(migrated).await }
}
