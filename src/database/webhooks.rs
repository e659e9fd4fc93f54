//! Rows of outgoing webhooks and their deliveries as values of the domain, and back; and what a batch reads of them. Nothing
//! here decides anything.

use std::collections::{BTreeMap, BTreeSet};

use entity::{webhook, webhook_delivery};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use sea_orm::prelude::Uuid;

use crate::faults::Transaction;
use domain::id::{DeliveryId, WebhookId};
use domain::webhook::{Delivery, DeliveryStatus, EventKind, Secret, Target, Webhook};

use super::bulk::{MAX_IDS, among};

/// What can change of a webhook. Its secret never does.
pub const OF_WEBHOOK: [webhook::Column; 12] = {
    use webhook::Column as C;
    [
        C::Url,
        C::Events,
        C::Enabled,
        C::DisabledReason,
        C::FailingSince,
        C::Failures,
        C::LastFailed,
        C::RetryAt,
        C::ResumedAt,
        C::LeasedUntil,
        C::Cursor,
        C::UpdatedAt,
    ]
};

/// What can change of a delivery.
pub const OF_DELIVERY: [webhook_delivery::Column; 8] = {
    use webhook_delivery::Column as C;
    [
        C::Status,
        C::Attempts,
        C::NextAttemptAt,
        C::AttemptedAt,
        C::FailingSince,
        C::ResponseStatus,
        C::Error,
        C::DeliveredAt,
    ]
};

fn event(code: &str) -> Result<EventKind, DbErr> {
    EventKind::parse(code).ok_or_else(|| DbErr::Type(format!("{code:?} is no event that this release knows")))
}

pub fn webhook(row: webhook::Model) -> Result<Webhook, DbErr> {
    Ok(Webhook {
        id: WebhookId(row.id),
        url: row.url,
        secret: Secret::stored(row.secret),
        events: row.events.split_ascii_whitespace().map(event).collect::<Result<BTreeSet<_>, _>>()?,
        enabled: row.enabled,
        disabled_reason: row.disabled_reason,
        failing_since: row.failing_since,
        failures: row.failures,
        last_failed: row.last_failed.map(DeliveryId),
        retry_at: row.retry_at,
        resumed_at: row.resumed_at,
        leased_until: row.leased_until,
        cursor: row.cursor,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub fn webhook_row(webhook: &Webhook) -> webhook::Model {
    let events: Vec<&str> = webhook.events.iter().map(|kind| kind.as_str()).collect();
    webhook::Model {
        id: webhook.id.0,
        url: webhook.url.clone(),
        secret: webhook.secret.reveal().to_owned(),
        events: events.join(" "),
        enabled: webhook.enabled,
        disabled_reason: webhook.disabled_reason.clone(),
        failing_since: webhook.failing_since,
        failures: webhook.failures,
        last_failed: webhook.last_failed.map(|id| id.0),
        retry_at: webhook.retry_at,
        resumed_at: webhook.resumed_at,
        leased_until: webhook.leased_until,
        cursor: webhook.cursor.clone(),
        created_at: webhook.created_at,
        updated_at: webhook.updated_at,
    }
}

pub fn delivery(row: webhook_delivery::Model) -> Result<Delivery, DbErr> {
    let status = DeliveryStatus::parse(&row.status);
    Ok(Delivery {
        position: row.position,
        id: DeliveryId(row.id),
        webhook: WebhookId(row.webhook_id),
        event: event(&row.event)?,
        thing: row.thing,
        data: row.data,
        status: status.ok_or_else(|| DbErr::Type(format!("{:?} is no status that this release knows", row.status)))?,
        attempts: row.attempts,
        next_attempt_at: row.next_attempt_at,
        attempted_at: row.attempted_at,
        failing_since: row.failing_since,
        response_status: row.response_status,
        error: row.error,
        created_at: row.created_at,
        delivered_at: row.delivered_at,
    })
}

pub fn delivery_row(delivery: &Delivery) -> webhook_delivery::Model {
    webhook_delivery::Model {
        position: delivery.position,
        id: delivery.id.0,
        webhook_id: delivery.webhook.0,
        event: delivery.event.as_str().to_owned(),
        thing: delivery.thing,
        data: delivery.data.clone(),
        status: delivery.status.as_str().to_owned(),
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_attempt_at,
        attempted_at: delivery.attempted_at,
        failing_since: delivery.failing_since,
        response_status: delivery.response_status,
        error: delivery.error.clone(),
        created_at: delivery.created_at,
        delivered_at: delivery.delivered_at,
    }
}

/// Every webhook; their number is bounded.
pub async fn all(tx: &Transaction) -> Result<Vec<Webhook>, DbErr> {
    let rows = webhook::Entity::find().order_by_asc(webhook::Column::Id).all(tx).await?;
    rows.into_iter().map(webhook).collect()
}

/// The enabled webhooks that want events of orders. On PostgreSQL the beginning of each batch tells.
///
/// # Errors
/// When the database does not answer.
pub async fn targets(tx: &Transaction) -> Result<Vec<Target>, DbErr> {
    let webhooks = all(tx).await?.into_iter().filter(|webhook| webhook.enabled);
    Ok(webhooks.filter_map(|webhook| Target::of(webhook.id, webhook.events)).collect())
}

/// The webhooks of these deliveries.
pub async fn of_deliveries(
    tx: &Transaction,
    deliveries: &[DeliveryId],
) -> Result<BTreeMap<DeliveryId, WebhookId>, DbErr> {
    let mut found = BTreeMap::new();
    for ids in ids(deliveries).chunks(MAX_IDS) {
        let query = webhook_delivery::Entity::find()
            .select_only()
            .columns([webhook_delivery::Column::Id, webhook_delivery::Column::WebhookId])
            .filter(among(tx.get_database_backend(), webhook_delivery::Column::Id, ids));
        let pairs: Vec<(Uuid, Uuid)> = query.into_tuple().all(tx).await?;
        found.extend(pairs.into_iter().map(|(id, webhook)| (DeliveryId(id), WebhookId(webhook))));
    }
    Ok(found)
}

/// These deliveries.
pub async fn deliveries(tx: &Transaction, deliveries: &[DeliveryId]) -> Result<Vec<Delivery>, DbErr> {
    let mut found = Vec::new();
    for ids in ids(deliveries).chunks(MAX_IDS) {
        let of_ids = among(tx.get_database_backend(), webhook_delivery::Column::Id, ids);
        for row in webhook_delivery::Entity::find().filter(of_ids).all(tx).await? {
            found.push(delivery(row)?);
        }
    }
    Ok(found)
}

fn ids(deliveries: &[DeliveryId]) -> Vec<Uuid> {
    deliveries.iter().map(|id| id.0).collect::<BTreeSet<_>>().into_iter().collect()
}
