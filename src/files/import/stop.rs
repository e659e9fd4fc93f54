//! Ctrl-C and SIGTERM while an import is under way: what was begun is finished, and nothing new is begun. It ends no process
//! by itself before a second signal.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::block_in_place;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::cli::signals::Signals;

/// How long whoever reads the results may hold up the end of an import.
const MAX_HELD: Duration = Duration::from_secs(1);

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
    held: Arc<Mutex<Held>>,
}

/// Work that holds its thread until somebody else does something.
#[derive(Debug, Default)]
struct Held {
    /// How often there was some.
    count: u64,
    /// What is said when the process is ended meanwhile; `None` when nothing is held.
    sums: Option<String>,
}

impl Stop {
    /// Wanted from the first Ctrl-C or SIGTERM on. A second one ends the process at once, and so does soon after the first
    /// whoever stands still while he reads the results.
    ///
    /// # Errors
    /// When the process cannot have signals.
    pub fn on_signal() -> anyhow::Result<Self> {
        let stop = Self::default();
        let mut signals = Signals::new()?;
        let told = stop.clone();
        tokio::spawn(async move {
            let code = signals.next().await;
            told.code.store(code, Ordering::Relaxed);
            told.wanted.cancel();
            let mut before = told.held_since();
            loop {
                if let Ok(code) = timeout(MAX_HELD, signals.next()).await {
                    std::process::exit(i32::from(code));
                }
                let now = told.held_since();
                if let Some((_, sums)) = now.as_ref().filter(|_| now == before) {
                    // Nobody may look any more.
                    let _ = writeln!(
                        io::stderr(),
                        "{sums}\nnobody reads the results; run the same command again and it goes on"
                    );
                    std::process::exit(i32::from(code));
                }
                before = now;
            }
        });
        Ok(stop)
    }

    /// Does work that may hold its thread until somebody else does something, as writing to a pipe does. Who waits for its
    /// end in vain is told these sums.
    pub fn held<T>(&self, sums: &str, work: impl FnOnce() -> T) -> T {
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.count += 1;
            held.sums = Some(sums.to_owned());
        }
        let done = block_in_place(work);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).sums = None;
        done
    }

    /// Which work holds its thread now, and the sums that belong to it.
    fn held_since(&self) -> Option<(u64, String)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.sums.clone().map(|sums| (held.count, sums))
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
