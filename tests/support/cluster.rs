//! A PostgreSQL of a test's own, for what nobody does to one that others use: to crash it, to go back in time, to fail over.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// How often a port is tried that somebody else may take in between.
const MAX_TRIES: usize = 5;

/// A running cluster on a free port of this machine. It ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    data: PathBuf,
    programs: PathBuf,
    port: u16,
    settings: String,
}

impl Cluster {
    /// A new one with these settings (`-c name=value`).
    pub fn new(settings: &str) -> Self {
        Self::made(settings, None, &[])
    }

    /// A new one in this folder, with the default settings.
    #[allow(dead_code, reason = "the benchmark uses it")]
    pub fn in_folder(folder: &Path) -> Self {
        Self::made("", Some(folder), &[])
    }

    /// A new one whose data lie on a disk of their own, in segments of the log of a megabyte.
    #[allow(dead_code, reason = "the fault programme uses it")]
    pub fn on_disk(settings: &str, disk: &Path) -> Self {
        Self::made(settings, Some(disk), &["--wal-segsize=1"])
    }

    fn made(settings: &str, disk: Option<&Path>, more: &[&str]) -> Self {
        let mut cluster = Self::prepared(settings, disk);
        let how = ["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        run(cluster.program("initdb").arg("-D").arg(&cluster.data).args(how).args(more));
        cluster.start_somewhere();
        cluster
    }

    /// A standby of this one, with its settings, which follows it until it is promoted. It names itself `standby`.
    #[allow(dead_code, reason = "the fault programme uses it")]
    pub fn standby(&self) -> Self {
        let mut standby = Self::prepared(&self.settings, None);
        let from = format!("host=127.0.0.1 port={} user=postgres application_name=standby", self.port);
        let how = ["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", &from];
        run(standby.program("pg_basebackup").arg("-D").arg(&standby.data).args(how));
        standby.start_somewhere();
        standby
    }

    fn prepared(settings: &str, disk: Option<&Path>) -> Self {
        // In memory where that is possible.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        let data = disk.unwrap_or(folder.path()).join("data");
        for owned in [Some(folder.path()), disk].into_iter().flatten().filter(|_| is_root()) {
            run(Command::new("chown").arg("postgres").arg(owned));
        }
        Self { folder, data, programs: programs(), port: 0, settings: settings.to_owned() }
    }

    fn start_somewhere(&mut self) {
        let is_started = (0..MAX_TRIES).any(|_| {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            self.port = free.local_addr().expect("an address").port();
            drop(free);
            self.try_resume()
        });
        assert!(is_started, "{}", self.log());
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Lets everybody in who comes from this network, without a password.
    #[allow(dead_code, reason = "the fault programme uses it")]
    pub fn trust(&self, network: &str) {
        let rules = self.data.join("pg_hba.conf");
        let known = std::fs::read_to_string(&rules).expect("rules");
        std::fs::write(&rules, format!("{known}host all all {network} trust\n")).expect("rules");
        run(self.program("pg_ctl").arg("-D").arg(&self.data).arg("reload"));
    }

    /// Makes a standby a primary.
    #[allow(dead_code, reason = "the fault programme uses it")]
    pub fn promote(&self) {
        run(self.program("pg_ctl").arg("-D").arg(&self.data).args(["-w", "promote"]));
    }

    /// Whether its processes run.
    #[allow(dead_code, reason = "the fault programme uses it")]
    pub fn is_running(&self) -> bool {
        self.program("pg_ctl").arg("-D").arg(&self.data).arg("status").status().is_ok_and(|status| status.success())
    }

    /// The id of its first process.
    #[allow(dead_code, reason = "the benchmark uses it")]
    pub fn postmaster(&self) -> Option<u32> {
        std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?.lines().next()?.parse().ok()
    }

    /// A folder for other files, which the server may read and write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would: `immediate`; or in order: `fast`.
    pub fn stop(&self, mode: &str) {
        run(self.program("pg_ctl").arg("-D").arg(&self.data).args(["-m", mode, "-w", "stop"]));
    }

    /// Starts it again at the same address.
    pub fn resume(&self) {
        assert!(self.try_resume(), "{}", self.log());
    }

    fn try_resume(&self) -> bool {
        // Later settings win.
        let settings = format!(
            "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} {}",
            self.port,
            self.folder.path().display(),
            self.settings
        );
        let mut start = self.program("pg_ctl");
        start.arg("-D").arg(&self.data).arg("-l").arg(self.folder.path().join("log"));
        start.args(["-w", "-t", "60", "-o", &settings, "start"]);
        start.status().expect("pg_ctl").success()
    }

    /// One of the programs of PostgreSQL, run as the user that may.
    pub fn program(&self, name: &str) -> Command {
        self.command(&self.programs.join(name))
    }

    /// Any program, run as the user whose files the cluster's are.
    pub fn tool(&self, name: &str) -> Command {
        self.command(Path::new(name))
    }

    #[expect(clippy::unused_self, reason = "there is a cluster")]
    fn command(&self, program: &Path) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.program("pg_ctl").arg("-D").arg(&self.data).args(["-m", "immediate", "-w", "stop"]).status();
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let status = command.status().expect("a process");
    assert!(status.success(), "{command:?}: {status}");
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

/// The programs of the newest PostgreSQL on this machine.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, programs)| programs).unwrap_or_default()
}
