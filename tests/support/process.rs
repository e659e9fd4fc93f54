//! The real binary as a process: for tests of signals, output and exit codes.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{PATIENCE, Place};

/// The path on which commands are found that start a server.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running server process.
pub struct Process {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    client: reqwest::Client,
    log: Arc<Mutex<String>>,
    logged: JoinHandle<()>,
}

impl Process {
    /// Starts a server on this database and waits until it listens.
    pub async fn start(place: &Place) -> Self {
        Self::start_with(place, &["--pay-gateway", "2s", "--pay-lease", "3s", "--pay-retry", "50ms"]).await
    }

    /// Starts a server with these settings.
    pub async fn start_with(place: &Place, settings: &[&str]) -> Self {
        Self::spawn(command(place), settings).await
    }

    /// Starts a server with a plan of faults and these settings.
    pub async fn start_broken(place: &Place, plan: &str, settings: &[&str]) -> Self {
        let mut broken = command(place);
        broken.env("FAULTS", plan);
        Self::spawn(broken, settings).await
    }

    /// Starts a server through another command, which is made from the server's own.
    pub async fn start_by(place: &Place, by: impl FnOnce(&Command) -> Command) -> Self {
        let mut wrapped = by(&command(place));
        wrapped.current_dir(place.folder()).env_clear().env("PATH", PATH).env("DATABASE_URL", &place.url);
        Self::spawn(wrapped, &[]).await
    }

    /// Starts a server with a limit of open files.
    pub async fn start_with_files(place: &Place, files: usize) -> Self {
        Self::start_by(place, |server| {
            let mut shell = Command::new("sh");
            let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
            shell.args(["-c", &script]).arg(server.as_std().get_program());
            shell
        })
        .await
    }

    async fn spawn(mut command: Command, settings: &[&str]) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .args(settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (found, mut urls) = mpsc::unbounded_channel();
        let found_in_output = found.clone();
        // Its output is read to the end, so that it never waits for a reader.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("listening  ") {
                    let _ = found_in_output.send(url.to_owned());
                }
            }
        });
        let log = Arc::<Mutex<String>>::default();
        let mut log_lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let kept = Arc::clone(&log);
        let logged = tokio::spawn(async move {
            while let Ok(Some(line)) = log_lines.next_line().await {
                eprintln!("{line}");
                if let Some(url) = url_in(&line) {
                    let _ = found.send(url);
                }
                *kept.lock().unwrap_or_else(PoisonError::into_inner) += &(line + "\n");
            }
        });
        let url =
            timeout(PATIENCE, urls.recv()).await.expect("a line in time").expect("a line that says where it listens");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { child, url, client, log, logged }
    }

    /// Sends an operation. Returns `None` if there was no answer.
    pub async fn ask(&self, query: &str, variables: Value) -> Option<Value> {
        let body = json!({ "query": query, "variables": variables });
        let sent = self.client.post(format!("{}/graphql", self.url)).json(&body).send().await.ok()?;
        sent.json().await.ok()
    }

    /// Returns its log, to which it goes on adding.
    pub fn log(&self) -> Arc<Mutex<String>> {
        Arc::clone(&self.log)
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it is running")
    }

    /// Waits until it ends by itself. After that its log is complete.
    pub async fn ended(mut self) -> std::process::ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends by itself");
        timeout(PATIENCE, self.logged).await.expect("its log ends").expect("no panic");
        ended.expect("its end")
    }

    /// Kills it, as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Sends it a signal, and returns its exit status. After that its log is complete.
    pub async fn stop(mut self, signal: &str) -> std::process::ExitStatus {
        let id = self.child.id().expect("it is running").to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().await.expect("kill");
        assert!(sent.success());
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it stops");
        timeout(PATIENCE, self.logged).await.expect("its log ends").expect("no panic");
        ended.expect("its end")
    }

    /// Returns the address and a client that outlive this handle.
    pub fn another(&self) -> (String, reqwest::Client) {
        (self.url.clone(), self.client.clone())
    }
}

/// Returns the address in the line of a JSON log that says where a server listens.
pub fn url_in(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let address = line["address"].as_str().filter(|_| line["message"] == "started")?;
    Some(format!("http://{address}"))
}

/// Runs a command of the binary on this database; returns its exit code and its output.
pub async fn run(place: &Place, arguments: &[&str]) -> (i32, String) {
    let output = command(place).args(arguments).output().await.expect("a process");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let text = text(&output.stdout) + &text(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

/// Returns a command of the binary on this database, with no other settings.
pub fn command(place: &Place) -> Command {
    let binary: PathBuf = env!("CARGO_BIN_EXE_onhand").into();
    let mut command = Command::new(binary);
    command.current_dir(place.folder()).env_clear().env("DATABASE_URL", &place.url);
    command
}
