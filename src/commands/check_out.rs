//! Turns a cart into an unpaid order after a last look at what is available. It takes no stock: orders that are not
//! paid may add up to more than there is.

use crate::domain::cart::{Cart, Status as CartStatus};
use crate::domain::id::{CartId, OrderId, OrderItemId};
use crate::domain::money::Money;
use crate::domain::order::{Customer, Item, Order, PaymentStatus, ShippingStatus, Status};
use crate::domain::rejection::{Refusal, Rejection};
use crate::domain::text;
use crate::writer::world::World;

use super::cart_lines::{must_be_available, must_be_for_sale, subtotal};
use super::{Command, Context, Footprint};

/// Checks a cart out.
#[derive(Debug)]
pub struct CheckOut {
    cart: CartId,
    customer: Option<Customer>,
}

impl CheckOut {
    /// Checks what can be checked without looking at the cart.
    ///
    /// # Errors
    /// A customer's name or address that is not acceptable.
    pub fn check(cart: CartId, customer: Option<(Option<&str>, &str)>) -> Result<Self, Refusal> {
        let customer = match customer {
            Some((name, email)) => Some(Customer {
                name: text::optional_line("name", name, text::MAX_NAME_LENGTH)
                    .map_err(|r| r.at(["customer", "name"]))?,
                email: text::email(email)?,
            }),
            None => None,
        };
        Ok(Self { cart, customer })
    }

    /// An order with names and prices as they are now.
    fn place(&self, world: &World, cart: &Cart, total: Money, context: &mut Context<'_>) -> Result<Order, Rejection> {
        let mut items = Vec::with_capacity(cart.lines.len());
        for line in &cart.lines {
            let product = world.product(line.product)?;
            items.push(Item {
                id: OrderItemId(context.random.ordered_uuid(context.now)),
                product: product.id,
                sku: product.sku.clone(),
                name: product.name.clone(),
                unit_price: product.price,
                quantity: line.quantity,
                allocated: 0,
                shipped: 0,
                cancelled: 0,
            });
        }
        Ok(Order {
            id: OrderId(context.random.secret_uuid()),
            number: context.random.order_number(),
            status: Status::Incomplete,
            payment: PaymentStatus::Unpaid,
            shipping: ShippingStatus::Unfulfilled,
            cart: cart.id,
            // A guest's cart that a signed-in customer checks out becomes theirs.
            owner: cart.owner.clone().or_else(|| context.who.owner().map(str::to_owned)),
            customer: self.customer.clone(),
            items,
            total,
            cancel_reason: None,
            cancel_note: None,
            version: 1,
            placed_at: context.now,
            updated_at: context.now,
        })
    }
}

impl Command for CheckOut {
    type Answer = OrderId;

    fn footprint(&self) -> Footprint {
        Footprint { carts: vec![self.cart], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<OrderId, Refusal> {
        let mut cart = world.cart(self.cart, context.who).map_err(|r| r.at(["cartId"]))?.clone();
        cart.must_be_open()?;
        for line in &cart.lines {
            must_be_for_sale(world.product(line.product)?).map_err(|r| r.at(["cartId"]))?;
        }
        must_be_available(world, cart.lines.iter().map(|line| (line.product, line.quantity)))?;
        let total = subtotal(world, &cart).map_err(|r| r.at(["cartId"]))?;
        let Some(total) = total else {
            return Err(Rejection::invalid_state("The cart is empty.").into());
        };
        let order = self.place(world, &cart, total, context)?;
        let id = order.id;
        cart.status = CartStatus::CheckedOut;
        cart.owner.clone_from(&order.owner);
        cart.updated_at = cart.updated_at.max(context.now);
        world.carts.insert(cart.id, cart);
        world.orders.insert(id, order);
        Ok(id)
    }
}
