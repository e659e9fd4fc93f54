//! Forgets idempotency keys whose time is over. A key whose payment is still open is kept, however old.

use crate::domain::Time;
use crate::domain::payment::KeyId;
use crate::domain::rejection::Refusal;
use crate::writer::world::World;

use super::{Command, Context, Footprint};

/// Forgets keys.
#[derive(Debug)]
pub struct ForgetKeys {
    /// Which were found to be old.
    pub keys: Vec<KeyId>,
    /// Older than this.
    pub created_before: Time,
}

impl Command for ForgetKeys {
    /// How many were forgotten.
    type Answer = usize;

    fn footprint(&self) -> Footprint {
        Footprint { keys: self.keys.clone(), ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, _: &mut Context<'_>) -> Result<usize, Refusal> {
        let mut forgotten = 0;
        for id in &self.keys {
            if world.keys.get(id).is_some_and(|key| key.answer.is_some() && key.created_at < self.created_before) {
                world.keys.remove(id);
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }
}
