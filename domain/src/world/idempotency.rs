//! Idempotency keys: the same key with the same input has one effect and one answer.
//!
//! A key lives in the same transaction as the effect. A rejection that changed nothing is never kept, so that the same
//! request can succeed later. How an answer is written down is not known here, only what of it is kept.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Time;
use crate::commands::{AdjustedRows, Command, Context, Footprint, ImportedRow, PayAnswer};
use crate::id::{CartId, OrderId, PaymentId};
use crate::payment::KeyId;
use crate::rejection::{Code, Rejection, Rejections};

use super::World;

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub id: KeyId,
    /// The mutation that it came with.
    pub mutation: String,
    /// Fingerprint of the input that it came with.
    pub fingerprint: String,
    /// The payment that it began.
    pub payment: Option<PaymentId>,
    /// What is kept of the answer; `None` while the payment is in progress.
    pub answer: Option<Kept>,
    /// When it came first.
    pub created_at: Time,
}

/// What is kept of an answer: ids rather than whole objects. Its form as JSON is stored; releases that run beside each
/// other read each other's, so a variant keeps its fields. They are told apart by their fields: a new one must have a
/// field that no other requires, and stand before those whose fields it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Kept {
    /// The answer of `payOrder`.
    Pay(PayAnswer),
    /// The answer of `adjustStock`.
    Adjust(AdjustedRows),
    /// The answer of one imported row.
    Row(ImportedRow),
    /// The cart or order that was answered, or the round of an import.
    Id(Uuid),
    /// What another release kept in a form that this one cannot read. It is never written.
    #[serde(skip)]
    Unreadable,
}

macro_rules! kept {
    ($($variant:ident($value:pat => $inner:expr): $type:ty = $wrap:expr;)+) => {
        $(
            impl From<$type> for Kept {
                fn from(value: $type) -> Self {
                    Self::$variant($wrap(value))
                }
            }

            impl TryFrom<Kept> for $type {
                type Error = Rejection;

                fn try_from(kept: Kept) -> Result<Self, Rejection> {
                    match kept {
                        Kept::$variant($value) => Ok($inner),
                        _ => Err(unreadable()),
                    }
                }
            }
        )+
    };
}

kept! {
    Pay(answer => answer): PayAnswer = std::convert::identity;
    Adjust(rows => rows): AdjustedRows = std::convert::identity;
    Row(row => row): ImportedRow = std::convert::identity;
    Id(id => id): Uuid = std::convert::identity;
    Id(id => Self(id)): CartId = |id: CartId| id.0;
    Id(id => Self(id)): OrderId = |id: OrderId| id.0;
}

fn unreadable() -> Rejection {
    Rejection::invalid_state("The answer kept for this idempotency key cannot be read.")
}

/// A key as it came with a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Scope and key.
    pub id: KeyId,
    /// The mutation's name.
    pub mutation: &'static str,
    /// Fingerprint of the input: equal inputs have equal fingerprints.
    pub fingerprint: String,
    /// The fingerprint of the same input as the other one of two releases that run beside each other makes it.
    pub other_fingerprint: Option<String>,
}

impl Key {
    /// Returns what this key stands for, if it came before.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_REUSED` when it came with another mutation or another input.
    pub fn record<'a>(&self, world: &'a World<'_>) -> Result<Option<&'a KeyRecord>, Rejection> {
        match world.key(&self.id) {
            Some(record) if record.mutation != self.mutation || !self.has_fingerprint(&record.fingerprint) => {
                let message = "This idempotency key was used before with another input.";
                Err(Rejection::new(Code::IdempotencyKeyReused, message).at(["idempotencyKey"]))
            }
            found => Ok(found),
        }
    }

    fn has_fingerprint(&self, stored: &str) -> bool {
        stored == self.fingerprint || self.other_fingerprint.as_deref() == Some(stored)
    }

    /// Returns the record of this key before there is an answer.
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

/// A command that may come under an idempotency key.
pub trait Repeatable: Command {
    /// What is kept of its answer.
    type Kept: for<'a> From<&'a Self::Answer> + Into<Kept> + TryFrom<Kept, Error = Rejection> + Send + 'static;
}

/// The answer to a command that may have come before under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once<A, K> {
    /// It was decided now.
    Now(A),
    /// It came before: what was kept of its answer then.
    Before(K),
}

impl<A, K: Into<A>> Once<A, K> {
    /// Returns the answer, whenever it was given.
    pub fn into_answer(self) -> A {
        match self {
            Self::Now(answer) => answer,
            Self::Before(kept) => kept.into(),
        }
    }
}

/// A command under an idempotency key, or without one.
#[derive(Debug)]
pub struct Keyed<C> {
    /// The key, if one came.
    pub key: Option<Key>,
    /// What is to happen once.
    pub command: C,
}

impl<C: Repeatable> Command for Keyed<C> {
    type Answer = Once<C::Answer, C::Kept>;

    fn footprint(&self) -> Footprint {
        let mut footprint = self.command.footprint();
        footprint.keys.extend(self.key.iter().map(|key| key.id.clone()));
        footprint
    }

    fn rows(&self) -> usize {
        self.command.rows() + usize::from(self.key.is_some())
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Self::Answer, Rejections> {
        let Some(key) = &self.key else {
            return self.command.decide(world, context).map(Once::Now);
        };
        if let Some(answer) = key.record(world)?.and_then(|record| record.answer.clone()) {
            return Ok(Once::Before(answer.try_into()?));
        }
        let answer = self.command.decide(world, context)?;
        world.put_key(KeyRecord { answer: Some(C::Kept::from(&answer).into()), ..key.to_record(context) });
        Ok(Once::Now(answer))
    }
}
