//! Ctrl-C and SIGTERM while an import is under way: what was begun is finished, and nothing new is begun. It ends no process
//! by itself before a second signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::signals::Signals;

/// Somebody stopped an import before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the import was stopped before its end")]
pub struct Interrupted {
    /// What the process exits with.
    pub code: u8,
}

/// Whether somebody wants an import to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    wanted: CancellationToken,
    code: Arc<AtomicU8>,
}

impl Stop {
    /// Wanted from the first Ctrl-C or SIGTERM on. A second one ends the process at once.
    ///
    /// # Errors
    /// When the process cannot have signals.
    pub fn on_signal() -> anyhow::Result<Self> {
        let stop = Self::default();
        let mut signals = Signals::new()?;
        let told = stop.clone();
        tokio::spawn(async move {
            loop {
                let code = signals.next().await;
                if told.is_wanted() {
                    std::process::exit(i32::from(code));
                }
                told.code.store(code, Ordering::Relaxed);
                told.wanted.cancel();
            }
        });
        Ok(stop)
    }

    /// Whether it is to stop.
    pub fn is_wanted(&self) -> bool {
        self.wanted.is_cancelled()
    }

    /// What it ended by, when it was to stop.
    pub fn interrupted(&self) -> Option<Interrupted> {
        self.is_wanted().then(|| Interrupted { code: self.code.load(Ordering::Relaxed) })
    }

    /// Cancelled when it is to stop.
    pub const fn token(&self) -> &CancellationToken {
        &self.wanted
    }

    /// Does some work of which nothing is left when it is to stop meanwhile.
    ///
    /// # Errors
    /// Those of the work, and [`Interrupted`].
    pub async fn or<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.wanted.cancelled() => Err(Interrupted { code: self.code.load(Ordering::Relaxed) }.into()),
        }
    }

    /// Waits so long, or until it is to stop.
    pub async fn pause(&self, long: Duration) {
        let _ = tokio::time::timeout(long, self.wanted.cancelled()).await;
    }
}
