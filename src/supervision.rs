//! Tasks of the process begin here. The lint against `tokio::spawn` sees to that: who spawns says what becomes of the task.
//! What is spawned as a value is dropped, on the handle of a runtime, ends a connection, a statement or a span, and is short.
//!
//! - [`Supervisor`]: tasks that the server cannot do without, such as writer, feed, recovery and retention. When one of them
//!   ends before the server does, or panics, the process logs it, is not ready any more, and ends with the reason, to be
//!   started anew. It must never try to go on without one of them.
//! - [`joined`]: a part of such a task, whose end the task waits for.
//! - [`owned`]: a task that ends with its owner.
//! - [`detached`]: a task that goes on when its caller goes away, and ends by itself.
//!
//! Work of clients that a shutdown waits for is spawned on a `TaskTracker`.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Spawns a part of a supervised task. The caller waits for its end, and fails if it failed.
#[must_use = "its end is waited for"]
#[expect(clippy::disallowed_methods, reason = "its end is waited for")]
pub fn joined<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// Spawns a task that is aborted when its owner drops the handle.
#[expect(clippy::disallowed_methods, reason = "it ends with its owner")]
pub fn owned<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

/// Spawns a task that goes on when its caller goes away. It ends by itself, and the caller bounds how many there are.
#[expect(clippy::disallowed_methods, reason = "it ends by itself, and its caller bounds how many there are")]
pub fn detached<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// Watches the tasks that the server cannot do without. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Supervisor(Arc<Supervised>);

#[derive(Debug, Default)]
struct Supervised {
    reason: OnceLock<String>,
    failed: CancellationToken,
}

impl Supervisor {
    /// Runs a task that must go on until `stop`.
    pub fn spawn(&self, name: &'static str, stop: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
        let (task, stop) = (joined(task), stop.clone());
        let supervisor = self.clone();
        detached(async move {
            match task.await {
                Ok(()) if stop.is_cancelled() => {}
                Ok(()) => supervisor.fail(format!("{name} ended")),
                Err(_) => supervisor.fail(format!("{name} panicked")),
            }
        });
    }

    /// Watches a task that may end when its work is done, and returns a handle to wait for that.
    pub fn watch(&self, name: &'static str, task: JoinHandle<Result<(), String>>) -> JoinHandle<()> {
        let supervisor = self.clone();
        joined(async move {
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => supervisor.fail(reason),
                Err(_) => supervisor.fail(format!("{name} panicked")),
            }
        })
    }

    /// Cancels `stop` when the process must end.
    pub fn stop_on_failure(&self, stop: &CancellationToken) {
        let (supervisor, stop) = (self.clone(), stop.clone());
        detached(async move {
            supervisor.failed().await;
            stop.cancel();
        });
    }

    /// Returns why the process must end; `None` while it need not.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.0.reason.get().map(String::as_str)
    }

    /// Waits until the process must end.
    pub async fn failed(&self) {
        self.0.failed.cancelled().await;
    }

    fn fail(&self, reason: String) {
        tracing::error!(reason, "the server cannot go on and ends");
        // The first reason is the one that counts.
        let _ = self.0.reason.set(reason);
        self.0.failed.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_too_early_or_panics_is_the_end() {
        let supervisor = Supervisor::default();
        supervisor.spawn("the feed", &CancellationToken::new(), async {});
        supervisor.failed().await;
        assert_eq!(supervisor.failure(), Some("the feed ended"));

        let supervisor = Supervisor::default();
        supervisor.spawn("recovery", &CancellationToken::new(), async { panic!("as the test wants") });
        supervisor.failed().await;
        assert_eq!(supervisor.failure(), Some("recovery panicked"));

        let supervisor = Supervisor::default();
        let task = joined(async { Err("the file was replaced".to_owned()) });
        supervisor.watch("the writer", task).await.expect("no panic");
        assert_eq!(supervisor.failure(), Some("the file was replaced"));
    }

    #[tokio::test]
    async fn a_task_that_is_cancelled_may_end() {
        let (supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        let stopped = stop.clone();
        supervisor.spawn("upkeep", &stop, async move { stopped.cancelled().await });
        let writer = supervisor.watch("the writer", joined(async { Ok(()) }));
        stop.cancel();
        writer.await.expect("no panic");
        assert_eq!(supervisor.failure(), None);
    }
}
