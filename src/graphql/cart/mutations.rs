//! Shoppers fill carts.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::app::App;
use crate::graphql::Viewer;
use crate::graphql::error::{UserError, refusable};
use crate::graphql::keys::{at_most, id, idempotency_key};
use crate::graphql::viewer;
use domain::cart::{self, MAX_ITEMS};
use domain::commands::{CartChange, Command, CreateCart, UpdateCart};
use domain::world::idempotency::{Keyed, Once};

use super::types::Cart;

/// A cart to be made.
#[derive(Debug, Default, InputObject)]
pub struct CreateCartInput {
    /// What is in it at first. At most 100; a product that comes several times counts together.
    items: Option<Vec<CartItemInput>>,
}

/// A quantity of a product.
#[derive(Debug, InputObject)]
pub struct CartItemInput {
    /// Of which product.
    product_id: ID,
    /// How many: 1 to 1,000,000,000; 0 removes the item where quantities are set.
    quantity: i32,
}

/// What is to be added to a cart.
#[derive(Debug, InputObject)]
pub struct AddToCartInput {
    /// Which cart.
    cart_id: ID,
    /// What to add. At most 100; a product that comes several times counts together.
    items: Vec<CartItemInput>,
    /// The same key with the same input has one effect and one answer, for 24 hours.
    idempotency_key: Option<String>,
}

/// What is to be in a cart.
#[derive(Debug, InputObject)]
pub struct UpdateCartInput {
    /// Which cart.
    cart_id: ID,
    /// The quantities to set; 0 removes the item. At most 100, each product once: a second one is INVALID_INPUT.
    items: Vec<CartItemInput>,
}

/// The result of a mutation of a cart.
#[derive(Debug, SimpleObject)]
pub struct CartPayload {
    /// The cart; null when refused.
    cart: Option<Cart>,
    /// Why it was refused; empty otherwise.
    user_errors: Vec<UserError>,
}

/// Mutations of carts. For shoppers.
#[derive(Debug, Default)]
pub struct CartMutations;

#[Object]
impl CartMutations {
    /// Makes a cart, perhaps with something in it already. It takes no stock.
    async fn create_cart(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The items to begin with.")] input: Option<CreateCartInput>,
    ) -> async_graphql::Result<CartPayload> {
        let items = changes(&input.unwrap_or_default().items.unwrap_or_default())?;
        submit(context, CreateCart { items }).await
    }

    /// Adds to what the cart has. Refused, with nothing changed, when a product's quantity in this cart would exceed what
    /// is available.
    async fn add_to_cart(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The items to add.")] input: AddToCartInput,
    ) -> async_graphql::Result<CartPayload> {
        let key = idempotency_key(context, "addToCart", input.idempotency_key.as_ref(), Some(&input.cart_id), &input)?;
        let command = UpdateCart::Add(id(&input.cart_id)?, changes(&input.items)?);
        let app = context.data_unchecked::<App>();
        let keyed = Keyed { key, command };
        let added = app.holds.retry(|| app.writer.submit(Viewer::of(context), keyed.clone())).await;
        let cart = match refusable(added)? {
            Ok(Once::Now(cart)) => Some(cart),
            Ok(Once::Before(id)) => viewer::cart(context, id).await?,
            Err(user_errors) => return Ok(CartPayload { cart: None, user_errors }),
        };
        Ok(CartPayload { cart: cart.map(Cart::from), user_errors: Vec::new() })
    }

    /// Sets quantities; 0 removes the item. A product that comes twice in one call is refused as INVALID_INPUT.
    async fn update_cart(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The quantities to set.")] input: UpdateCartInput,
    ) -> async_graphql::Result<CartPayload> {
        submit(context, UpdateCart::Set(id(&input.cart_id)?, changes(&input.items)?)).await
    }
}

fn changes(items: &[CartItemInput]) -> async_graphql::Result<Vec<CartChange>> {
    at_most("items", items.len(), MAX_ITEMS)?;
    items.iter().map(|item| Ok(CartChange { product: id(&item.product_id)?, quantity: item.quantity })).collect()
}

async fn submit<C: Clone + Command<Answer = cart::Cart>>(
    context: &Context<'_>,
    command: C,
) -> async_graphql::Result<CartPayload> {
    let app = context.data_unchecked::<App>();
    Ok(match refusable(app.holds.retry(|| app.writer.submit(Viewer::of(context), command.clone())).await)? {
        Ok(cart) => CartPayload { cart: Some(cart.into()), user_errors: Vec::new() },
        Err(user_errors) => CartPayload { cart: None, user_errors },
    })
}
