//! A journal with answers beside their calls, and with what may be gone of it because the data was set back on purpose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use crate::journal::{Outcome, Record};

/// A call with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The mutation.
    pub mutation: &'a str,
    /// Its input.
    pub input: &'a Value,
    /// What it answered; `None` when no answer came.
    pub outcome: Option<&'a Outcome>,
    /// Whether what it did is still there: no data was set back after it began.
    pub is_kept: bool,
    /// Whether the same key was sent before: it may do nothing of its own.
    pub is_repeated: bool,
}

impl Call<'_> {
    /// A field of the input.
    #[must_use]
    pub fn given(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }

    /// An id in the input.
    #[must_use]
    pub fn given_id(&self, name: &str) -> Option<Uuid> {
        crate::id::uuid(self.given(name))
    }

    /// What it answered when it was done.
    #[must_use]
    pub const fn done(&self) -> Option<&Value> {
        match self.outcome {
            Some(Outcome::Done { data, .. }) => Some(data),
            _ => None,
        }
    }

    /// What it answered when it was done and is still there.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&Value> {
        self.done().filter(|_| self.is_kept)
    }

    /// Whether it was refused, so that it must have left nothing behind.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Refused { .. }))
    }
}

/// A journal with the answers beside their calls.
#[derive(Debug)]
pub struct Told<'a> {
    /// Everything, in order.
    pub records: &'a [Record],
    /// The calls, by number.
    pub calls: BTreeMap<u64, Call<'a>>,
    /// How often the data was set back on purpose.
    pub set_backs: usize,
    /// The record before which what began may have been set back.
    set_back_until: usize,
    /// The record before which more may have been shown than was acknowledged.
    shows_more_until: usize,
}

impl<'a> Told<'a> {
    /// Puts answers beside their calls.
    #[must_use]
    pub fn of(records: &'a [Record]) -> Self {
        let set_back_until = until(records, &Record::SetBack);
        let (mut calls, mut keys) = (BTreeMap::new(), BTreeSet::new());
        for (at, record) in records.iter().enumerate() {
            match record {
                Record::Call { call, mutation, input } => {
                    let is_kept = at >= set_back_until;
                    let is_repeated = input["idempotencyKey"].as_str().is_some_and(|key| !keys.insert(key));
                    calls.insert(*call, Call { mutation, input, outcome: None, is_kept, is_repeated });
                }
                Record::Answer { call, outcome } => {
                    if let Some(call) = calls.get_mut(call) {
                        call.outcome = Some(outcome);
                    }
                }
                _ => {}
            }
        }
        let set_backs = records.iter().filter(|record| **record == Record::SetBack).count();
        Self { records, calls, set_backs, set_back_until, shows_more_until: until(records, &Record::ShowsMore) }
    }

    /// The calls of a mutation.
    pub fn calls_of(&self, mutation: &str) -> impl Iterator<Item = (u64, &Call<'a>)> {
        self.calls.iter().filter(move |(_, call)| call.mutation == mutation).map(|(number, call)| (*number, call))
    }

    /// The ids under this name in the inputs of all calls of a mutation.
    #[must_use]
    pub fn asked(&self, mutation: &str, name: &str) -> BTreeSet<Uuid> {
        self.calls_of(mutation).filter_map(|(_, call)| call.given_id(name)).collect()
    }

    /// Whether what began with this record may have been set back.
    #[must_use]
    pub const fn may_be_set_back(&self, at: usize) -> bool {
        at < self.set_back_until
    }

    /// Whether what was shown, and never acknowledged, may be gone, of what began with this record.
    #[must_use]
    pub const fn may_be_unsaid(&self, at: usize) -> bool {
        at < self.set_back_until || at < self.shows_more_until
    }
}

/// The record up to which this excuses: where the database moved the last time after it; all when it did not.
fn until(records: &[Record], excuse: &Record) -> usize {
    let Some(last) = records.iter().rposition(|record| record == excuse) else { return 0 };
    let moved = records.iter().rposition(|record| *record == Record::Moved);
    moved.filter(|moved| *moved > last).unwrap_or(records.len())
}
