//! Where the time comes from. The only module that reads the clock of this machine.
//!
//! Replicas that share a database go by the database's time, so that a lease means the same to all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};

use crate::faults;
use domain::Time;
use domain::random::whole_microseconds;

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock {
    machine: Arc<dyn Fn() -> Time + Send + Sync>,
    /// By how many microseconds the database is ahead of this machine.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// The time of this machine, until a database says otherwise.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(machine_time)
    }

    /// A clock that shows what `now` says: for tests.
    pub fn from_fn(now: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self { machine: Arc::new(now), ahead: Arc::default() }
    }

    /// Now, in whole microseconds.
    #[must_use]
    pub fn now(&self) -> Time {
        let ahead = TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed));
        whole_microseconds((self.machine)() + ahead)
    }

    /// Goes by the time that a database has just told.
    pub fn follow(&self, database: Time) {
        // A difference of more than 292,000 years is nobody's time.
        let ahead = (database - machine_time()).num_microseconds().unwrap_or_default();
        self.ahead.store(ahead, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn machine_time() -> Time {
    faults::jumped(Utc::now())
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_by_the_time_of_the_database() {
        let clock = Clock::system();
        let told = machine_time() + TimeDelta::hours(3);
        clock.follow(told);
        let shown = clock.now();
        assert!(shown >= whole_microseconds(told) - TimeDelta::seconds(1), "{shown} after {told}");
        assert!(clock.clone().now() >= shown, "clones go by it, too");
    }
}
