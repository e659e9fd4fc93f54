//! Has a delivery sent again: one that was accepted, one that was given up, or one that waits for its next attempt. Its id
//! and its contents stay.

use crate::id::DeliveryId;
use crate::rejection::{Rejection, Rejections};
use crate::webhook::{Delivery, DeliveryStatus};
use crate::world::World;

use super::{Command, Context, Footprint};

/// Makes a delivery due now.
#[derive(Debug)]
pub struct RepeatDelivery {
    /// Which.
    pub delivery: DeliveryId,
}

impl Command for RepeatDelivery {
    type Answer = Delivery;

    fn footprint(&self) -> Footprint {
        Footprint { deliveries: vec![self.delivery], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Delivery, Rejections> {
        let found = world.delivery(self.delivery).map_err(|r| r.at(["deliveryId"]))?.clone();
        // That of a webhook that was deleted does not exist any more.
        let webhook = world.webhook(found.webhook).map_err(|_| Rejection::not_found("delivery").at(["deliveryId"]))?;
        if !webhook.enabled {
            return Err(Rejection::invalid_state("The webhook is switched off; enable it first.").into());
        }
        let delivery = Delivery {
            status: DeliveryStatus::Pending,
            next_attempt_at: context.now,
            failing_since: None,
            delivered_at: None,
            ..found
        };
        world.put_delivery(delivery.clone());
        Ok(delivery)
    }
}
