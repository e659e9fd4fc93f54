//! Queries of stock.

use async_graphql::{Context, ID, Object};

use crate::graphql::error::{Nullable, nullable};
use crate::graphql::keys::{id, ids};
use crate::graphql::loaders::{load, load_many};
use crate::graphql::page::{Connection, PageArguments};
use domain::id::{ProductId, StockId};

use super::log::{StockTransaction, StockTransactionFilter, log_connection};
use super::types::Stock;

/// Queries of stock.
#[derive(Debug, Default)]
pub struct StockQueries;

#[Object]
impl StockQueries {
    /// The stock record of one product, straight from the source of truth. Null when unknown or not managed.
    async fn stock(&self, context: &Context<'_>, #[graphql(desc = "The product.")] product_id: ID) -> Nullable<Stock> {
        nullable(async {
            let product: ProductId = id(&product_id)?;
            Ok(load(context, StockId::from(product)).await?.filter(|stock| stock.managed).map(Stock))
        })
        .await
    }

    /// Many stock records in one round trip, in the order asked for, null where unknown or not managed. At most 100.
    async fn stocks(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The product.")] product_ids: Vec<ID>,
    ) -> async_graphql::Result<Vec<Option<Stock>>> {
        let products: Vec<ProductId> = ids(&product_ids)?;
        let found = load_many(context, products.iter().map(|id| StockId::from(*id))).await?;
        let managed = |id: &ProductId| found.get(&StockId::from(*id)).filter(|stock| stock.managed).cloned().map(Stock);
        Ok(products.iter().map(managed).collect())
    }

    /// The transactional log over all products, newest first. Staff only. A page of some products that is filtered by
    /// actions or reasons may have fewer rows than asked for, or none, although `hasNextPage` is true: the next page after
    /// `endCursor` goes on looking.
    async fn stock_transactions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only these transactions. All if omitted.")] filter: Option<StockTransactionFilter>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<StockTransaction>> {
        nullable(async {
            let filter = filter.unwrap_or_default().decode()?;
            log_connection(context, &filter, PageArguments { first, after, last, before }).await
        })
        .await
    }
}
