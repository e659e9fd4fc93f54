//! Carts: what shoppers mean to buy.

mod mutations;
mod types;

use async_graphql::{Context, ID, Object};

use crate::graphql::error::{Nullable, nullable};
use crate::graphql::keys::id;
use crate::graphql::viewer;
use domain::id::CartId;

pub use mutations::CartMutations;
pub use types::Cart;

/// Queries of carts.
#[derive(Debug, Default)]
pub struct CartQueries;

#[Object]
impl CartQueries {
    /// A cart by its id; null when there is none.
    async fn cart(&self, context: &Context<'_>, #[graphql(desc = "The cart's id.")] id: ID) -> Nullable<Cart> {
        nullable(async {
            let cart: CartId = self::id(&id)?;
            Ok(viewer::cart(context, cart).await?.map(Cart::from))
        })
        .await
    }
}
