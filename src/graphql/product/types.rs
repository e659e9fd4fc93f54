//! The product as clients see it.

use async_graphql::{Context, Enum, ID, Object};

use crate::database::error::Error;
use crate::graphql::Viewer;
use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, failure};
use crate::graphql::loaders::load;
use crate::graphql::money::Money;
use crate::graphql::scalars::DateTime;
use crate::graphql::stock::{Availability, Stock};
use domain::id::ProductId;
use domain::product::ProductRecord;
use domain::stock as domain_stock;

/// A product of the catalogue.
#[derive(Debug, Clone)]
pub struct Product(pub ProductRecord);

/// A product of the catalogue.
#[Object(guard = "Charged")]
impl Product {
    /// The global id.
    pub async fn id(&self) -> ID {
        self.0.product.id.into()
    }

    /// The stock keeping unit: trimmed, at most 64 characters, unique ignoring case.
    async fn sku(&self) -> &str {
        &self.0.product.sku
    }

    /// The product's part of a web address, unique.
    async fn slug(&self) -> &str {
        &self.0.product.slug
    }

    /// The name, at most 200 characters.
    async fn name(&self) -> Text<&str> {
        Text(&self.0.product.name)
    }

    /// What there is to say about it.
    async fn description(&self) -> Option<Text<&str>> {
        self.0.product.description.as_deref().map(Text)
    }

    /// The price of one unit.
    async fn price(&self) -> Money {
        self.0.product.price.into()
    }

    /// Whether stock is checked, allocated and shipped for this product. When false, every quantity can be bought.
    #[expect(clippy::unused_async, reason = "resolvers are")]
    async fn manage_stock(&self) -> async_graphql::Result<bool> {
        Ok(self.record()?.managed)
    }

    /// At or below this available count the product is LOW_STOCK. 0 switches it off. Those who see capped counts see no more
    /// than the cap.
    #[expect(clippy::unused_async, reason = "resolvers are")]
    async fn low_stock_threshold(&self, context: &Context<'_>) -> async_graphql::Result<i32> {
        Ok(Viewer::of(context).sees().count(self.record()?.low_stock_threshold))
    }

    /// What a shopper can expect.
    #[expect(clippy::unused_async, reason = "resolvers are")]
    async fn availability(&self) -> async_graphql::Result<Availability> {
        Ok(self.record()?.availability().into())
    }

    /// The three numbers. The same record as `stock(productId:)`, never older. Null when stock is not managed.
    async fn stock(&self) -> Nullable<Stock> {
        self.record().map(|stock| Some(stock.clone()).filter(|stock| stock.managed).map(Stock)).transpose()
    }

    /// Whether it is for sale.
    async fn status(&self) -> ProductStatus {
        self.0.product.status.into()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.product.created_at)
    }

    /// When what the catalogue says last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.product.updated_at)
    }
}

impl Product {
    fn record(&self) -> async_graphql::Result<&domain_stock::Stock> {
        self.0.stock.as_ref().ok_or_else(|| {
            let missing = anyhow::anyhow!("{} has no stock record", self.0.product.id);
            failure(&Error::Failure(missing))
        })
    }
}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::product::Status")]
pub enum ProductStatus {
    /// For sale.
    Active,
    /// No longer added, checked out or paid; what is allocated still ships or cancels.
    Archived,
}

/// The product that something belongs to. Products are never deleted.
///
/// # Errors
/// When the database does not answer.
pub async fn product_of(context: &Context<'_>, id: ProductId) -> async_graphql::Result<Product> {
    present(id, load(context, id).await?)
}

/// A product that must be there.
///
/// # Errors
/// When it is not.
pub fn present(id: ProductId, product: Option<ProductRecord>) -> async_graphql::Result<Product> {
    product.map(Product).ok_or_else(|| {
        let missing = anyhow::anyhow!("{id} is missing");
        failure(&Error::Failure(missing))
    })
}
