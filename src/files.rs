//! Files that only their owner may read: they hold what customers and staff would not show everybody. Files that are there keep
//! their modes; nothing is ever widened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The mode of a new file: its owner reads and writes it.
pub const PRIVATE: u32 = 0o600;

/// Creates a file, or empties the one that is there, to write to it.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(true).write(true).mode(PRIVATE).open(path)
}

/// Opens a file to read and write it, and creates it when it is not there.
///
/// # Errors
/// When it cannot be written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(PRIVATE).open(path)
}
