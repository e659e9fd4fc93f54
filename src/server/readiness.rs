//! Whether the database answers, looked at beside the requests, so that whoever asks for readiness waits for nothing.
//!
//! A short absence is not told: requests wait it out, and a replica that leaves for a moment helps nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How often the database is asked.
const PING_EVERY: Duration = Duration::from_millis(250);

/// How long it may take to answer.
const PING_WAIT: Duration = Duration::from_millis(500);

/// After so long without an answer it is away.
const AWAY_AFTER: Duration = Duration::from_secs(2);

/// Whether the database answers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    is_away: Arc<AtomicBool>,
}

impl Readiness {
    /// As far as is known; it takes no time.
    pub fn is_there(&self) -> bool {
        !self.is_away.load(Ordering::Relaxed)
    }

    /// Asks again and again until it is told to stop.
    pub async fn watch(self, store: Store, stop: CancellationToken) {
        let mut absence = Absence::default();
        while !stop.is_cancelled() {
            let began = Instant::now();
            let answered = matches!(timeout(PING_WAIT, store.ping()).await, Ok(Ok(())));
            let is_away = absence.hear(answered, began, Instant::now());
            if self.is_away.swap(is_away, Ordering::Relaxed) != is_away {
                if is_away {
                    tracing::warn!("not ready: the database does not answer");
                } else {
                    tracing::info!("ready again: the database answers");
                }
            }
            tokio::select! {
                () = sleep(PING_EVERY) => {}
                () = stop.cancelled() => {}
            }
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
