//! A file that is written under a temporary name beside its place, and appears there when it is whole. What was there before stays
//! until then.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::filesystem;

/// A file under a temporary name. It is removed unless it is kept.
#[derive(Debug)]
pub struct PartFile {
    part: PathBuf,
    output: PathBuf,
}

impl PartFile {
    /// Returns the part file of this output.
    pub fn beside(output: &Path) -> Self {
        let mut part = output.as_os_str().to_owned();
        part.push(".part");
        Self { part: PathBuf::from(part), output: output.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Creates it, empty. Only its owner may read it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self) -> anyhow::Result<File> {
        // What an export left there that was broken off may be readable by everybody.
        let _ = fs::remove_file(&self.part);
        filesystem::create(&self.part).with_context(|| format!("cannot write {}", self.output.display()))
    }

    /// Gives a whole file its name, and the mode of the file that had it.
    ///
    /// # Errors
    /// When that cannot be done; the file is removed then.
    pub fn keep(self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.output.display());
        let written = File::open(&self.part).with_context(cannot)?;
        if let Ok(before) = fs::metadata(&self.output) {
            written.set_permissions(before.permissions()).with_context(cannot)?;
        }
        written.sync_all().with_context(cannot)?;
        fs::rename(&self.part, &self.output).with_context(cannot)?;
        filesystem::sync_folder(&self.output).with_context(cannot)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // It is not there any more once it has its name.
        let _ = fs::remove_file(&self.part);
    }
}
