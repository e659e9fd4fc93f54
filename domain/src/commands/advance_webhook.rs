//! Records what a stretch of the log means for a webhook, merged by product, and how far the log was looked at: both or
//! neither. Compare and set: it changes nothing if another process has gone on from the same place.

use crate::Time;
use crate::id::{DeliveryId, ProductId, WebhookId};
use crate::rejection::Rejections;
use crate::webhook::{Delivery, EventKind, Webhook, delivery_ids};
use crate::world::World;

use super::{Command, Context, Footprint};

/// What is to be told of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockEvent {
    /// What happened.
    pub kind: EventKind,
    /// The product.
    pub product: ProductId,
    /// What is told, as JSON.
    pub data: String,
}

/// Advances a webhook in the log.
#[derive(Debug)]
pub struct AdvanceWebhook {
    /// The webhook.
    pub webhook: WebhookId,
    /// The end of the lease that the caller has.
    pub held: Time,
    /// Where the caller began.
    pub from: String,
    /// Where it ended.
    pub to: String,
    /// What happened in between.
    pub events: Vec<StockEvent>,
    /// Deliveries that nobody has sent yet and that the events replace.
    pub replaced: Vec<DeliveryId>,
}

impl Command for AdvanceWebhook {
    /// Whether it was recorded.
    type Answer = bool;

    fn footprint(&self) -> Footprint {
        Footprint { webhooks: vec![self.webhook], deliveries: self.replaced.clone(), ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        1 + self.events.len() + self.replaced.len()
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<bool, Rejections> {
        let Ok(webhook) = world.webhook(self.webhook) else { return Ok(false) };
        // Only who holds the lease sends, so what it replaces was not sent.
        if webhook.leased_until != self.held || webhook.cursor.as_ref() != Some(&self.from) {
            return Ok(false);
        }
        let is_unsent = |id: &DeliveryId| world.delivery(*id).is_ok_and(|delivery| delivery.attempts == 0);
        if !self.replaced.iter().all(is_unsent) {
            return Ok(false);
        }
        let webhook = Webhook { cursor: Some(self.to.clone()), ..webhook.clone() };
        world.put_webhook(webhook);
        for id in &self.replaced {
            world.remove_delivery(*id);
        }
        let ids = delivery_ids(self.events.len(), context.random, context.now);
        for (id, event) in ids.into_iter().zip(&self.events) {
            let StockEvent { kind, product, data } = event;
            let delivery = Delivery::new(id, self.webhook, *kind, product.0, data.clone(), context.now);
            world.put_delivery(delivery);
        }
        Ok(true)
    }
}
