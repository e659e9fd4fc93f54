//! What whoever sends to a webhook hands in: a lease, so that one process sends at a time, and what became of each attempt.
//! Compare and set: a lease that ran out, or a delivery that is over, changes nothing.

use std::time::Duration;

use crate::Time;
use crate::id::{DeliveryId, WebhookId};
use crate::rejection::Rejections;
use crate::webhook::{Attempt, Recorded, RetryPolicy, Webhook};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Claims a webhook for a while, or renews the claim.
#[derive(Debug)]
pub struct ClaimWebhook {
    /// The webhook.
    pub webhook: WebhookId,
    /// The end of the lease that the caller has, which tells whose it is.
    pub held: Option<Time>,
    /// How long it is claimed.
    pub lease: Duration,
    /// The longest that anybody claims one for.
    pub longest: Duration,
}

impl Command for ClaimWebhook {
    /// The webhook with its new lease; `None` if it is gone or switched off, or if another process has claimed it.
    type Answer = Option<Webhook>;

    fn footprint(&self) -> Footprint {
        Footprint { webhooks: vec![self.webhook], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Option<Webhook>, Rejections> {
        let Ok(webhook) = world.webhook(self.webhook) else { return Ok(None) };
        let is_ours = self.held == Some(webhook.leased_until);
        if !webhook.enabled || !(is_ours || webhook.is_free(context.now, self.longest)) {
            return Ok(None);
        }
        let webhook = Webhook { leased_until: context.now + self.lease, ..webhook.clone() };
        world.put_webhook(webhook.clone());
        Ok(Some(webhook))
    }
}

/// Gives a claimed webhook back, so that another process can go on at once.
#[derive(Debug)]
pub struct ReleaseWebhook {
    /// The webhook.
    pub webhook: WebhookId,
    /// The end of the lease that the caller has.
    pub held: Time,
}

impl Command for ReleaseWebhook {
    type Answer = ();

    fn footprint(&self) -> Footprint {
        Footprint { webhooks: vec![self.webhook], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<(), Rejections> {
        if let Ok(webhook) = world.webhook(self.webhook)
            && webhook.leased_until == self.held
        {
            let webhook = Webhook { leased_until: context.now, ..webhook.clone() };
            world.put_webhook(webhook);
        }
        Ok(())
    }
}

/// Records what became of an attempt, whoever has the lease by now: it happened.
#[derive(Debug)]
pub struct RecordAttempt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// What the attempt came to.
    pub attempt: Attempt,
    /// When it is repeated if it failed.
    pub policy: RetryPolicy,
}

impl Command for RecordAttempt {
    type Answer = Recorded;

    fn footprint(&self) -> Footprint {
        Footprint { deliveries: vec![self.delivery], ..Footprint::default() }
    }

    fn rows(&self) -> usize {
        2
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Recorded, Rejections> {
        let Ok(delivery) = world.delivery(self.delivery) else { return Ok(Recorded::Nothing) };
        let Ok(webhook) = world.webhook(delivery.webhook) else { return Ok(Recorded::Nothing) };
        let (mut delivery, mut webhook) = (delivery.clone(), webhook.clone());
        let recorded = webhook.record(&mut delivery, &self.attempt, self.policy, context.now);
        world.put_webhook(webhook);
        world.put_delivery(delivery);
        Ok(recorded)
    }
}
