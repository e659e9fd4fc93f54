//! Closes carts that nobody came back for. They stay readable; nothing can be put into them any more.

use crate::Time;
use crate::actor::Actor;
use crate::cart::Status;
use crate::id::CartId;
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Expires those of these carts that are still open and untouched. Whoever touched one in between keeps it.
#[derive(Debug)]
pub struct ExpireCarts {
    /// The carts, as somebody has read them.
    pub carts: Vec<CartId>,
    /// Touched last before this.
    pub untouched_since: Time,
}

impl Command for ExpireCarts {
    /// How many of them expired.
    type Answer = usize;

    fn footprint(&self) -> Footprint {
        Footprint { carts: self.carts.clone(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        self.carts.len()
    }

    fn decide(&self, world: &mut World<'_>, _: &mut Context<'_>) -> Result<usize, Rejections> {
        let mut count = 0;
        for id in &self.carts {
            // Somebody else may have deleted it.
            let Ok(cart) = world.cart(*id, &Actor::System) else { continue };
            if cart.status == Status::Open && cart.updated_at < self.untouched_since {
                let mut cart = cart.clone();
                cart.status = Status::Expired;
                world.put_cart(cart);
                count += 1;
            }
        }
        Ok(count)
    }
}
