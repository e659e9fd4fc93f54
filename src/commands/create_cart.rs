//! Makes a cart, perhaps with something in it already. It takes no stock.

use crate::domain::cart::Cart;
use crate::domain::id::CartId;
use crate::domain::rejection::Refusal;
use crate::writer::world::World;

use super::update_cart::{CartChange, change_lines};
use super::{Command, Context, Footprint};

/// Makes a cart.
#[derive(Debug)]
pub struct CreateCart {
    /// What is in it at first.
    pub items: Vec<CartChange>,
}

impl Command for CreateCart {
    type Answer = CartId;

    fn footprint(&self) -> Footprint {
        Footprint { seen: self.items.iter().map(|item| item.product).collect(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        1 + self.items.len()
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<CartId, Refusal> {
        let id = CartId(context.random.secret_uuid());
        let mut cart = Cart::new(id, context.who.owner().map(str::to_owned), context.now);
        change_lines(world, &mut cart, (&self.items, Cart::add), context.who)?;
        world.carts.insert(id, cart);
        Ok(id)
    }
}
