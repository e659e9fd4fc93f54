//! An item of an order as clients see it.

use async_graphql::{Context, ID, Object};

use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::loaders::load;
use crate::graphql::money::Money;
use crate::graphql::product::Product;
use domain::{money, order};

/// A line of an order.
#[derive(Debug, Clone)]
pub struct OrderItem(pub order::Item);

/// A line of an order. Name, sku and price are those of the moment of checkout.
#[Object(guard = "Charged")]
impl OrderItem {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What was bought, as it is now. Null when the product is gone.
    async fn product(&self, context: &Context<'_>) -> Nullable<Product> {
        nullable(async { Ok(load(context, self.0.product).await?.map(Product)) }).await
    }

    /// The SKU at check-out.
    async fn sku(&self) -> &str {
        &self.0.sku
    }

    /// The name at check-out.
    async fn name(&self) -> Text<&str> {
        Text(&self.0.name)
    }

    /// The price at check-out.
    async fn unit_price(&self) -> Money {
        self.0.unit_price.into()
    }

    /// Units that were ordered.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// Units that the warehouse holds for this item now.
    async fn allocated_quantity(&self) -> i32 {
        self.0.allocated
    }

    /// Units that have left the warehouse.
    async fn shipped_quantity(&self) -> i32 {
        self.0.shipped
    }

    /// Units that never will.
    async fn cancelled_quantity(&self) -> i32 {
        self.0.cancelled
    }

    /// Shipped units that came back into stock with a refund.
    async fn returned_quantity(&self) -> i32 {
        self.0.returned
    }

    /// What the units that were ordered cost.
    async fn subtotal(&self) -> Money {
        // Check-out refuses an order whose sum leaves the range, so no item of one can.
        let largest = money::Money { amount: money::MAX_AMOUNT, ..self.0.unit_price };
        self.0.unit_price.times(self.0.quantity).unwrap_or(largest).into()
    }
}
