//! Lines on standard error that say what is being done.

use std::sync::LazyLock;
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Says what is being done, and how long the benchmark has been running.
#[expect(clippy::print_stderr, reason = "progress is not a result")]
pub fn say(what: &str) {
    eprintln!("{:>6.1} s  {what}", START.elapsed().as_secs_f64());
}
