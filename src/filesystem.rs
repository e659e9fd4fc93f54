//! Files that only their owner may read: they hold what customers and staff would not show everybody. Files that are there keep
//! their modes; nothing is ever widened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The mode of a new file: its owner reads and writes it.
pub const PRIVATE: u32 = 0o600;

/// Most symbolic links that are followed one after the other: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Creates a file, or empties the one that is there, to write to it. What another program has opened for this process
/// (`/dev/stdout`, `/dev/fd/3`) is written on.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path) -> io::Result<File> {
    if is_device(path) {
        return OpenOptions::new().append(true).open(path);
    }
    OpenOptions::new().create(true).truncate(true).write(true).mode(PRIVATE).open(path)
}

/// Opens a file to read and write it, and creates it when it is not there.
///
/// # Errors
/// When it cannot be written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(PRIVATE).open(path)
}

/// Where a path leads to through symbolic links: a file, or where one would be made.
#[must_use]
pub fn target(path: &Path) -> PathBuf {
    links(path).pop().unwrap_or_else(|| path.to_owned())
}

/// The path itself, and where each symbolic link on its way leads to.
fn links(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    for _ in 0..MAX_LINKS {
        let Some((link, here)) = all.last().and_then(|here| fs::read_link(here).ok().map(|link| (link, here))) else {
            break;
        };
        let next = here.parent().map_or_else(|| link.clone(), |folder| folder.join(&link));
        all.push(next);
    }
    all
}

/// Whether a path is one of the system's names for what is no file of its own: a device, or something that this or another
/// process has open. Nothing there is made, renamed or removed.
#[must_use]
pub fn is_device(path: &Path) -> bool {
    let is_system = |path: &Path| {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        let folder = folder.unwrap_or_else(|| path.to_owned());
        folder == Path::new("/dev") || folder.starts_with("/proc")
    };
    links(path).iter().any(|step| is_system(step))
        || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Whether a path is the system's name for standard output, which need not be anything that can be opened.
#[must_use]
pub fn is_standard_output(path: &Path) -> bool {
    let names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    links(path).iter().any(|step| names.iter().any(|name| step == Path::new(name)))
}

/// Whether two paths lead to one regular file, or would.
#[must_use]
pub fn are_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (Err(_), Err(_)) => {
            let place = |path: &Path| {
                let path = std::path::absolute(target(path)).ok()?;
                Some((path.parent()?.canonicalize().ok()?, path.file_name()?.to_owned()))
            };
            place(one).is_some_and(|one| Some(one) == place(other))
        }
        _ => false,
    }
}
