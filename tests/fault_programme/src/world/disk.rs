//! A small disk of its own, in memory, that can be filled up. It is there until this is dropped; only root may make one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Bytes that are written at once, from many to few, so that nothing is left in the end.
const STEPS: [usize; 3] = [1_024 * 1_024, 4_096, 1];

/// A disk.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A new one with so many megabytes.
    pub fn new(megabytes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={megabytes}m,mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "onhand-faults"]).arg(folder.path()).stderr(Stdio::null());
        ensure!(mount.status().context("mount")?.success(), "a disk cannot be mounted");
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }

    /// Fills it up, and once more when something has become free.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast())?;
        for step in STEPS {
            let bytes = vec![0; step];
            while ballast.write(&bytes).is_ok_and(|written| written > 0) {}
        }
        Ok(())
    }

    /// Takes so many bytes away from what fills it.
    pub fn leave(&self, bytes: u64) -> anyhow::Result<()> {
        let ballast = File::options().write(true).open(self.ballast())?;
        let length = ballast.metadata()?.len();
        ballast.set_len(length.saturating_sub(bytes)).map_err(Into::into)
    }

    /// Takes away what fills it.
    pub fn clear(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.ballast()).map_err(Into::into)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file there keeps that file and nothing else.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).stderr(Stdio::null()).status();
    }
}
