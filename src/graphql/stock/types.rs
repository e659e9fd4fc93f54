//! The stock record as clients see it.

use async_graphql::{Context, Enum, ID, Object};

use crate::graphql::Viewer;
use crate::graphql::budget::Charged;
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::keys::{any_of, at_most};
use crate::graphql::loaders::{DemandOf, NumbersAt, load};
use crate::graphql::page::{Connection, PageArguments};
use crate::graphql::product::{Product, product_of};
use crate::graphql::scalars::DateTime;
use crate::read::LogFilter;
use domain::id::StockId;
use domain::product::ProductRecord;
use domain::stock;

use super::allocations::{StockAllocation, allocation_connection};
use super::log::{MAX_FILTER, StockAction, StockTransaction, log_connection};
use super::numbers::{StockDemand, StockNumbers};

/// What is in the warehouse of one product.
#[derive(Debug, Clone)]
pub struct Stock(pub stock::Stock);

/// What is in the warehouse of one product. A Node, so that a normalising client cache updates every view of it when a
/// subscription delivers a newer one; an answer with a lower version is never newer.
#[Object(guard = "Charged")]
impl Stock {
    /// The global id.
    pub async fn id(&self) -> ID {
        StockId::from(self.0.product).into()
    }

    /// Whose stock it is.
    async fn product(&self, context: &Context<'_>) -> async_graphql::Result<Product> {
        let Product(record) = product_of(context, self.0.product).await?;
        // What it says of stock is this record, not one that is newer by now.
        Ok(Product(ProductRecord { stock: Some(self.0.clone()), ..record }))
    }

    /// Units in the warehouse, available and allocated together. Null for those who see capped counts.
    async fn total(&self, context: &Context<'_>) -> Option<i32> {
        sees_all(context).then_some(self.0.numbers.total)
    }

    /// Units that can still be bought: total minus allocated. Those who see capped counts see no more than the cap.
    async fn available(&self, context: &Context<'_>) -> i32 {
        Viewer::of(context).sees().count(self.0.available())
    }

    /// Units that belong to someone already and have not been shipped. Null for those who see capped counts.
    async fn allocated(&self, context: &Context<'_>) -> Option<i32> {
        sees_all(context).then_some(self.0.numbers.allocated)
    }

    /// Units of `allocated` that orders hold for a time although they are not paid yet. Null for those who see capped counts.
    async fn held(&self, context: &Context<'_>) -> Option<i32> {
        sees_all(context).then_some(self.0.held)
    }

    /// What a shopper can expect.
    async fn availability(&self) -> Availability {
        self.0.availability().into()
    }

    /// Rises with every change of the numbers, of the threshold or of whether stock is managed, and when the product is
    /// archived or restored, so a greater version is a newer state. For those who see capped counts it rises when what they
    /// see changes.
    async fn version(&self, context: &Context<'_>) -> i32 {
        self.0.version_for(Viewer::of(context).sees()).0
    }

    /// When it last changed.
    async fn updated_at(&self, context: &Context<'_>) -> DateTime {
        DateTime(self.0.version_for(Viewer::of(context).sees()).1)
    }

    /// The history of this product, newest first. Staff only. A page that is filtered by actions may have fewer rows than
    /// asked for, or none, although `hasNextPage` is true: the next page after `endCursor` goes on looking.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn transactions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those with one of these. All if omitted or empty.")] actions: Option<Vec<StockAction>>,
        #[graphql(desc = "At this time or later.")] since: Option<DateTime>,
        #[graphql(desc = "At this time or earlier.")] until: Option<DateTime>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<StockTransaction>> {
        nullable(async {
            at_most("values", actions.as_ref().map_or(0, Vec::len), MAX_FILTER)?;
            let filter = LogFilter {
                products: Some(vec![self.0.product]),
                actions: any_of(actions).map(|actions| actions.into_iter().map(Into::into).collect()),
                since: since.map(|time| time.0),
                until: until.map(|time| time.0),
                ..LogFilter::default()
            };
            log_connection(context, &filter, PageArguments { first, after, last, before }).await
        })
        .await
    }

    /// How many units shoppers want right now. They may exceed `available`: whoever pays first gets them. Null for those who
    /// see capped counts.
    async fn demand(&self, context: &Context<'_>) -> Nullable<StockDemand> {
        nullable(async {
            if !sees_all(context) {
                return Ok(None);
            }
            let demand = load(context, DemandOf(self.0.product)).await?;
            Ok(Some(demand.unwrap_or_default().into()))
        })
        .await
    }

    /// The numbers as they stood at a moment, inclusive: after the last transaction at that moment or before. Null before the
    /// first transaction. Staff only.
    async fn as_of(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The time, for example 2026-01-31T12:00:00Z.")] time: DateTime,
    ) -> Nullable<StockNumbers> {
        nullable(async {
            Viewer::of(context).must_be_staff()?;
            Ok(load(context, NumbersAt(self.0.product, time.0)).await?.map(Into::into))
        })
        .await
    }

    /// The orders that hold units of this product, oldest first, in the order in which they were placed. Units that staff
    /// allocated are held by no order. Staff only.
    async fn allocations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<StockAllocation>> {
        let arguments = PageArguments { first, after, last, before };
        nullable(allocation_connection(context, self.0.product, arguments)).await
    }
}

/// Whether this viewer sees the numbers as they are.
fn sees_all(context: &Context<'_>) -> bool {
    Viewer::of(context).sees() == stock::PublicStock::Exact
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
