//! Changes a webhook: where to, what for, and whether at all. Enabling it again forgets its failures.

use std::collections::BTreeSet;

use crate::id::WebhookId;
use crate::rejection::Rejections;
use crate::webhook::{EventKind, Webhook, check_events};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Changes a webhook; `None` leaves a thing as it is. The address was checked.
#[derive(Debug)]
pub struct UpdateWebhook {
    /// Which.
    pub webhook: WebhookId,
    /// The address.
    pub url: Option<String>,
    /// The events that go there.
    pub events: Option<BTreeSet<EventKind>>,
    /// Whether it is used. `true` also makes due what waits after failures.
    pub enabled: Option<bool>,
    /// The end of the log, as it was before this command was submitted, if one of the events is derived from it.
    pub log_end: String,
}

impl Command for UpdateWebhook {
    type Answer = Webhook;

    fn footprint(&self) -> Footprint {
        Footprint { webhooks: vec![self.webhook], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Webhook, Rejections> {
        let before = world.webhook(self.webhook).map_err(|r| r.at(["id"]))?.clone();
        let mut webhook = before.clone();
        if let Some(events) = &self.events {
            check_events(events)?;
            webhook.events.clone_from(events);
        }
        if !webhook.follows_log() {
            webhook.cursor = None;
        } else if webhook.cursor.is_none() {
            webhook.cursor = Some(self.log_end.clone());
        }
        if let Some(url) = self.url.as_ref().filter(|url| **url != webhook.url) {
            webhook.url.clone_from(url);
            if webhook.enabled {
                // What the old address failed at says nothing about the new one.
                webhook.enable(context.now);
            }
        }
        match self.enabled {
            Some(true) => webhook.enable(context.now),
            Some(false) if webhook.enabled => {
                webhook.disable(format!("Switched off by {}.", context.actor.log_name()), context.now);
            }
            Some(false) | None => {}
        }
        if webhook != before {
            webhook.updated_at = webhook.updated_at.max(context.now);
            world.put_webhook(webhook.clone());
        }
        Ok(webhook)
    }
}
