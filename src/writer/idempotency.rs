//! Idempotency keys: the same key with the same input has one effect and one answer.
//!
//! A key lives in the same transaction as the effect. A refusal that changed nothing is never kept, so that the same
//! request can succeed later.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::{Command, Context, Footprint};
use crate::domain::payment::KeyId;
use crate::domain::rejection::{Code, Refusal, Rejection};

use super::world::{KeyRecord, World};

/// A key as it came with a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Scope and key.
    pub id: KeyId,
    /// The mutation's name.
    pub mutation: &'static str,
    /// Of the input: equal inputs have equal fingerprints.
    pub fingerprint: String,
}

impl Key {
    /// What this key stands for, if it came before.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` when it came with another mutation or another input.
    pub fn record<'a>(&self, world: &'a World) -> Result<Option<&'a KeyRecord>, Rejection> {
        match world.keys.get(&self.id) {
            Some(record) if record.mutation != self.mutation || record.fingerprint != self.fingerprint => {
                let message = "This idempotency key was used before with another input.";
                Err(Rejection::new(Code::IdempotencyKeyReused, message).at(["idempotencyKey"]))
            }
            found => Ok(found),
        }
    }

    /// The record of this key with its answer, or of an attempt to pay that is under way.
    #[must_use]
    pub fn to_record(&self, context: &Context<'_>) -> KeyRecord {
        KeyRecord {
            id: self.id.clone(),
            mutation: self.mutation.to_owned(),
            fingerprint: self.fingerprint.clone(),
            payment: None,
            answer: None,
            created_at: context.now,
        }
    }
}

/// An answer as it is kept with its key.
///
/// # Errors
/// `INVALID_STATE` when it cannot be written as JSON, which none of our answers do.
pub fn write_answer<A: Serialize>(answer: &A) -> Result<String, Rejection> {
    serde_json::to_string(answer).map_err(|_| unreadable())
}

/// A kept answer.
///
/// # Errors
/// `INVALID_STATE` when another release of this server kept it in a form that this one cannot read.
pub fn read_answer<A: DeserializeOwned>(text: &str) -> Result<A, Rejection> {
    serde_json::from_str(text).map_err(|_| unreadable())
}

fn unreadable() -> Rejection {
    Rejection::invalid_state("The answer kept for this idempotency key cannot be read.")
}

/// A command under an idempotency key, or without one.
#[derive(Debug)]
pub struct Keyed<C> {
    /// The key, if one came.
    pub key: Option<Key>,
    /// What is to happen once.
    pub command: C,
}

impl<C: Command> Command for Keyed<C>
where
    C::Answer: Serialize + DeserializeOwned,
{
    type Answer = C::Answer;

    fn footprint(&self) -> Footprint {
        let mut footprint = self.command.footprint();
        footprint.keys.extend(self.key.iter().map(|key| key.id.clone()));
        footprint
    }

    fn rows(&self) -> usize {
        self.command.rows() + usize::from(self.key.is_some())
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<Self::Answer, Refusal> {
        let Some(key) = &self.key else {
            return self.command.decide(world, context);
        };
        if let Some(answer) = key.record(world)?.and_then(|record| record.answer.as_deref()) {
            return Ok(read_answer(answer)?);
        }
        let answer = self.command.decide(world, context)?;
        let record = KeyRecord { answer: Some(write_answer(&answer)?), ..key.to_record(context) };
        world.keys.insert(record.id.clone(), record);
        Ok(answer)
    }
}
