//! Tells people at a terminal what a server does: where it listens, and that it ends. With a log in JSON it is the log that is
//! told. It must never keep the server waiting for a reader.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{CommandLine, LogFormat};
use crate::database::shown;
use crate::observability::lines::Lines;

/// Timeout for the last lines to be read when the server ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Tells what a server does. Clones are the same.
#[derive(Debug, Clone)]
pub struct Banner {
    lines: Lines,
    is_logged: bool,
}

/// What a server tells when it has started.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether everybody is staff.
    pub is_development: bool,
    /// Whether there are pages to explore it with.
    pub explore: bool,
    /// How many demo products were added.
    pub demo_products: usize,
}

impl Banner {
    /// Tells it to standard output, or to the log.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn new(format: LogFormat) -> io::Result<Self> {
        let lines = Lines::to(io::stdout(), |lost| format!("({lost} lines are missing here)\n"))?;
        Ok(Self { lines, is_logged: format == LogFormat::Json })
    }

    /// Says that the server has started.
    pub fn started(&self, line: &CommandLine, started: Started) {
        let Started { address, is_development, explore, demo_products } = started;
        let version = env!("CARGO_PKG_VERSION");
        let database = shown(&line.database_url);
        let sandbox_in_production = !is_development && line.access.sandbox == Some(true);
        if self.is_logged {
            tracing::info!(version, %address, database, is_development, explore, demo_products, "started");
            if sandbox_in_production {
                tracing::warn!("orders can be paid with the sandbox, which takes no money");
            }
        }
        if is_development {
            self.print(&format!(
                "onhand {version}, for development: everybody is staff, and only this machine is listened to"
            ));
        } else {
            self.print(&format!("onhand {version}"));
        }
        self.print(&format!("database   {database}"));
        if demo_products > 0 {
            self.print(&format!("catalogue  {demo_products} demo products added"));
        }
        if sandbox_in_production {
            self.print("WARNING    orders can be paid with the sandbox, which takes no money");
        }
        self.print(&format!("listening  http://{address}"));
        self.print("");
        if explore {
            self.print(&format!(
                "  explore   http://{address}/          a whole order in tabs, with live stock above it"
            ));
            self.print(&format!(
                "  demo      http://{address}/demo      a shop and its back office, live beside each other"
            ));
        }
        self.print(&format!(
            "  graphql   http://{address}/graphql   POST, GET, websocket (graphql-transport-ws), server-sent events"
        ));
        self.print(&format!("  health    http://{address}/health/ready"));
        self.print("");
        self.print("Ctrl-C stops it.");
    }

    /// Says that the shutdown has begun.
    pub fn draining(&self) {
        if self.is_logged {
            tracing::info!("draining: finishing what was begun");
        }
        self.print("\nfinishing what was begun");
    }

    /// Says that the server has ended.
    pub fn stopped(&self) {
        if self.is_logged {
            tracing::info!("stopped");
        }
        self.print("stopped");
    }

    /// Waits until the last lines are read, but not for long.
    pub fn flush(&self) {
        self.lines.flush(FLUSH_TIMEOUT);
    }

    fn print(&self, line: &str) {
        if !self.is_logged {
            self.lines.send(format!("{line}\n").into_bytes());
        }
    }
}
