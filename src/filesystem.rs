//! Creates and opens files that only their owner may read: they hold data of customers and staff. A file that exists keeps its
//! mode; no mode is ever widened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The mode of a new file: only its owner may read and write it.
pub const PRIVATE: u32 = 0o600;

/// Maximum number of symbolic links that are followed one after the other: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Creates a file to write to it, or truncates the one that exists. What another program has opened for this process
/// (`/dev/stdout`, `/dev/fd/3`) is appended to.
///
/// # Errors
/// When it cannot be written.
pub fn create(path: &Path) -> io::Result<File> {
    if is_device(path) {
        return OpenOptions::new().append(true).open(path);
    }
    OpenOptions::new().create(true).truncate(true).write(true).mode(PRIVATE).open(path)
}

/// Opens a file to read and write it, and creates it if it does not exist.
///
/// # Errors
/// When it cannot be written.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(PRIVATE).open(path)
}

/// Makes the names in the folder of a file survive a power cut.
///
/// # Errors
/// When the folder cannot be opened or written.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Returns what a path leads to through symbolic links: a file, or the place where one would be created.
#[must_use]
pub fn target(path: &Path) -> PathBuf {
    links(path).pop().unwrap_or_else(|| path.to_owned())
}

/// Returns the path itself, and what each symbolic link on its way leads to.
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

/// Whether a path is a name of the system for a device, or for what this or another process has open. Nothing there is
/// created, renamed or removed.
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

/// Whether a path is a name of the system for standard output, which may be something that cannot be opened.
#[must_use]
pub fn is_standard_output(path: &Path) -> bool {
    let names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    links(path).iter().any(|step| names.iter().any(|name| step == Path::new(name)))
}

/// Whether two paths lead to the same regular file, or to the same place where one would be created.
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
