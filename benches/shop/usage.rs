//! What processes use: processor time from `/proc/PID/stat` and memory from `/proc/PID/status`, on Linux.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Ticks per second of the times in `/proc`: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// The processes whose processor time is counted, besides the client itself.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Watched {
    /// The server.
    pub server: Option<u32>,
    /// The postmaster; its child processes are counted with it.
    pub database: Option<u32>,
}

/// Processor time, in seconds; or, per second of time, in cores.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Cpu {
    /// The server, and SQLite inside it.
    pub server: f64,
    /// All processes of PostgreSQL.
    pub database: f64,
    /// The load client.
    pub client: f64,
}

impl Cpu {
    /// Reads the processor time that has been used until now.
    pub fn read(watched: Watched) -> Self {
        Self {
            // A process that has ended in the meantime counts nothing: the measurement fails by itself then.
            server: watched.server.and_then(|id| Stat::read(&id.to_string())).map_or(0.0, |stat| stat.own),
            database: watched.database.map_or(0.0, of_family),
            client: Stat::read("self").map_or(0.0, |stat| stat.own + stat.waited_for),
        }
    }

    /// Returns the cores that were busy since `earlier`, which was so many seconds ago.
    pub fn since(self, earlier: Self, seconds: f64) -> Self {
        Self {
            server: (self.server - earlier.server) / seconds,
            database: (self.database - earlier.database) / seconds,
            client: (self.client - earlier.client) / seconds,
        }
    }
}

/// A line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    own: f64,
    waited_for: f64,
}

impl Stat {
    fn read(process: &str) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program, in parentheses, may have spaces. What follows begins with the third field.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: (ticks(14)? + ticks(15)?) / TICKS,
            waited_for: (ticks(16)? + ticks(17)?) / TICKS,
        })
    }
}

/// Processor time of a process, of its children, and of those that have ended.
fn of_family(parent: u32) -> f64 {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = children.filter_map(|entry| Stat::read(entry.file_name().to_str()?));
    let of_children: f64 = stats.filter(|stat| stat.parent == parent).map(|stat| stat.own).sum();
    Stat::read(&parent.to_string()).map_or(0.0, |stat| stat.own + stat.waited_for) + of_children
}

/// Returns the resident memory of a process, in kB.
pub fn memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}
