//! The signals that ask the process to end, for every command: Ctrl-C and SIGTERM.
//!
//! The first signal asks the work to end. [`Force`] says when the process ends although the work goes on. Nothing else may
//! watch signals or end the process.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{AbortHandle, block_in_place};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::supervision::detached;

/// The exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
pub const INTERRUPTED: u8 = 130;

/// The exit code after SIGTERM.
pub const TERMINATED: u8 = 143;

/// How long work may hold its thread after the first signal.
const MAX_HELD: Duration = Duration::from_secs(1);

/// When the process ends although the work goes on.
#[derive(Debug)]
pub enum Force {
    /// At a second Ctrl-C. For a server, which drains within a timeout of its own, and may get SIGTERM more than once.
    SecondInterrupt,
    /// At a second signal, or [`MAX_HELD`] after the first: work that should have ended holds its thread.
    Soon,
    /// At a second signal, or when one piece of blocking work has held its thread for [`MAX_HELD`].
    Blocked(BlockingWork),
}

/// A signal ended a command before its work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped by a signal")]
pub struct Interrupted {
    /// The exit code of the process.
    pub code: u8,
}

/// The request to end that the first signal makes. Clones are the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    requested: CancellationToken,
    code: Arc<OnceLock<u8>>,
    watch: AbortHandle,
}

impl Shutdown {
    /// Begins to watch signals, which no longer end the process by themselves. At the first one, `announce` is called before
    /// the request is made.
    ///
    /// # Errors
    /// When the process cannot handle signals.
    pub fn on_signal(force: Force, announce: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let (requested, code) = (CancellationToken::new(), Arc::<OnceLock<u8>>::default());
        let (request, first) = (requested.clone(), Arc::clone(&code));
        let watch = detached(async move {
            let code = signals.next().await;
            announce();
            // Nothing was set before: this is the first signal.
            let _ = first.set(code);
            request.cancel();
            std::process::exit(signals.forced(force, code).await.into());
        });
        Ok(Self { requested, code, watch: watch.abort_handle() })
    }

    /// Cancelled by the first signal.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.requested
    }

    /// Does work that may be dropped halfway when a signal comes.
    ///
    /// # Errors
    /// Those of the work, and [`Interrupted`].
    pub async fn interrupt<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.requested.cancelled() => Err(self.interrupted().into()),
        }
    }

    /// Returns the error of work that the first signal ended.
    #[must_use]
    pub fn interrupted(&self) -> Interrupted {
        Interrupted { code: self.code.get().copied().unwrap_or(TERMINATED) }
    }

    /// Stops watching, when the work is done: from now on no signal ends the process.
    pub fn release(&self) {
        self.watch.abort();
    }
}

/// Does work that may be dropped halfway when a signal comes. The process ends soon after that, also when the work holds its
/// thread, as a write to a pipe that nobody reads does.
///
/// # Errors
/// Those of the work, and [`Interrupted`].
pub async fn until_signal<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let shutdown = Shutdown::on_signal(Force::Soon, || {})?;
    let done = shutdown.interrupt(work).await;
    shutdown.release();
    done
}

/// Does work to its end, which is near. A signal ends the process only when the work does not end soon after it.
///
/// # Errors
/// Those of the work.
pub async fn to_its_end<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let shutdown = Shutdown::on_signal(Force::Soon, || {})?;
    let done = work.await;
    shutdown.release();
    done
}

/// Work that holds its thread until somebody else does something: a write to a pipe waits for its reader. Clones are the
/// same.
#[derive(Debug, Clone, Default)]
pub struct BlockingWork(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// How many pieces of work there have been.
    count: u64,
    /// The message that is printed if the process ends meanwhile; `None` while no work holds its thread.
    message: Option<String>,
}

impl BlockingWork {
    /// Does one piece of work. If the process must end before it is done, it prints the message.
    pub fn run<T>(&self, message: String, work: impl FnOnce() -> T) -> T {
        {
            let mut held = self.lock();
            held.count += 1;
            held.message = Some(message);
        }
        let done = block_in_place(work);
        self.lock().message = None;
        done
    }

    /// Returns the number and the message of the piece of work that holds its thread now.
    fn current(&self) -> Option<(u64, String)> {
        let held = self.lock();
        held.message.clone().map(|message| (held.count, message))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ctrl-C and SIGTERM.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them, and returns its exit code.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits, after the first signal, until the process must end, and returns its exit code.
    async fn forced(mut self, force: Force, first: u8) -> u8 {
        match force {
            Force::SecondInterrupt => {
                self.interrupt.recv().await;
                INTERRUPTED
            }
            Force::Soon => {
                // Whichever comes first.
                let _ = timeout(MAX_HELD, self.next()).await;
                first
            }
            Force::Blocked(work) => {
                let mut before = work.current();
                loop {
                    if let Ok(second) = timeout(MAX_HELD, self.next()).await {
                        return second;
                    }
                    let now = work.current();
                    if let Some((_, message)) = now.as_ref().filter(|_| now == before) {
                        // Nobody may read it any more.
                        let _ = writeln!(io::stderr(), "{message}");
                        return first;
                    }
                    before = now;
                }
            }
        }
    }
}
