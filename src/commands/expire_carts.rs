//! Marks carts that nobody touched for a long time. A cart that was touched since it was found is left alone.

use crate::domain::Time;
use crate::domain::cart::Status;
use crate::domain::id::CartId;
use crate::domain::rejection::Refusal;
use crate::writer::world::World;

use super::{Command, Context, Footprint};

/// Expires carts.
#[derive(Debug)]
pub struct ExpireCarts {
    /// Which were found to be old.
    pub carts: Vec<CartId>,
    /// Untouched since before this.
    pub untouched_since: Time,
}

impl Command for ExpireCarts {
    /// How many expired.
    type Answer = usize;

    fn footprint(&self) -> Footprint {
        Footprint { carts: self.carts.clone(), ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, _: &mut Context<'_>) -> Result<usize, Refusal> {
        let mut expired = 0;
        for id in &self.carts {
            let is_old = |status: Status, at: Time| status == Status::Open && at < self.untouched_since;
            if let Some(cart) = world.carts.edit(id).filter(|cart| is_old(cart.status, cart.updated_at)) {
                cart.status = Status::Expired;
                expired += 1;
            }
        }
        Ok(expired)
    }
}
