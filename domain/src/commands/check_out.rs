//! Turns a cart into an unpaid order after a last look at what is available. It takes no stock: orders that are not
//! paid may add up to more than there is.

use crate::cart::{Cart, Status as CartStatus};
use crate::id::{CartId, OrderId, OrderItemId};
use crate::money::Money;
use crate::order::{Customer, Item, Order, OrderRecord, PaymentStatus, ShippingStatus, Status};
use crate::rejection::{Rejection, Rejections};
use crate::text;
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::cart_items::{must_be_available, must_be_for_sale, subtotal};
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
    pub fn check(cart: CartId, customer: Option<(Option<&str>, &str)>) -> Result<Self, Rejections> {
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
    fn place(
        &self,
        world: &World<'_>,
        cart: &Cart,
        total: Money,
        context: &mut Context<'_>,
    ) -> Result<Order, Rejection> {
        let mut items = Vec::with_capacity(cart.items.len());
        for item in &cart.items {
            let product = world.product(item.product)?;
            items.push(Item {
                id: OrderItemId(context.random.ordered_uuid(context.now)),
                product: product.id,
                sku: product.sku.clone(),
                name: product.name.clone(),
                unit_price: product.price,
                quantity: item.quantity,
                allocated: 0,
                shipped: 0,
                cancelled: 0,
                returned: 0,
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
            owner: cart.owner.clone().or_else(|| context.actor.owner().map(str::to_owned)),
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
    type Answer = OrderRecord;

    fn footprint(&self) -> Footprint {
        Footprint { carts: vec![self.cart], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<OrderRecord, Rejections> {
        let mut cart = world.cart(self.cart, context.actor).map_err(|r| r.at(["cartId"]))?.clone();
        cart.must_be_open()?;
        for item in &cart.items {
            must_be_for_sale(world.product(item.product)?).map_err(|r| r.at(["cartId"]))?;
        }
        must_be_available(world, cart.items.iter().map(|item| (item.product, item.quantity)))?;
        let total = subtotal(world, &cart).map_err(|r| r.at(["cartId"]))?;
        let Some(total) = total else {
            return Err(Rejection::invalid_state("The cart is empty.").into());
        };
        let order = self.place(world, &cart, total, context)?;
        let id = order.id;
        cart.status = CartStatus::CheckedOut;
        cart.owner.clone_from(&order.owner);
        cart.updated_at = cart.updated_at.max(context.now);
        world.put_cart(cart);
        world.put_order(order);
        Ok(world.order_record(id)?)
    }
}

impl Repeatable for CheckOut {
    type Kept = OrderId;
}
