//! The first half of paying: the order's units are allocated, all or none, and the attempt is on record, before any
//! gateway hears of it. It never lets two attempts of one order run beside each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::id::{OrderId, PaymentId};
use crate::domain::money::Money;
use crate::domain::order::{PaymentStatus, payment_in_progress};
use crate::domain::payment::{Method, Outcome, Payment, Status, Watch};
use crate::domain::rejection::{Code, Refusal, Rejection};
use crate::writer::idempotency::{Key, read_answer, write_answer};
use crate::writer::world::{KeyRecord, World};

use super::cart_lines::must_be_for_sale;
use super::ledger::allocate_items;
use super::settle_payment::settle;
use super::{Command, Context, Footprint};

/// Begins to pay an order.
#[derive(Debug, Clone)]
pub struct BeginPayment {
    /// Which order.
    pub order: OrderId,
    /// The gateway that will be asked.
    pub gateway: String,
    /// What it will be asked for.
    pub method: Method,
    /// Whether nobody has to be asked: the money was taken elsewhere.
    pub is_settled_elsewhere: bool,
    /// For how long nobody else asks the gateway about it.
    pub lease: Duration,
    /// The idempotency key, if one came.
    pub key: Option<Key>,
}

/// What paying an order answered. It is kept with the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayAnswer {
    /// The attempt; `None` when none was begun.
    pub payment: Option<PaymentId>,
    /// The order.
    pub order: OrderId,
    /// What went wrong.
    pub errors: Vec<Rejection>,
}

/// What became of beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The gateway has to be asked now.
    Ask {
        /// The attempt, and the key for the gateway.
        payment: PaymentId,
        /// What to charge.
        amount: Money,
    },
    /// There is an answer already.
    Answered(PayAnswer),
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

    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<Begun, Refusal> {
        if let Some(answer) = self.earlier_answer(world)? {
            return Ok(Begun::Answered(answer));
        }
        let mut order = world.order(self.order, context.who).map_err(|r| r.at(["orderId"]))?.clone();
        if order.payment == PaymentStatus::InProgress {
            return Ok(Begun::Answered(running(self.order, world.open_payment(self.order).map(|p| p.id))));
        }
        order.must_be_payable()?;
        for item in &order.items {
            must_be_for_sale(world.product(item.product)?).map_err(|r| r.at(["orderId"]))?;
        }
        allocate_items(world, context, &mut order)?;
        order.payment = PaymentStatus::InProgress;
        order.touch(context.now);
        let payment = self.attempt(order.total, context);
        let (id, amount) = (payment.id, payment.amount);
        world.orders.insert(order.id, order);
        world.payments.insert(id, payment);
        if amount.amount == 0 || self.is_settled_elsewhere {
            let answer = settle(world, context, id, Outcome::Charged { reference: None })?;
            self.keep_key(world, context, id, Some(write_answer(&answer)?));
            return Ok(Begun::Answered(answer));
        }
        self.keep_key(world, context, id, None);
        Ok(Begun::Ask { payment: id, amount })
    }
}

impl BeginPayment {
    /// What this key answered before, or that its attempt is still under way.
    fn earlier_answer(&self, world: &World) -> Result<Option<PayAnswer>, Rejection> {
        let Some(record) = self.key.as_ref().map(|key| key.record(world)).transpose()?.flatten() else {
            return Ok(None);
        };
        match &record.answer {
            Some(answer) => read_answer(answer).map(Some),
            None => Ok(Some(running(self.order, record.payment))),
        }
    }

    fn attempt(&self, amount: Money, context: &mut Context<'_>) -> Payment {
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
            watch: Watch { leased_until: until, look_at: until, looks: 0 },
            key: self.key.as_ref().map(|key| key.id.clone()),
            created_at: context.now,
            updated_at: context.now,
        }
    }

    fn keep_key(&self, world: &mut World, context: &Context<'_>, payment: PaymentId, answer: Option<String>) {
        if let Some(key) = &self.key {
            let record = KeyRecord { payment: Some(payment), answer, ..key.to_record(context) };
            world.keys.insert(key.id.clone(), record);
        }
    }
}

impl PayAnswer {
    /// Whether it says that another attempt is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.errors.iter().any(|error| error.code == Code::PaymentInProgress)
    }
}

fn running(order: OrderId, payment: Option<PaymentId>) -> PayAnswer {
    PayAnswer { payment, order, errors: vec![payment_in_progress()] }
}
