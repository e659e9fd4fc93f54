//! Deletes a webhook. Its deliveries are not found any more; they are pruned by age.

use crate::id::WebhookId;
use crate::rejection::Rejections;
use crate::world::World;

use super::{Command, Context, Footprint};

/// Deletes a webhook for good.
#[derive(Debug)]
pub struct DeleteWebhook {
    /// Which.
    pub webhook: WebhookId,
}

impl Command for DeleteWebhook {
    type Answer = WebhookId;

    fn footprint(&self) -> Footprint {
        Footprint { webhooks: vec![self.webhook], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, _: &mut Context<'_>) -> Result<WebhookId, Rejections> {
        world.webhook(self.webhook).map_err(|r| r.at(["id"]))?;
        world.remove_webhook(self.webhook);
        Ok(self.webhook)
    }
}
