//! Registers an address for events. It sends nothing.

use std::collections::BTreeSet;

use crate::id::WebhookId;
use crate::rejection::{Code, Rejection, Rejections};
use crate::webhook::{EventKind, MAX_WEBHOOKS, Secret, Webhook, check_events};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Registers a webhook. Its address was checked.
#[derive(Debug)]
pub struct CreateWebhook {
    /// The address.
    pub url: String,
    /// The events that go there.
    pub events: BTreeSet<EventKind>,
    /// The end of the log, as it was before this command was submitted, if one of the events is derived from it.
    pub log_end: String,
}

impl Command for CreateWebhook {
    type Answer = Webhook;

    fn footprint(&self) -> Footprint {
        Footprint { all_webhooks: true, ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Webhook, Rejections> {
        check_events(&self.events)?;
        if world.webhook_count() >= MAX_WEBHOOKS {
            let message = format!("A shop has at most {MAX_WEBHOOKS} webhooks.");
            return Err(Rejection::new(Code::LimitExceeded, message).into());
        }
        let mut webhook = Webhook {
            id: WebhookId(context.random.ordered_uuid(context.now)),
            url: self.url.clone(),
            secret: Secret::new(context.random),
            events: self.events.clone(),
            enabled: true,
            disabled_reason: None,
            failing_since: None,
            failures: 0,
            last_failed: None,
            retry_at: context.now,
            resumed_at: context.now,
            leased_until: context.now,
            cursor: None,
            created_at: context.now,
            updated_at: context.now,
        };
        webhook.cursor = webhook.follows_log().then(|| self.log_end.clone());
        world.put_webhook(webhook.clone());
        Ok(webhook)
    }
}
