//! Outgoing webhooks and their deliveries: as they are listed, and those that are to be sent.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::webhook_delivery::Column;
use entity::{webhook, webhook_delivery};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use crate::database::webhooks as rows;
use domain::Time;
use domain::id::{DeliveryId, ProductId, WebhookId};
use domain::webhook::{Delivery, DeliveryStatus, EventKind, Webhook};

use super::Store;
use super::page::{Page, PageRequest, Sorted, page, restrict};

/// A place in the list of deliveries of a webhook, newest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeliveryCursor(i64);

impl DeliveryCursor {
    /// The place of this delivery.
    #[must_use]
    pub const fn of(delivery: &Delivery) -> Self {
        Self(delivery.position)
    }
}

/// The order of the list.
const SORTED: Sorted<'static, Column> = Sorted { columns: &[Column::Position], order: false };

impl Store {
    /// Every webhook, oldest first. Their number is bounded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        let found = webhook::Entity::find().order_by_asc(webhook::Column::Id).all(&self.db).await?;
        Ok(found.into_iter().map(rows::webhook).collect::<Result<_, _>>()?)
    }

    /// These webhooks, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhooks_by_id(&self, ids: &[WebhookId]) -> Result<Vec<Webhook>, Error> {
        let found = self.rows_by::<webhook::Entity>(webhook::Column::Id, ids.iter().map(|id| id.0)).await?;
        Ok(found.into_iter().map(rows::webhook).collect::<Result<_, _>>()?)
    }

    /// These deliveries, in any order, without those of webhooks that were deleted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deliveries_by_id(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let webhooks = Query::select().column(webhook::Column::Id).from(webhook::Entity).take();
        let query = webhook_delivery::Entity::find()
            .filter(self.among(Column::Id, &ids))
            .filter(Column::WebhookId.in_subquery(webhooks));
        Ok(query.all(&self.db).await?.into_iter().map(rows::delivery).collect::<Result<_, _>>()?)
    }

    /// The deliveries of a webhook, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delivery_page(
        &self,
        webhook: WebhookId,
        request: &PageRequest<DeliveryCursor>,
    ) -> Result<Page<Delivery, DeliveryCursor>, Error> {
        let query = webhook_delivery::Entity::find().filter(Column::WebhookId.eq(webhook.0));
        let found = restrict(query, SORTED, request, |cursor| vec![cursor.0.into()]).all(&self.db).await?;
        Ok(page(found.into_iter().map(rows::delivery).collect::<Result<_, _>>()?, request))
    }

    /// Deliveries of a webhook that are due, the longest due first: of each thing only the oldest that is not over. Those that
    /// failed before the webhook was resumed are due, too. No pause is longer than `longest_pause`: a time that is further away
    /// was given by a clock that was wrong.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_deliveries(
        &self,
        webhook: &Webhook,
        now: Time,
        longest_pause: Duration,
        limit: u64,
    ) -> Result<Vec<Delivery>, Error> {
        let due = oldest_of_things(webhook.id)
            .filter(Column::NextAttemptAt.lte(now))
            .order_by_asc(Column::NextAttemptAt)
            .order_by_asc(Column::Position);
        let mut found = due.limit(limit).all(&self.db).await?;
        let left = limit.saturating_sub(found.len() as u64);
        // Each condition is a range of an index; joined by OR they would be none.
        if left > 0 && now < webhook.resumed_at + longest_pause {
            let resumed = oldest_of_things(webhook.id)
                .filter(Column::AttemptedAt.lt(webhook.resumed_at))
                .filter(Column::NextAttemptAt.gt(now))
                .order_by_asc(Column::AttemptedAt)
                .order_by_asc(Column::Position);
            found.append(&mut resumed.limit(left).all(&self.db).await?);
        }
        let left = limit.saturating_sub(found.len() as u64);
        if left > 0 {
            let wrong = oldest_of_things(webhook.id)
                .filter(Column::NextAttemptAt.gt(now + longest_pause))
                .order_by_asc(Column::NextAttemptAt)
                .order_by_asc(Column::Position);
            let wrong = wrong.limit(left).all(&self.db).await?;
            let known: BTreeSet<i64> = found.iter().map(|row| row.position).collect();
            found.extend(wrong.into_iter().filter(|row| !known.contains(&row.position)));
        }
        Ok(found.into_iter().map(rows::delivery).collect::<Result<_, _>>()?)
    }

    /// How many deliveries that were derived from the log have been sent in vain and are not over, up to a limit.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stuck_deliveries(&self, webhook: WebhookId, limit: u64) -> Result<usize, Error> {
        let query = pending(webhook)
            .select_only()
            .column(Column::Position)
            .filter(Column::Event.is_in(derived()))
            .filter(Column::Attempts.gt(0))
            .limit(limit);
        Ok(query.into_tuple::<i64>().all(&self.db).await?.len())
    }

    /// Deliveries about these products that were derived from the log and that nobody has sent yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unsent_deliveries(&self, webhook: WebhookId, products: &[ProductId]) -> Result<Vec<Delivery>, Error> {
        let products: Vec<Uuid> = products.iter().map(|id| id.0).collect();
        let query = pending(webhook)
            .filter(Column::Event.is_in(derived()))
            .filter(Column::Attempts.eq(0))
            .filter(self.among(Column::Thing, &products));
        Ok(query.all(&self.db).await?.into_iter().map(rows::delivery).collect::<Result<_, _>>()?)
    }
}

fn pending(webhook: WebhookId) -> Select<webhook_delivery::Entity> {
    webhook_delivery::Entity::find()
        .filter(Column::WebhookId.eq(webhook.0))
        .filter(Column::Status.into_expr().eq(is_pending()))
}

/// A literal and no parameter: the indexes of pending deliveries are partial, and are not used for whatever may come.
fn is_pending() -> Expr {
    Expr::Constant(DeliveryStatus::Pending.as_str().into())
}

/// Pending deliveries before which none of the same thing is pending.
fn oldest_of_things(webhook: WebhookId) -> Select<webhook_delivery::Entity> {
    let earlier = Alias::new("earlier");
    let of = |column: Column| Expr::col((earlier.clone(), column));
    let this = |column: Column| Expr::col((webhook_delivery::Entity, column));
    let before = Query::select()
        .expr(Expr::val(1))
        .from_as(webhook_delivery::Entity, earlier.clone())
        .and_where(of(Column::Status).eq(is_pending()))
        .and_where(of(Column::WebhookId).eq(webhook.0))
        .and_where(of(Column::Thing).eq(this(Column::Thing)))
        .and_where(of(Column::Position).lt(this(Column::Position)))
        .take();
    pending(webhook).filter(Expr::exists(before).not())
}

fn derived() -> impl Iterator<Item = &'static str> {
    EventKind::ALL.iter().filter(|kind| !kind.is_of_order()).map(|kind| kind.as_str())
}
