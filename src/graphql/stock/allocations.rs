//! Which orders hold units of a product, as staff see it.

use async_graphql::{Context, Object};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::budget::Charged;
use crate::graphql::error::failure;
use crate::graphql::loaders::told;
use crate::graphql::order::Order;
use crate::graphql::page::{Connection, PageArguments, connection};
use crate::graphql::scalars::DateTime;
use crate::graphql::{Viewer, viewer};
use crate::read::{Allocation, AllocationCursor};
use domain::id::ProductId;

/// Cursors of lists of allocations.
const CURSOR: &str = "allocations";

/// Units of a product that an order holds.
#[derive(Debug, Clone)]
pub struct StockAllocation(Allocation);

/// Units of a product that an order holds.
#[Object(guard = "Charged")]
impl StockAllocation {
    /// The order that holds them.
    async fn order(&self, context: &Context<'_>) -> async_graphql::Result<Order> {
        let order = viewer::order(context, self.0.order).await?;
        order.map(Order).ok_or_else(|| failure(&Error::Failure(anyhow::anyhow!("{} is missing", self.0.order))))
    }

    /// How many units it holds.
    async fn quantity(&self) -> i32 {
        self.0.quantity
    }

    /// When they were allocated: the time of the newest ALLOCATE transaction of this order and product.
    async fn since(&self) -> DateTime {
        DateTime(self.0.since)
    }

    /// When a hold ends by itself; null when the order is paid or being paid.
    async fn expires_at(&self, context: &Context<'_>) -> async_graphql::Result<Option<DateTime>> {
        let order = viewer::order(context, self.0.order).await?;
        let until = order.filter(|record| record.order.is_holding()).and_then(|record| record.order.held_until);
        Ok(until.map(DateTime))
    }
}

/// A page of the orders that hold units of a product.
///
/// # Errors
/// As for every page; `FORBIDDEN` or `UNAUTHENTICATED` for everybody but staff.
pub async fn allocation_connection(
    context: &Context<'_>,
    product: ProductId,
    arguments: PageArguments,
) -> async_graphql::Result<Option<Connection<StockAllocation>>> {
    Viewer::of(context).must_be_staff()?;
    let request = arguments.request(CURSOR)?;
    let store = &context.data_unchecked::<App>().store;
    let page = store.allocation_page(product, &request).await.map_err(|error| told(context, &error))?;
    Ok(Some(connection(CURSOR, page, AllocationCursor::of, StockAllocation)))
}
