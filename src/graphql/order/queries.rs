//! Queries of orders.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};

use crate::app::App;
use crate::graphql::error::{Nullable, failure, nullable};
use crate::graphql::keys::{at_most, id};
use crate::graphql::page::{Connection, PageArguments, connection};
use crate::graphql::viewer;
use crate::graphql::{Code, Viewer};
use crate::read::{self, OrderCursor};
use domain::actor::Actor;
use domain::id::OrderId;

use super::types::{Order, OrderPaymentStatus, OrderShippingStatus, OrderStatus};

/// Cursors of lists of orders.
const CURSOR: &str = "order";

/// Most values in a filter of the list.
const MAX_FILTER: usize = 10;

/// Which orders are wanted; what is not given, or is an empty list, is not filtered by.
#[derive(Debug, Default, InputObject)]
pub struct OrderFilter {
    /// Only orders with one of these. All if omitted or empty.
    status: Option<Vec<OrderStatus>>,
    /// Only orders with one of these. All if omitted or empty.
    payment: Option<Vec<OrderPaymentStatus>>,
    /// Only orders with one of these. All if omitted or empty.
    shipping: Option<Vec<OrderShippingStatus>>,
}

/// Queries of orders.
#[derive(Debug, Default)]
pub struct OrderQueries;

#[Object]
impl OrderQueries {
    /// An order by its id; null when there is none.
    async fn order(&self, context: &Context<'_>, #[graphql(desc = "The order's id.")] id: ID) -> Nullable<Order> {
        nullable(async {
            let order: OrderId = self::id(&id)?;
            Ok(viewer::order(context, order).await?.map(Order))
        })
        .await
    }

    /// Orders, newest first. Staff see every order; a signed-in customer sees their own. A page that is filtered may have
    /// fewer orders than asked for, or none, although `hasNextPage` is true: the next page after `endCursor` goes on looking.
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only these orders. All if omitted.")] filter: Option<OrderFilter>,
        #[graphql(desc = "Returns the first n items (1 to 100, default 20).")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Returns the last n items (1 to 100).")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Nullable<Connection<Order>> {
        nullable(async {
            let request = PageArguments { first, after, last, before }.request(CURSOR)?;
            let owner = match &Viewer::of(context).actor {
                Actor::System | Actor::Staff(_) => None,
                Actor::Customer(subject) => Some(subject.clone()),
                Actor::Guest => return Err(Code::Unauthenticated.error("Sign in to see your orders.")),
            };
            let filter = read::OrderFilter { owner, ..filter.unwrap_or_default().decode()? };
            let page = context.data_unchecked::<App>().store.order_page(&filter, &request).await;
            Ok(Some(connection(CURSOR, page.map_err(|error| failure(&error))?, OrderCursor::of, |record| {
                Order(Arc::new(record))
            })))
        })
        .await
    }
}

impl OrderFilter {
    fn decode(self) -> async_graphql::Result<read::OrderFilter> {
        fn all<A: Into<B>, B>(values: Option<Vec<A>>) -> async_graphql::Result<Vec<B>> {
            let values = values.unwrap_or_default();
            at_most("values", values.len(), MAX_FILTER)?;
            Ok(values.into_iter().map(Into::into).collect())
        }
        Ok(read::OrderFilter {
            owner: None,
            status: all(self.status)?,
            payment: all(self.payment)?,
            shipping: all(self.shipping)?,
        })
    }
}
