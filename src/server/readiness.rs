//! Whether the server is ready. It is checked in the background, so that `/health/ready` answers at once.
//!
//! A short outage of the database is not reported: requests wait it out, and taking a replica out of rotation for a moment
//! helps nobody.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::live::MAX_FEED_AGE;

/// The interval between pings of the database.
const PING_INTERVAL: Duration = Duration::from_millis(250);

/// Timeout for a ping.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the database has to answer nothing, or to take no changes, before the server is not ready.
const MIN_OUTAGE: Duration = Duration::from_secs(2);

/// Whether the server is ready. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Option<&'static str>>>);

impl Readiness {
    /// Returns why the server is not ready, as of the last check; `None` if it is ready.
    pub fn obstacle(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks at every interval until `stop`.
    pub async fn watch(self, app: App, stop: CancellationToken) {
        let mut outage = Outage::default();
        while !stop.is_cancelled() {
            let began = Instant::now();
            let answered = matches!(timeout(PING_TIMEOUT, app.probes.ping()).await, Ok(Ok(())));
            let is_down = outage.record(answered, began, Instant::now());
            let obstacle = if app.supervisor.failure().is_some() {
                Some("a task that the server cannot do without has ended")
            } else if is_down {
                Some("the database does not answer")
            } else if app.writer_health.failing_for().is_some_and(|time| time >= MIN_OUTAGE) {
                Some("the database takes no changes")
            } else if app.feed_age.age().is_some_and(|age| age > MAX_FEED_AGE) {
                Some("the feed between replicas is late")
            } else {
                None
            };
            self.update(obstacle);
            tokio::select! {
                () = sleep(PING_INTERVAL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sets the state, and logs a change of it.
    fn update(&self, obstacle: Option<&'static str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != obstacle {
            if let Some(obstacle) = obstacle {
                tracing::warn!("not ready: {obstacle}");
            } else {
                tracing::info!("ready again");
            }
            *known = obstacle;
        }
    }
}

/// When the database first failed to answer since it last did.
#[derive(Debug, Default)]
struct Outage(Option<Instant>);

impl Outage {
    /// Records a ping. Returns whether the database is down: it did not answer at the end of one ping and at the beginning
    /// of another that are at least [`MIN_OUTAGE`] apart.
    fn record(&mut self, answered: bool, began: Instant, ended: Instant) -> bool {
        if answered {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(ended);
        began.saturating_duration_since(since) >= MIN_OUTAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_outage_is_not_reported_and_one_answer_ends_it() {
        let start = Instant::now();
        let mut outage = Outage::default();
        let mut record = |answered, millis| {
            let at = start + Duration::from_millis(millis);
            outage.record(answered, at, at)
        };
        assert!(!record(true, 0));
        assert!(!record(false, 1_000) && !record(false, 2_999));
        assert!(!record(true, 3_000), "it was away for less than two seconds");
        assert!(!record(false, 3_001) && !record(false, 5_000));
        assert!(record(false, 5_001) && record(false, 60_000));
        assert!(!record(true, 60_001), "one answer is enough");
        assert!(!record(false, 60_002) && !record(false, 62_001), "and it is counted anew");
    }

    #[test]
    fn a_ping_that_hangs_counts_from_its_end() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut outage = Outage::default();
        assert!(!outage.record(false, at(0), at(5_000)));
        assert!(!outage.record(false, at(5_250), at(7_100)));
        assert!(outage.record(false, at(7_350), at(7_850)));
    }
}
