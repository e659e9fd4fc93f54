//! Queries of webhooks.

use async_graphql::{Context, Object};

use crate::app::App;
use crate::graphql::Viewer;
use crate::graphql::error::{Nullable, failure, nullable};

use super::types::Webhook;

/// Queries of webhooks.
#[derive(Debug, Default)]
pub struct WebhookQueries;

#[Object]
impl WebhookQueries {
    /// The webhooks of the shop, oldest first. At most 20. Staff only.
    async fn webhooks(&self, context: &Context<'_>) -> Nullable<Vec<Webhook>> {
        nullable(async {
            Viewer::of(context).must_be_staff()?;
            let found = context.data_unchecked::<App>().store.webhooks().await;
            Ok(Some(found.map_err(|error| failure(&error))?.into_iter().map(Webhook).collect()))
        })
        .await
    }
}
