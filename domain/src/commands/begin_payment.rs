//! The first half of paying: allocates the units of the order, all or none, and records the payment, before the gateway
//! is called. It must never let two payments of one order be open at the same time.

use std::time::Duration;

use crate::Time;
use crate::id::{OrderId, PaymentId};
use crate::money::Money;
use crate::order::{PaymentStatus, payment_in_progress};
use crate::payment::{Method, Outcome, Payment, Recovery, Status};
use crate::rejection::{Rejection, Rejections};
use crate::world::World;
use crate::world::idempotency::{Key, KeyRecord};

use super::cart_items::must_be_for_sale;
use super::ledger::allocate_items;
use super::settle_payment::{Paid, PayAnswer, settle};
use super::{Command, Context, Footprint};

/// Begins to pay an order.
#[derive(Debug, Clone)]
pub struct BeginPayment {
    /// The order.
    pub order: OrderId,
    /// The name of the gateway.
    pub gateway: String,
    /// How the gateway is to charge.
    pub method: Method,
    /// The money was taken elsewhere: the payment succeeds at once, and the gateway is not called.
    pub settles_without_call: bool,
    /// How long the payment is not recovered: the caller has it.
    pub lease: Duration,
    /// The idempotency key, if one was sent.
    pub key: Option<Key>,
}

/// The result of beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The payment is in progress: the gateway has to charge now.
    Charge {
        /// The order with its payments.
        paid: Paid,
        /// The payment.
        payment: Box<Payment>,
    },
    /// There is nothing to charge: the payment succeeded at once, or another payment is in progress.
    Answered(Paid),
    /// The idempotency key is known: what was kept of its answer.
    Kept(PayAnswer),
}

impl Command for BeginPayment {
    type Answer = Begun;

    fn footprint(&self) -> Footprint {
        Footprint {
            keys: self.key.iter().map(|key| key.id.clone()).collect(),
            orders: vec![self.order],
            ..Footprint::default()
        }
    }

    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Begun, Rejections> {
        if let Some(begun) = self.begun_before(world)? {
            return Ok(begun);
        }
        let mut order = world.order(self.order, context.actor).map_err(|r| r.at(["orderId"]))?.clone();
        if order.payment == PaymentStatus::InProgress {
            return Ok(Begun::Answered(in_progress(world, self.order, world.open_payment(self.order).map(|p| p.id))?));
        }
        order.must_be_payable()?;
        for item in &order.items {
            must_be_for_sale(world.product(item.product)?).map_err(|r| r.at(["orderId"]))?;
        }
        allocate_items(world, context, &mut order)?;
        order.payment = PaymentStatus::InProgress;
        order.touch(context.now);
        let payment = self.payment(order.total, context);
        let id = payment.id;
        world.put_order(order);
        world.put_payment(payment.clone());
        if payment.amount.amount == 0 || self.settles_without_call {
            let outcome = match self.method {
                // There is nothing to capture.
                Method::Authorize if payment.amount.amount > 0 => Outcome::Authorized { reference: None },
                Method::Authorize | Method::Purchase => Outcome::Charged { reference: None },
            };
            let paid = settle(world, context, id, outcome)?;
            self.keep_key(world, context, id, Some(paid.kept()));
            return Ok(Begun::Answered(paid));
        }
        self.keep_key(world, context, id, None);
        Ok(Begun::Charge { paid: Paid::by(world.order_record(self.order)?, id), payment: Box::new(payment) })
    }
}

impl BeginPayment {
    /// Returns the answer that was kept with the key, or that the payment of the key is still in progress.
    fn begun_before(&self, world: &World<'_>) -> Result<Option<Begun>, Rejection> {
        let Some(record) = self.key.as_ref().map(|key| key.record(world)).transpose()?.flatten() else {
            return Ok(None);
        };
        Ok(Some(match record.answer.clone() {
            Some(answer) => Begun::Kept(answer.try_into()?),
            None => Begun::Answered(in_progress(world, self.order, record.payment)?),
        }))
    }

    fn payment(&self, amount: Money, context: &mut Context<'_>) -> Payment {
        let until: Time = context.now + self.lease;
        Payment {
            id: PaymentId(context.random.ordered_uuid(context.now)),
            order: self.order,
            gateway: self.gateway.clone(),
            method: self.method,
            status: Status::InProgress,
            amount,
            reference: None,
            decline_reason: None,
            decline_code: None,
            action: None,
            recovery: Recovery { leased_until: until, next_poll_at: until, polls: 0 },
            key: self.key.as_ref().map(|key| key.id.clone()),
            refunded: 0,
            operations: 0,
            created_at: context.now,
            updated_at: context.now,
        }
    }

    fn keep_key(&self, world: &mut World<'_>, context: &Context<'_>, payment: PaymentId, answer: Option<PayAnswer>) {
        if let Some(key) = &self.key {
            let record = KeyRecord { payment: Some(payment), answer: answer.map(Into::into), ..key.to_record(context) };
            world.put_key(record);
        }
    }
}

/// Returns the answer while another payment of the order is in progress.
fn in_progress(world: &World<'_>, order: OrderId, payment: Option<PaymentId>) -> Result<Paid, Rejection> {
    Ok(Paid { record: world.order_record(order)?, payment, errors: vec![payment_in_progress()] })
}
