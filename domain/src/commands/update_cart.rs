//! Adds to a cart, or sets what is in it. A cart takes no stock; it is only checked against what is available.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::cart::Cart;
use crate::id::{CartId, ProductId};
use crate::rejection::{Rejection, Rejections};
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::cart_items::{must_be_available, must_be_for_sale, subtotal};
use super::{Command, Context, Footprint};

/// So many units of a product, to be added or set.
#[derive(Debug, Clone, Copy)]
pub struct CartChange {
    /// Of which product.
    pub product: ProductId,
    /// How many.
    pub quantity: i32,
}

/// Changes what is in a cart.
#[derive(Debug, Clone)]
pub enum UpdateCart {
    /// Adds to what the cart has; a product that comes several times counts together.
    Add(CartId, Vec<CartChange>),
    /// Sets quantities; 0 removes the item. Each product once.
    Set(CartId, Vec<CartChange>),
}

type Change = fn(&mut Cart, ProductId, i32) -> Result<(), Rejection>;

impl UpdateCart {
    fn parts(&self) -> (CartId, &[CartChange], Change) {
        match self {
            Self::Add(cart, items) => (*cart, items, Cart::add),
            Self::Set(cart, items) => (*cart, items, Cart::set),
        }
    }
}

impl Command for UpdateCart {
    type Answer = Cart;

    fn footprint(&self) -> Footprint {
        let (cart, items, _) = self.parts();
        Footprint { carts: vec![cart], seen: items.iter().map(|item| item.product).collect(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        1 + self.parts().1.len()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Cart, Rejections> {
        let (id, items, change) = self.parts();
        if matches!(self, Self::Set(..)) {
            must_be_named_once(items)?;
        }
        let mut cart = world.cart(id, context.actor).map_err(|r| r.at(["cartId"]))?.clone();
        cart.must_be_open()?;
        change_items(world, &mut cart, items, change, context.actor)?;
        cart.updated_at = cart.updated_at.max(context.now);
        world.put_cart(cart.clone());
        Ok(cart)
    }
}

impl Repeatable for UpdateCart {
    type Kept = CartId;
}

/// Refuses to set the quantity of one product to two numbers.
fn must_be_named_once(items: &[CartChange]) -> Result<(), Rejections> {
    let mut seen = BTreeSet::new();
    let twice = |(i, _)| Rejection::invalid_input("A product is set only once in one call.").at(field(i, "productId"));
    let again = items.iter().enumerate().filter(|(_, item)| !seen.insert(item.product));
    let refusal: Rejections = again.map(twice).collect();
    if refusal.is_empty() { Ok(()) } else { Err(refusal) }
}

/// Changes the items of a cart and checks what grew. Lowering or removing is always allowed, whatever has become of the
/// product since. Only staff are told which item there is not enough of.
pub fn change_items(
    world: &World<'_>,
    cart: &mut Cart,
    items: &[CartChange],
    change: Change,
    actor: &Actor,
) -> Result<(), Rejections> {
    let before = cart.clone();
    for (i, item) in items.iter().enumerate() {
        world.product(item.product).map_err(|r| r.at(field(i, "productId")))?;
        change(cart, item.product, item.quantity).map_err(|r| r.at(field(i, "quantity")))?;
    }
    let grows = |product: &ProductId| cart.quantity_of(*product) > before.quantity_of(*product);
    let mut grown = BTreeSet::new();
    for (i, item) in items.iter().enumerate().filter(|(_, item)| grows(&item.product)) {
        must_be_for_sale(world.product(item.product)?).map_err(|r| r.at(field(i, "productId")))?;
        grown.insert(item.product);
    }
    if grown.is_empty() {
        return Ok(());
    }
    subtotal(world, cart).map_err(|r| r.at(["items"]))?;
    let wanted = |product: &ProductId| (*product, cart.quantity_of(*product));
    let Err(refused) = must_be_available(world, grown.iter().map(wanted)) else { return Ok(()) };
    let is_short = |item: &CartChange| must_be_available(world, [wanted(&item.product)]).is_err();
    let first = || items.iter().position(|item| grown.contains(&item.product) && is_short(item));
    Err(match actor.is_staff().then(first).flatten() {
        Some(i) => refused.at(field(i, "quantity")).into(),
        None => refused.into(),
    })
}

fn field(i: usize, name: &str) -> [String; 3] {
    ["items".to_owned(), i.to_string(), name.to_owned()]
}
