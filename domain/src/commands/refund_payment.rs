//! Refunds money that was captured, whole or in parts, never more than is left. A refund counts from its beginning. Stock comes
//! back only for what `restock` names, and only once the refund has succeeded.

use std::collections::BTreeSet;

use crate::id::OrderItemId;
use crate::money::Money;
use crate::order::Order;
use crate::payment::{Payment, Status};
use crate::payment_operation::{Kind, Restock};
use crate::quantity::at_least_one;
use crate::rejection::{Rejection, Rejections};
use crate::world::World;

use super::operation::{BegunOperation, OperationRequest, Plan};
use super::{Command, Context, Footprint};

/// Begins to refund a payment.
#[derive(Debug, Clone)]
pub struct RefundPayment {
    /// Which payment, and for whom.
    pub request: OperationRequest,
    /// How much, in minor units; all that is left if `None`.
    pub amount: Option<i64>,
    /// Units that come back into stock.
    pub restock: Vec<(OrderItemId, i32)>,
}

impl Command for RefundPayment {
    type Answer = BegunOperation;

    fn footprint(&self) -> Footprint {
        let returns_of = if self.restock.is_empty() { Vec::new() } else { vec![self.request.payment] };
        Footprint { returns_of, ..self.request.footprint() }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<BegunOperation, Rejections> {
        let (payment, order) = self.request.find(world, context)?;
        if let Some(begun) = self.request.begun_before(world)? {
            return Ok(begun);
        }
        // Money that arrived for a released order is there as well, and its own refund may have failed.
        if payment.status != Status::Succeeded && !world.has_operation(payment.id, Kind::Refund) {
            return Err(Rejection::invalid_state("Only a payment that has succeeded can be refunded.").into());
        }
        if payment.status != Status::Succeeded && !self.restock.is_empty() {
            // What the order holds now is not what this payment paid for.
            let message = "This payment did not pay for the order: nothing can be restocked with it.";
            return Err(Rejection::invalid_input(message).at(["restock"]).into());
        }
        let amount = self.amount_of(&payment)?;
        let restock = self.restock_of(world, &order)?;
        self.request.begin(world, context, Plan { kind: Kind::Refund, amount, restock })
    }
}

impl RefundPayment {
    fn amount_of(&self, payment: &Payment) -> Result<Money, Rejection> {
        let left = payment.amount.amount - payment.refunded;
        if left == 0 {
            return Err(Rejection::invalid_state("Nothing of the payment is left to refund."));
        }
        let amount = self.amount.unwrap_or(left);
        if amount < 1 || amount > left {
            let message = format!("The amount must be from 1 to {left}, which is what is left to refund.");
            return Err(Rejection::invalid_input(message).at(["amount"]));
        }
        Ok(Money { amount, ..payment.amount })
    }

    /// Units that the order still holds come first, then those that were shipped and have not come back.
    fn restock_of(&self, world: &World<'_>, order: &Order) -> Result<Vec<Restock>, Rejections> {
        let (mut named, mut restock, mut refused) = (BTreeSet::new(), Vec::new(), Rejections::new());
        for (at, (id, quantity)) in self.restock.iter().enumerate() {
            let blame = |rejection: Rejection, field: &str| rejection.at(["restock", &at.to_string(), field]);
            if let Err(rejection) = at_least_one(*quantity) {
                refused.push(blame(rejection, "quantity"));
                continue;
            }
            let Some(item) = order.items.iter().find(|item| item.id == *id) else {
                refused.push(blame(Rejection::not_found("item in this order"), "orderItemId"));
                continue;
            };
            if !named.insert(*id) {
                refused.push(blame(Rejection::invalid_input("The item comes twice."), "orderItemId"));
                continue;
            }
            let shipped = i64::from(world.shipped_units(order.id, item.product));
            let away = i32::try_from(shipped - i64::from(item.returned)).unwrap_or_default().clamp(0, item.shipped);
            if *quantity > item.allocated + away {
                let most = item.allocated + away;
                let message = format!("Of this item at most {most} units can come back into stock.");
                refused.push(blame(Rejection::invalid_input(message), "quantity"));
                continue;
            }
            let held = item.allocated.min(*quantity);
            restock.push(Restock { item: *id, held, shipped: quantity - held });
        }
        if refused.is_empty() { Ok(restock) } else { Err(refused) }
    }
}
