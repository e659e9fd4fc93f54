//! Ends what an unpaid order holds when its time is over. The order itself stays: it can still be paid, if there is enough then.

use crate::actor::Actor;
use crate::id::OrderId;
use crate::rejection::Rejections;
use crate::transaction::Reason;
use crate::world::World;

use super::ledger::{Cause, release_items};
use super::{Command, Context, Footprint};

/// Ends the hold of an order if its time is over. Returns whether it did: somebody else may have been faster, and an order that
/// is being paid keeps its units.
#[derive(Debug, Clone, Copy)]
pub struct EndHold(pub OrderId);

impl Command for EndHold {
    type Answer = bool;

    fn footprint(&self) -> Footprint {
        Footprint { orders: vec![self.0], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<bool, Rejections> {
        let mut order = world.order(self.0, &Actor::System)?.clone();
        let is_over = order.held_until.is_some_and(|until| until <= context.now);
        if !order.is_holding() || !is_over {
            return Ok(false);
        }
        let cause = Cause::order(Reason::HoldExpired, order.id);
        release_items(world, context, &mut order, &cause)?;
        order.touch(context.now);
        world.put_order(order);
        Ok(true)
    }
}
