//! A bound on how many things go on at the same time: requests in flight, open sockets. It never waits for a permit;
//! whoever gets none is refused.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A semaphore that can also wait until all permits are released. Clones share the permits.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    semaphore: Arc<Semaphore>,
    in_use: TaskTracker,
}

/// A permit of a [`ConcurrencyLimit`], released when it is dropped.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    _permit: OwnedSemaphorePermit,
    _token: TaskTrackerToken,
}

impl ConcurrencyLimit {
    /// Returns a limit with this many permits.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(permits)), in_use: TaskTracker::new() }
    }

    /// Takes a permit; `None` if none is free.
    #[must_use]
    pub fn try_acquire(&self) -> Option<ConcurrencyPermit> {
        let permit = Arc::clone(&self.semaphore).try_acquire_owned().ok()?;
        Some(ConcurrencyPermit { _permit: permit, _token: self.in_use.token() })
    }

    /// Returns the number of permits in use.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use.len()
    }

    /// Waits until all permits are released.
    pub async fn all_released(&self) {
        self.in_use.close();
        self.in_use.wait().await;
    }
}
