//! What is measured on: figures without it say nothing.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

/// A machine and how busy it was.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The model of its processor.
    pub processor: String,
    /// Number of cores that the benchmark may use.
    pub cores: usize,
    /// Memory, in GB.
    pub memory: f64,
    /// Version of the kernel.
    pub kernel: String,
    /// The file system of the databases.
    pub file_system: String,
    /// Version of PostgreSQL; none when it was not measured.
    pub postgres: Option<String>,
    /// Load averages before the first measurement.
    pub load_before: String,
    /// Load averages after the last measurement.
    pub load_after: String,
}

impl Machine {
    /// Looks at the machine. The databases lie in this folder.
    pub fn look(folder: &Path) -> Result<Self> {
        let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let memory: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Ok(Self {
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory: (memory / 1_048_576.0 * 10.0).round() / 10.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(&folder.canonicalize()?),
            postgres: None,
            load_before: load(),
            load_after: String::new(),
        })
    }

    /// Whether the databases lie in memory, where a commit costs nothing.
    pub fn is_in_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.file_system.as_str())
    }

    /// Returns it in one line.
    pub fn line(&self) -> String {
        let Self { processor, cores, memory, kernel, file_system, load_before, load_after, .. } = self;
        let postgres = self.postgres.as_ref().map_or_else(String::new, |version| format!(", {version}"));
        format!(
            "{processor}, {cores} cores, {memory} GB, Linux {kernel}, {file_system}{postgres}; load {load_before} before, {load_after} after"
        )
    }
}

/// Returns the load averages of the last 1, 5 and 15 minutes.
pub fn load() -> String {
    read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The type of the file system that a path is on.
fn file_system(path: &Path) -> String {
    let mounts = read("/proc/mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        Some((*fields.get(1)?, *fields.get(2)?))
    });
    let on = mounts.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.len());
    on.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
