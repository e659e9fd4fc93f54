//! The tasks that the server cannot do without: writer, feed, recovery, upkeep and the like. When one of them ends before
//! the server does, or panics, the process says so, is not ready any more, and ends with the reason; whoever runs it
//! starts it anew. It must never try to go on without one of them.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Watches over the tasks that the server cannot do without. Clones are the same.
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
        let (task, stop) = (tokio::spawn(task), stop.clone());
        let supervisor = self.clone();
        tokio::spawn(async move {
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
        tokio::spawn(async move {
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => supervisor.fail(reason),
                Err(_) => supervisor.fail(format!("{name} panicked")),
            }
        })
    }

    /// Why the process must end; `None` while it need not.
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
        let task = tokio::spawn(async { Err("the file was replaced".to_owned()) });
        supervisor.watch("the writer", task).await.expect("no panic");
        assert_eq!(supervisor.failure(), Some("the file was replaced"));
    }

    #[tokio::test]
    async fn whoever_is_told_to_stop_may_end() {
        let (supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        let stopped = stop.clone();
        supervisor.spawn("upkeep", &stop, async move { stopped.cancelled().await });
        let writer = supervisor.watch("the writer", tokio::spawn(async { Ok(()) }));
        stop.cancel();
        writer.await.expect("no panic");
        assert_eq!(supervisor.failure(), None);
    }
}
