//! A server as a process that can be killed, stopped and started again at the same address.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::gateway;

/// Longest time until a server is ready.
const MAX_START: Duration = Duration::from_mins(2);

/// Longest time until a server that was told to stop is gone.
const MAX_STOP: Duration = Duration::from_mins(1);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Times that are short enough to see recovery at work.
const SETTINGS: [(&str, &str); 15] = [
    ("ONHAND_PAY_ANSWER", "1500ms"),
    ("ONHAND_PAY_GATEWAY", "2s"),
    ("ONHAND_PAY_LEASE", "3s"),
    ("ONHAND_PAY_RETRY", "100ms"),
    ("ONHAND_PAY_RETRY_MAX", "400ms"),
    ("ONHAND_PAY_GIVE_UP", "4s"),
    ("ONHAND_DEMO", "false"),
    ("ONHAND_SANDBOX", "false"),
    ("ONHAND_GATEWAYS", "manual,http"),
    ("ONHAND_HTTP_GATEWAY_SECRET", gateway::SECRET),
    ("ONHAND_HOLD_TIME", "2s"),
    ("ONHAND_WEBHOOK_PRIVATE_NETWORKS", "true"),
    ("ONHAND_WEBHOOK_TIMEOUT", "1s"),
    ("ONHAND_WEBHOOK_RETRY", "100ms"),
    ("ONHAND_WEBHOOK_RETRY_MAX", "400ms"),
];

/// A server, running or not.
#[derive(Debug)]
pub struct Server {
    /// Its address.
    pub url: String,
    binary: PathBuf,
    port: u16,
    database: String,
    gateway: String,
    plan: String,
    log: PathBuf,
    wrapper: Vec<String>,
    child: Option<Child>,
    complaints: Vec<String>,
}

impl Server {
    /// A server that does not run yet, on a free port, with this database and this payment service. Its log is added to a file of
    /// this name.
    pub fn new(binary: &Path, (database, gateway): (&str, &str), plan: &str, log: PathBuf) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            binary: binary.to_owned(),
            port,
            database: database.to_owned(),
            gateway: gateway.to_owned(),
            plan: plan.to_owned(),
            log,
            wrapper: Vec::new(),
            child: None,
            complaints: Vec::new(),
        })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs it by way of another program, such as `ip netns exec NAME`.
    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Another plan of faults from the next start on.
    pub fn plan(&mut self, plan: &str) {
        plan.clone_into(&mut self.plan);
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.begin()?;
        self.ready().await
    }

    /// Starts it.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = match self.wrapper.split_first() {
            None => Command::new(&self.binary),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.binary);
                command
            }
        };
        let listen = self.url.trim_start_matches("http://").to_owned();
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(SETTINGS);
        command.env("DATABASE_URL", &self.database).env("ONHAND_HTTP_GATEWAY_URL", &self.gateway);
        command.env("FAULTS", &self.plan).args(["--listen", &listen]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| format!("{}", self.binary.display()))?);
        Ok(())
    }

    /// Waits until it is ready, or has ended.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let deadline = Instant::now() + MAX_START;
        while Instant::now() < deadline {
            if let Ok(answer) = http.get(format!("{}/health/ready", self.url)).send().await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if let Some(end) = self.ended()? {
                bail!("a server ended with {end}; its log is {}", self.log.display());
            }
            sleep(PAUSE).await;
        }
        bail!("a server was not ready in time; its log is {}", self.log.display())
    }

    /// How it ended, when it did by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        match &mut self.child {
            None => Ok(None),
            Some(child) => Ok(child.try_wait()?),
        }
    }

    /// Whether it was begun and has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.is_some() && matches!(self.ended(), Ok(None))
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(id) = self.child.as_ref().and_then(Child::id) else { return Ok(()) };
        // It may have ended by itself.
        Command::new("kill").args(["-s", name, &id.to_string()]).stderr(Stdio::null()).status().await?;
        Ok(())
    }

    /// Stops it in order. One that does not end, or with an error, has broken a promise.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.signal("TERM").await?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let Ok(ended) = timeout(MAX_STOP, child.wait()).await else {
            self.complaints.push(format!("the server {} was told to stop and did not", self.url));
            return child.kill().await.map_err(Into::into);
        };
        let ended = ended?;
        if !ended.success() {
            self.complaints.push(format!("the server {} was told to stop and ended with {ended}", self.url));
        }
        Ok(())
    }

    /// What it did wrong.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
