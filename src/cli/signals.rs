//! The signals that ask a process to end, and the exit codes that tell of them. It ends nothing by itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
pub const INTERRUPTED: u8 = 130;

/// The exit code after SIGTERM.
pub const TERMINATED: u8 = 143;

/// Ctrl-C and SIGTERM, which no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// When the process cannot have them.
    pub fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next of them, and returns the exit code that tells of it.
    pub async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits for the next Ctrl-C.
    pub async fn interrupted(&mut self) {
        self.interrupt.recv().await;
    }
}
