//! Whether this server can do its work, looked at beside the requests, so that whoever asks for readiness waits for
//! nothing.
//!
//! A short absence of the database is not told: requests wait it out, and a replica that leaves for a moment helps nobody.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::live::MAX_FEED_AGE;

/// How often the database is asked.
const PING_EVERY: Duration = Duration::from_millis(250);

/// How long it may take to answer.
const PING_WAIT: Duration = Duration::from_millis(500);

/// After so long without an answer, or without a change that it took, it is away.
const AWAY_AFTER: Duration = Duration::from_secs(2);

/// Whether this server can do its work. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Option<&'static str>>>);

impl Readiness {
    /// What keeps it from its work, as far as is known; `None` when it is ready. It takes no time.
    pub fn obstacle(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again and again until it is told to stop.
    pub async fn watch(self, app: App, stop: CancellationToken) {
        let mut absence = Absence::default();
        while !stop.is_cancelled() {
            let began = Instant::now();
            let answered = matches!(timeout(PING_WAIT, app.probes.ping()).await, Ok(Ok(())));
            let is_away = absence.hear(answered, began, Instant::now());
            let obstacle = if app.supervisor.failure().is_some() {
                Some("a task that the server cannot do without has ended")
            } else if is_away {
                Some("the database does not answer")
            } else if app.writer_health.failing_for().is_some_and(|time| time >= AWAY_AFTER) {
                Some("the database takes no changes")
            } else if app.feed_age.age().is_some_and(|age| age > MAX_FEED_AGE) {
                Some("the feed between replicas is late")
            } else {
                None
            };
            self.tell(obstacle);
            tokio::select! {
                () = sleep(PING_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn tell(&self, obstacle: Option<&'static str>) {
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

/// Since when nothing was answered.
#[derive(Debug, Default)]
struct Absence(Option<Instant>);

impl Absence {
    /// Whether the database is away, now that one more ping has ended: it did not answer at the end of one and at the
    /// beginning of another that are so far apart.
    fn hear(&mut self, answered: bool, began: Instant, ended: Instant) -> bool {
        if answered {
            self.0 = None;
            return false;
        }
        let since = *self.0.get_or_insert(ended);
        began.saturating_duration_since(since) >= AWAY_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blip_is_not_told_and_one_answer_ends_an_absence() {
        let start = Instant::now();
        let mut absence = Absence::default();
        let mut hear = |answered, millis| {
            let at = start + Duration::from_millis(millis);
            absence.hear(answered, at, at)
        };
        assert!(!hear(true, 0));
        assert!(!hear(false, 1_000) && !hear(false, 2_999));
        assert!(!hear(true, 3_000), "it was away for less than two seconds");
        assert!(!hear(false, 3_001) && !hear(false, 5_000));
        assert!(hear(false, 5_001) && hear(false, 60_000));
        assert!(!hear(true, 60_001), "one answer is enough");
        assert!(!hear(false, 60_002) && !hear(false, 62_001), "and it is counted anew");
    }

    #[test]
    fn a_ping_that_hangs_counts_from_its_end() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut absence = Absence::default();
        assert!(!absence.hear(false, at(0), at(5_000)));
        assert!(!absence.hear(false, at(5_250), at(7_100)));
        assert!(absence.hear(false, at(7_350), at(7_850)));
    }
}
