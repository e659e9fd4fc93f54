//! Begins an import, or goes on with one: decides once, for all lines of its file, whether what earlier runs did is
//! remembered. The lines themselves are remembered each under a key of its own, and those are forgotten one by one.

use std::time::Duration;

use uuid::Uuid;

use crate::Time;
use crate::payment::KeyId;
use crate::rejection::{Rejection, Rejections};
use crate::world::World;
use crate::world::idempotency::{Kept, KeyRecord};

use super::{Command, Context, Footprint};

/// What the record of an import says it came with.
const MUTATION: &str = "import";

/// Begins an import, or goes on with one.
#[derive(Debug, Clone)]
pub struct BeginImport {
    /// The key of the import as a whole.
    pub key: KeyId,
    /// The keys of its lines have this in them when it begins anew.
    pub round: Uuid,
    /// For how long its lines are remembered.
    pub lifetime: Duration,
}

/// What is remembered of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportRound {
    /// What the keys of its lines have in them.
    pub round: Uuid,
    /// Until when none of its lines is forgotten.
    pub until: Time,
}

impl ImportRound {
    /// The round that a record stands for; `None` when its time is over, and with it that of every line.
    ///
    /// # Errors
    /// `INVALID_STATE` when another release wrote it in a form that this one cannot read.
    pub fn of(record: &KeyRecord, lifetime: Duration, now: Time) -> Result<Option<Self>, Rejection> {
        let round = record.answer.clone().unwrap_or(Kept::Unreadable).try_into()?;
        let until = record.created_at + lifetime;
        Ok((now < until).then_some(Self { round, until }))
    }
}

impl Command for BeginImport {
    type Answer = ImportRound;

    fn footprint(&self) -> Footprint {
        Footprint { keys: vec![self.key.clone()], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<ImportRound, Rejections> {
        if let Some(record) = world.key(&self.key)
            && let Some(going_on) = ImportRound::of(record, self.lifetime, context.now)?
        {
            return Ok(going_on);
        }
        let record = KeyRecord {
            id: self.key.clone(),
            mutation: MUTATION.to_owned(),
            fingerprint: String::new(),
            payment: None,
            answer: Some(self.round.into()),
            created_at: context.now,
        };
        world.put_key(record);
        Ok(ImportRound { round: self.round, until: context.now + self.lifetime })
    }
}
