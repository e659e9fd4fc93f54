//! Prints the answer of a command to standard output. It must never print what belongs into the log.

use std::io::{self, Write};

use anyhow::Context;

/// Prints a line. A closed pipe is no failure: its reader has seen enough.
///
/// # Errors
/// When it cannot be written, as on a disk that is full.
pub fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}
