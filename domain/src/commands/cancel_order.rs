//! Cancels an order for good and frees exactly what its items still hold. It moves no money: that is a refund's
//! business.

use crate::id::OrderId;
use crate::order::{CancelReason, OrderRecord, PaymentStatus};
use crate::rejection::{Rejection, Rejections};
use crate::text;
use crate::transaction::Reason;
use crate::world::World;
use crate::world::idempotency::Repeatable;

use super::ledger::{Cause, release_items};
use super::{Command, Context, Footprint};

/// Cancels an order.
#[derive(Debug, Clone)]
pub struct CancelOrder {
    order: OrderId,
    reason: CancelReason,
    note: Option<String>,
}

impl CancelOrder {
    /// Checks what can be checked without looking at the order.
    ///
    /// # Errors
    /// A note that is not acceptable.
    pub fn check(order: OrderId, reason: CancelReason, note: Option<&str>) -> Result<Self, Rejections> {
        let note = text::optional_lines("note", note, text::MAX_NOTE_LENGTH)?;
        Ok(Self { order, reason, note })
    }
}

impl Command for CancelOrder {
    type Answer = OrderRecord;

    fn footprint(&self) -> Footprint {
        Footprint { orders: vec![self.order], ..Footprint::default() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<OrderRecord, Rejections> {
        let mut order = world.order(self.order, context.actor).map_err(|r| r.at(["orderId"]))?.clone();
        if !context.actor.is_staff() && self.reason != CancelReason::Requested {
            return Err(Rejection::invalid_input("This reason is for staff.").at(["reason"]).into());
        }
        order.must_be_cancellable()?;
        if !context.actor.is_staff() && order.payment != PaymentStatus::Unpaid {
            return Err(Rejection::invalid_state("A paid order is cancelled by the shop.").into());
        }
        let cause = Cause { note: self.note.clone(), ..Cause::order(Reason::OrderCancelled, order.id) };
        release_items(world, context, &mut order, &cause)?;
        order.cancel(self.reason, self.note.clone());
        order.touch(context.now);
        world.put_order(order);
        Ok(world.order_record(self.order)?)
    }
}

impl Repeatable for CancelOrder {
    type Kept = OrderId;
}
