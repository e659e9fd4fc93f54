//! A clock that jumps: to another time every second, as far as was planned.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// How far it jumps, in milliseconds.
static MOST: AtomicI64 = AtomicI64::new(0);

/// Has the clock of this machine jump by at most so many milliseconds, forth and back.
pub fn plan_jumps(most: i64) {
    MOST.store(most, Ordering::Relaxed);
}

/// What a clock shows that jumps: the same to all who look in the same second.
#[must_use]
pub fn jumped(now: DateTime<Utc>) -> DateTime<Utc> {
    let most = MOST.load(Ordering::Relaxed);
    if most == 0 {
        return now;
    }
    // Multiplied by an odd number, seconds that follow each other are far apart.
    let seed = (now.timestamp() ^ i64::from(std::process::id())).wrapping_mul(0x5851_f42d_4c95_7f2d);
    now + TimeDelta::milliseconds(seed % most)
}
