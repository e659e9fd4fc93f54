//! Whether the database takes what the writer commits, as far as the last batches tell.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whether the database takes what the writer commits. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WriterHealth(Arc<Mutex<Option<Instant>>>);

impl WriterHealth {
    /// Returns for how long every batch has failed at the database; `None` when the last one did not.
    #[must_use]
    pub fn failing_for(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    /// A batch was committed.
    pub(super) fn succeeded(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the database takes changes again");
        }
    }

    /// A batch was not committed, and its commands were told so. Whether it is the first after one that was.
    pub(super) fn failed(&self) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = since.is_none();
        since.get_or_insert_with(Instant::now);
        is_first
    }
}
