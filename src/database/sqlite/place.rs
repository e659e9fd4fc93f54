//! Which file an address means, and the lock on it. An address has one reading, whoever reads it, and a file has one lock, whatever
//! name it is reached by: links of both kinds, relative paths and escapes lead to the same one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use percent_encoding::percent_decode_str;

use crate::filesystem;

/// Most symbolic links that are followed one after the other: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Rights of those who are neither a file's owner nor in its group.
const OTHERS: u32 = 0o007;

/// Keeps other processes from writing to a file for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    /// The file beside, which releases before this one also lock.
    _beside: File,
    /// The database itself, by whatever name it was opened. SQLite's own locks are of another kind.
    _database: File,
}

/// The file of this kind that belongs to a database.
pub fn beside(path: &Path, kind: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(kind);
    PathBuf::from(beside)
}

/// The path that an address names, when it begins with `sqlite:`: what follows, with `%20` for a space and so on.
///
/// # Errors
/// When what follows is no file.
pub fn path(url: &str) -> anyhow::Result<PathBuf> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.starts_with("file:") {
        bail!("DATABASE_URL must name a file, like sqlite://onhand.db");
    }
    if path.contains('?') {
        bail!(
            "DATABASE_URL must name a file and nothing else, like sqlite://onhand.db: there are no parameters after a question mark \
             (in a name it is written %3F)"
        );
    }
    if path == "~" || path.starts_with("~/") {
        bail!("DATABASE_URL must name the folder in full: ~ is known to shells only");
    }
    let path = percent_decode_str(path).decode_utf8().context("DATABASE_URL must be encoded in UTF-8")?;
    if path.contains('\0') {
        bail!("DATABASE_URL must name a file, like sqlite://onhand.db");
    }
    if path.ends_with('/') {
        bail!("DATABASE_URL must name a file: {path} is a folder");
    }
    Ok(PathBuf::from(path.as_ref()))
}

/// Where the file is that a path leads to, or would be made: absolute, and without links.
///
/// # Errors
/// When it leads to something else, or there is no such folder.
pub fn resolve(path: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    let mut path = std::path::absolute(path).with_context(|| format!("cannot look at {shown}"))?;
    for _ in 0..MAX_LINKS {
        let Some((folder, name)) = path.parent().zip(path.file_name()) else {
            bail!("the database must be a file: {shown} is a folder")
        };
        let found = folder.canonicalize();
        let folder = found.with_context(|| format!("the folder of the database is not there: {}", folder.display()))?;
        let here = folder.join(name);
        match fs::symlink_metadata(&here) {
            Ok(found) if found.is_symlink() => {
                let link = fs::read_link(&here).with_context(|| format!("cannot look at {}", here.display()))?;
                path = folder.join(link);
            }
            Ok(found) if found.is_dir() => bail!("the database must be a file: {shown} is a folder"),
            Ok(found) if !found.is_file() => bail!("the database must be a file, which {shown} is not"),
            Ok(_) => return Ok(here),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(here),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {}", here.display())),
        }
    }
    bail!("{shown} leads through too many links")
}

/// Keeps a second server away until it is dropped. It makes the file when there is none: only its owner may read it, and SQLite gives
/// the files beside it the same rights.
///
/// # Errors
/// When another process has the file.
pub fn lock(path: &Path) -> anyhow::Result<Lock> {
    // Not the other way round: who opens a database that this process has open, and closes it, takes SQLite's locks away.
    let locked = Lock { _beside: held(&beside(path, ".lock"), path)?, _database: held(path, path)? };
    if has_names(path) {
        // What a crash left in the write-ahead log stands beside one name only, and by another one it would be lost.
        bail!(
            "{} has several names (hard links), and SQLite keeps what was written last beside one of them: remove the others, \
             or copy the file",
            path.display()
        );
    }
    if fs::metadata(path).is_ok_and(|found| found.mode() & OTHERS != 0) {
        tracing::warn!(path = %path.display(), "everybody on this machine may read the database: `chmod o= FILE` ends that");
    }
    Ok(locked)
}

fn held(file: &Path, database: &Path) -> anyhow::Result<File> {
    let opened = filesystem::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => bail!(
            "another onhand is using {}: only one at a time may write to an SQLite file (`onhand verify` and `onhand export` may \
             run beside it; to import, stop the server first, or use its API)",
            database.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", file.display())),
    }
}

/// Whether a file that has several names (hard links) may be read by this one: only by the one that the write-ahead log stands
/// beside, for that has what was written last.
///
/// # Errors
/// When the log may stand beside another name.
pub fn check_name(path: &Path) -> anyhow::Result<()> {
    if has_names(path) && !beside(path, "-wal").exists() {
        bail!(
            "{} has several names (hard links), and what was written last may stand beside another of its names: use that one, \
             remove the others, or copy the file",
            path.display()
        );
    }
    Ok(())
}

fn has_names(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.nlink() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_reading() {
        for (url, right) in [
            ("sqlite://onhand.db", "onhand.db"),
            ("sqlite:onhand.db", "onhand.db"),
            ("sqlite:///var/lib/onhand.db", "/var/lib/onhand.db"),
            ("sqlite:/var/lib/onhand.db", "/var/lib/onhand.db"),
            ("sqlite:///srv/my%20shop.db", "/srv/my shop.db"),
            ("sqlite:///srv/my shop.db", "/srv/my shop.db"),
            ("sqlite:///srv/100%25/a.db", "/srv/100%/a.db"),
            ("sqlite:///srv/100%/a.db", "/srv/100%/a.db"),
            ("sqlite:///srv/100%2525/a.db", "/srv/100%25/a.db"),
            ("sqlite://why%3F.db", "why?.db"),
            ("sqlite://a#b.db", "a#b.db"),
            ("sqlite://../a.db", "../a.db"),
            ("sqlite://caf%C3%A9.db", "café.db"),
        ] {
            assert_eq!(path(url).ok(), Some(PathBuf::from(right)), "{url}");
        }
        for bad in [
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://onhand.db?mode=memory",
            "sqlite://onhand.db?mode=ro",
            "sqlite://folder/",
            "sqlite://~/onhand.db",
            "sqlite://a%00b.db",
            "sqlite://%ff.db",
            "sqlite:file:a.db",
        ] {
            let error = path(bad).map_err(|error| error.to_string()).err().unwrap_or_default();
            assert!(error.starts_with("DATABASE_URL must"), "{bad:?}: {error:?}");
        }
    }

    #[test]
    fn every_name_leads_to_one_file() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().canonicalize().expect("a folder");
        let file = folder.join("shop.db");
        fs::create_dir(folder.join("sub")).expect("a folder");
        std::os::unix::fs::symlink("shop.db", folder.join("link.db")).expect("a link");
        std::os::unix::fs::symlink("../link.db", folder.join("sub/again.db")).expect("a link");
        std::os::unix::fs::symlink(".", folder.join("same")).expect("a link");
        std::os::unix::fs::symlink("loop", folder.join("loop")).expect("a link");
        let names = ["shop.db", "link.db", "sub/again.db", "same/shop.db", "sub/../shop.db", "./same/sub/../link.db"];
        // A link to a file that is not there yet leads to where it will be made.
        for exists in [false, true] {
            for name in names {
                assert_eq!(resolve(&folder.join(name)).ok().as_ref(), Some(&file), "{name}, {exists}");
            }
            let lock = lock(&file).expect("a lock");
            assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(beside(&file, ".lock")).expect("a file").mode() & 0o777, 0o600);
            fs::hard_link(&file, folder.join(format!("hard-{exists}.db"))).expect("a link");
            let refused = super::lock(&folder.join(format!("hard-{exists}.db"))).err().map(|e| e.to_string());
            assert!(refused.is_some_and(|why| why.starts_with("another onhand is using")));
            drop(lock);
            for name in [&file, &folder.join(format!("hard-{exists}.db"))] {
                let refused = super::lock(name).err().map(|error| error.to_string());
                assert!(refused.is_some_and(|why| why.contains("several names")), "{}", name.display());
            }
            fs::remove_file(folder.join(format!("hard-{exists}.db"))).expect("a name");
        }
        for bad in ["nowhere/shop.db", "sub", "same", "loop", ".."] {
            assert!(resolve(&folder.join(bad)).is_err(), "{bad}");
        }
    }
}
