//! A change of availability as clients see it.

use async_graphql::{Context, Object};

use crate::graphql::Viewer;
use crate::graphql::budget::Charged;
use crate::graphql::product::{Product, product_of};
use crate::graphql::scalars::DateTime;
use crate::live;
use domain::product::ProductRecord;

use super::types::Availability;

/// What a shopper can expect of a product, where that is news to the subscriber.
#[derive(Debug, Clone)]
pub struct AvailabilityChange(pub live::AvailabilityChange);

/// What a shopper can expect of a product, where that is news to the subscriber.
#[Object(guard = "Charged")]
impl AvailabilityChange {
    /// Whose availability it is.
    async fn product(&self, context: &Context<'_>) -> async_graphql::Result<Product> {
        let stock = &self.0.stock;
        let Product(record) = product_of(context, stock.product).await?;
        // What it says of stock is this state, not one that is newer by now.
        Ok(Product(ProductRecord { stock: Some(stock.clone()), ..record }))
    }

    /// What this subscription said last of the product. Null in its first message.
    async fn from(&self) -> Option<Availability> {
        self.0.from.map(Into::into)
    }

    /// What a shopper can expect now. Never what `from` says.
    async fn to(&self) -> Availability {
        self.0.stock.availability().into()
    }

    /// The version of the stock record that this is about: `Stock.version`.
    async fn version(&self, context: &Context<'_>) -> i32 {
        self.0.stock.version_for(Viewer::of(context).sees()).0
    }

    /// When that version came to be. In the first message the availability may be older than that.
    async fn at(&self, context: &Context<'_>) -> DateTime {
        DateTime(self.0.stock.version_for(Viewer::of(context).sees()).1)
    }
}
