//! The product as clients see it.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::database::error::Error;
use crate::graphql::Viewer;
use crate::graphql::budget::{Charged, Text};
use crate::graphql::error::{Nullable, failure};
use crate::graphql::scalars::{DateTime, Long};
use crate::graphql::stock::Stock;
use domain::product::ProductRecord;
use domain::{money, stock as domain_stock};

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

/// What a shopper can expect of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::stock::Availability")]
pub enum Availability {
    /// More than the threshold is available.
    InStock,
    /// Something is available, but no more than the threshold.
    LowStock,
    /// Nothing is available.
    OutOfStock,
    /// Stock is not managed: every quantity can be bought.
    Untracked,
}

/// An amount of money.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct Money {
    /// Minor units, for example cents.
    amount: Long,
    /// ISO 4217.
    currency: &'static str,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self { amount: Long(money.amount), currency: money.currency.code() }
    }
}

/// An amount of money.
#[derive(Debug, Clone, InputObject)]
pub struct MoneyInput {
    /// Minor units, for example cents: 0 to 2^53 - 1.
    pub amount: Long,
    /// ISO 4217, for example EUR.
    pub currency: String,
}
