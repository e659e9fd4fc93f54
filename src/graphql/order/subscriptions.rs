//! A live order.

use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::{Stream, StreamExt};
use uuid::Uuid;

use crate::app::App;
use crate::faults::{self, Point};
use crate::graphql::error::failure;
use crate::graphql::{Code, Viewer};
use crate::live::order_changes;
use domain::id::OrderId;

use super::types::Order;

/// Subscriptions to orders.
#[derive(Debug, Default)]
pub struct OrderSubscriptions;

#[Subscription]
impl OrderSubscriptions {
    /// An order now, then whenever anything of it changes. A slow reader skips to the newest state. NOT_FOUND when there is
    /// no such order.
    async fn order_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The order.")] id: ID,
    ) -> async_graphql::Result<impl Stream<Item = Order> + use<>> {
        faults::reach(Point::SubscriptionResolving, Uuid::nil()).await;
        let app = context.data_unchecked::<App>();
        let order: OrderId = crate::graphql::keys::id(&id)?;
        let changes = order_changes(app.store.clone(), &app.hub, order, &Viewer::of(context).actor)
            .await
            .map_err(|error| failure(&error))?;
        Ok(changes
            .ok_or_else(|| Code::NotFound.error("There is no such order."))?
            .map(|record| Order(Arc::new(record))))
    }
}
