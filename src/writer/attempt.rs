//! Some commands that are tried together: how they lock rows, and how long they wait for whom. It runs nothing itself.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::Span;

use crate::database::load::Locks;
use crate::database::postgres::Timeouts;
use domain::commands::Footprint;

use super::batch::Role;
use super::job::Job;

/// How long a batch waits for rows that another transaction holds before it is loaded without them.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// The same while commands queue for such rows already: more of them are likely to want the same ones.
const SHORT_LOCK_TIMEOUT: Duration = Duration::from_millis(20);

/// How long commands that were set aside wait for each row, when no others were set aside that want other rows.
const LONG_LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a statement of a batch may take before the batch is halved.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1);

/// The same in a half: one command that takes too long must not use up the time of its neighbours.
pub const SHORT_STATEMENT_TIMEOUT: Duration = Duration::from_millis(300);

/// How long a statement for commands that were set aside may take, waiting for rows included.
const LONG_STATEMENT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Commands that wait for the same rows.
pub struct Group {
    /// The rows, and names of rows.
    pub rows: BTreeSet<u128>,
    /// The commands.
    pub jobs: Vec<Box<dyn Job>>,
}

/// Some commands that are to be tried together.
pub struct Attempt {
    /// The commands.
    pub jobs: Vec<Box<dyn Job>>,
    /// How rows are locked.
    pub locks: Locks,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// How often they were tried in vain.
    pub tries: u32,
    /// The rows that were held when they were loaded last.
    pub rows: BTreeSet<u128>,
}

impl Attempt {
    /// Commands that nobody has tried yet, as this worker tries them.
    pub fn first(role: &Role, jobs: Vec<Box<dyn Job>>) -> Self {
        let usual = Timeouts { lock: LOCK_TIMEOUT, statement: STATEMENT_TIMEOUT };
        let (locks, timeouts) = match role {
            Role::Single => (Locks::Needless, usual),
            Role::Main(lock_waiter) if lock_waiter.is_busy() => {
                (Locks::Wait, Timeouts { lock: SHORT_LOCK_TIMEOUT, ..usual })
            }
            Role::Main(_) => (Locks::Wait, usual),
            // What is free already is done at once.
            Role::LockWaiter => (Locks::Skip, usual),
        };
        Self { jobs, locks, timeouts, tries: 0, rows: BTreeSet::new() }
    }

    /// Commands that wait for the same rows, for a shorter time while others wait.
    pub fn of_group(group: Group, has_others: bool) -> Self {
        let Group { rows, jobs } = group;
        let lock = if has_others { LOCK_TIMEOUT } else { LONG_LOCK_TIMEOUT };
        let timeouts = Timeouts { lock, statement: LONG_STATEMENT_TIMEOUT };
        Self { jobs, locks: Locks::Wait, timeouts, tries: 0, rows }
    }

    /// The rows that they need together.
    pub fn footprint(&self) -> Footprint {
        union(&self.jobs)
    }

    /// The span of its batch, linked to those of the callers.
    pub fn span(&self) -> Span {
        let span = tracing::info_span!("batch", commands = self.jobs.len());
        for job in &self.jobs {
            span.follows_from(job.span());
        }
        span
    }
}

fn union(jobs: &[Box<dyn Job>]) -> Footprint {
    jobs.iter().fold(Footprint::default(), |mut all, job| {
        all.absorb(job.footprint());
        all
    })
}
