//! What a shopper means to buy. A cart holds no stock, ever.

use super::Time;
use super::id::{CartId, ProductId};
use super::quantity;
use super::rejection::{Code, Rejection};
use crate::codes;

/// Most different products in one cart.
pub const MAX_ITEMS: usize = 100;

codes! {
    /// How far a cart has come.
    Status {
        /// Being filled.
        Open = "open",
        /// Turned into an order.
        CheckedOut = "checked_out",
        /// Left alone for too long.
        Expired = "expired",
    }
}

/// So many units of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Of what.
    pub product: ProductId,
    /// How many: 1 to 1,000,000,000.
    pub quantity: i32,
}

/// A cart with one item per product, in the order in which they were first added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    /// Its id: for a guest, the only key to it.
    pub id: CartId,
    /// How far it has come.
    pub status: Status,
    /// Whose it is; `None` for a guest's.
    pub owner: Option<String>,
    /// At most 100.
    pub items: Vec<Item>,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Cart {
    /// An empty cart.
    #[must_use]
    pub const fn new(id: CartId, owner: Option<String>, now: Time) -> Self {
        Self { id, status: Status::Open, owner, items: Vec::new(), created_at: now, updated_at: now }
    }

    /// How many units of this product are in the cart.
    #[must_use]
    pub fn quantity_of(&self, product: ProductId) -> i32 {
        self.items.iter().find(|item| item.product == product).map_or(0, |item| item.quantity)
    }

    /// Adds units to what the cart has: adding again adds.
    ///
    /// # Errors
    /// `INVALID_QUANTITY` for a quantity outside 1 to 1,000,000,000 or a sum beyond it, `LIMIT_EXCEEDED` for too many
    /// different products.
    pub fn add(&mut self, product: ProductId, more: i32) -> Result<(), Rejection> {
        let quantity = quantity::sum(self.quantity_of(product), quantity::at_least_one(more)?)?;
        self.set(product, quantity)
    }

    /// Sets how many units of this product are wanted; 0 removes the item.
    ///
    /// # Errors
    /// As for [`Cart::add`].
    pub fn set(&mut self, product: ProductId, quantity: i32) -> Result<(), Rejection> {
        let quantity = quantity::at_least_zero(quantity)?;
        let place = self.items.iter().position(|item| item.product == product);
        match place {
            _ if quantity == 0 => self.items.retain(|item| item.product != product),
            Some(place) => self.items[place].quantity = quantity,
            None if self.items.len() >= MAX_ITEMS => {
                let message = format!("A cart has at most {MAX_ITEMS} different products.");
                return Err(Rejection::new(Code::LimitExceeded, message));
            }
            None => self.items.push(Item { product, quantity }),
        }
        Ok(())
    }

    /// Refuses unless the cart can still be changed.
    ///
    /// # Errors
    /// `INVALID_STATE` for a cart that is checked out or expired.
    pub fn must_be_open(&self) -> Result<(), Rejection> {
        match self.status {
            Status::Open => Ok(()),
            Status::CheckedOut => Err(Rejection::invalid_state("The cart is checked out already.")),
            Status::Expired => Err(Rejection::invalid_state("The cart has expired.")),
        }
    }
}

impl From<&Cart> for CartId {
    fn from(cart: &Cart) -> Self {
        cart.id
    }
}
