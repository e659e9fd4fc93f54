//! Makes a cart, perhaps with something in it already. It takes no stock.

use crate::cart::Cart;
use crate::id::CartId;
use crate::rejection::Rejections;
use crate::world::World;

use super::update_cart::{CartChange, change_items};
use super::{Command, Context, Footprint};

/// Makes a cart.
#[derive(Debug, Clone)]
pub struct CreateCart {
    /// What is in it at first.
    pub items: Vec<CartChange>,
}

impl Command for CreateCart {
    type Answer = Cart;

    fn footprint(&self) -> Footprint {
        Footprint { seen: self.items.iter().map(|item| item.product).collect(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        1 + self.items.len()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Cart, Rejections> {
        let id = CartId(context.random.secret_uuid());
        let mut cart = Cart::new(id, context.actor.owner().map(str::to_owned), context.now);
        change_items(world, &mut cart, &self.items, Cart::add, context.actor)?;
        world.put_cart(cart.clone());
        Ok(cart)
    }
}
