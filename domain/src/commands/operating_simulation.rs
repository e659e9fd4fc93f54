//! Random sequences of payments and operations on them, told of in any order, twice, late and in contradiction: what is accepted
//! is what the states allow, every invariant holds after every step, and no money is kept for an order that was released.
//!
//! A failure prints its seed; the same seed makes the same sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::audit::{Fold, LogEntry, compare_operations, compare_order};
use crate::id::{OrderId, PaymentId, PaymentOperationId, ProductId};
use crate::order::CancelReason;
use crate::payment::{Action, Method, Outcome, Status};
use crate::payment_operation::{Kind, PaymentOperation, Status as Operated};
use crate::random::Random;
use crate::rejection::Code;

use super::paying::{LEASE, Shop, begin};
use super::*;

const SHOPS: u64 = 60;

const STEPS: usize = 400;

#[test]
fn random_operations_keep_every_promise() {
    for seed in 1..=SHOPS {
        let outcome = std::panic::catch_unwind(|| {
            let mut shop = Simulation::new(seed);
            for _ in 0..STEPS {
                shop.step();
                shop.check();
            }
            shop.finish();
        });
        assert!(outcome.is_ok(), "the seed is {seed}");
    }
}

struct Simulation {
    shop: Shop,
    dice: Random,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    payments: Vec<PaymentId>,
    operations: Vec<PaymentOperationId>,
    /// Payments whose money was taken, as gateways told it.
    taken: BTreeSet<PaymentId>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut shop = Shop::new();
        let products = vec![shop.product("A", 12), shop.product("B", 12)];
        let (orders, payments, operations, taken) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
        Self { shop, dice: Random::seeded(seed), products, orders, payments, operations, taken }
    }

    fn below(&mut self, bound: u32) -> i32 {
        i32::try_from(self.dice.below(bound)).expect("a small number")
    }

    /// One of the newest, mostly.
    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let from = if self.dice.below(5) == 0 { 0 } else { of.len().saturating_sub(6) };
        let count = u32::try_from(of.len() - from).expect("few");
        (count > 0).then(|| of[from + self.dice.below(count) as usize])
    }

    fn step(&mut self) {
        self.shop.now += Duration::from_millis(u64::from(self.dice.below(40)));
        match self.dice.below(20) {
            0..=2 => self.order(),
            3..=5 => self.begin(),
            6..=9 => self.settle(),
            10..=13 => self.operate(),
            14..=17 => self.settle_operation(),
            18 if self.dice.below(3) == 0 => self.fail_refund(),
            18 => self.ship(),
            _ => self.cancel(),
        }
    }

    fn order(&mut self) {
        let lines: Vec<_> = self.products.clone().into_iter().map(|product| (product, 1 + self.below(3))).collect();
        let cart = CreateCart {
            items: lines.into_iter().map(|(product, quantity)| CartChange { product, quantity }).collect(),
        };
        let Ok(cart) = self.shop.decide(&cart) else { return self.receive() };
        let order =
            self.shop.decide(&CheckOut::check(cart.id, None).expect("a sound check-out")).expect("nothing changed");
        self.orders.push(order.order.id);
    }

    fn receive(&mut self) {
        for product in self.products.clone() {
            let change =
                StockChange { product, action: crate::stock::Action::Increment, quantity: 9, expected_version: None };
            let reason = crate::transaction::Reason::Received;
            self.shop.does(&AdjustStock::check(vec![change], reason, None, None, false).expect("a sound request"));
        }
    }

    fn begin(&mut self) {
        let orders = self.orders.clone();
        let Some(order) = self.pick(&orders) else { return };
        let method = if self.dice.below(3) == 0 { Method::Purchase } else { Method::Authorize };
        let settles_without_call = self.dice.below(6) == 0;
        match self.shop.decide(&BeginPayment { method, settles_without_call, ..begin(order) }) {
            Ok(Begun::Charge { payment, .. }) => self.payments.push(payment.id),
            Ok(Begun::Answered(paid)) if paid.errors.is_empty() => {
                let payment = paid.payment.expect("a payment");
                self.payments.push(payment);
                if method == Method::Purchase {
                    self.taken.insert(payment);
                }
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn outcome(&mut self) -> Outcome {
        let reason = || "no".to_owned();
        let expires_at = self.shop.now + LEASE;
        match self.dice.below(8) {
            0..=1 => Outcome::Charged { reference: None },
            2..=4 => Outcome::Authorized { reference: None },
            5 => Outcome::Declined { reason: reason() },
            6 => Outcome::Voided,
            _ => Outcome::ActionRequired(Action { kind: "X".to_owned(), url: None, client_secret: None, expires_at }),
        }
    }

    fn settle(&mut self) {
        let payments = self.payments.clone();
        let Some(payment) = self.pick(&payments) else { return };
        let outcome = self.outcome();
        self.hears(payment, &outcome);
        self.shop.settle(payment, &outcome);
        self.gather();
    }

    fn hears(&mut self, payment: PaymentId, outcome: &Outcome) {
        if matches!(outcome, Outcome::Charged { .. }) {
            self.taken.insert(payment);
        }
    }

    /// Operations that settling began by itself.
    fn gather(&mut self) {
        let known: BTreeSet<_> = self.operations.iter().copied().collect();
        let all = self.shop.tables.operations.rows().map(|(id, _)| *id);
        self.operations.extend(all.filter(|id| !known.contains(id)).collect::<Vec<_>>());
    }

    fn operate(&mut self) {
        let payments = self.payments.clone();
        let Some(id) = self.pick(&payments) else { return };
        let payment = self.shop.payment(id).clone();
        let running = self.running(id).is_some();
        let settles_without_call = self.dice.below(8) == 0;
        let request = OperationRequest { payment: id, settles_without_call, lease: LEASE, key: None };
        let (begun, is_allowed, is_forced) = match self.dice.below(4) {
            0 => (self.shop.decide(&CapturePayment(request)), payment.status == Status::Authorized, false),
            1 => {
                let force = self.dice.below(2) == 0;
                let is_allowed = matches!(payment.status, Status::Authorized | Status::RequiresAction)
                    || (force && payment.status == Status::InProgress);
                (self.shop.decide(&VoidPayment { request, force }), is_allowed, force)
            }
            _ => {
                let left = payment.amount.amount - payment.refunded;
                let amount = (self.dice.below(3) != 0).then(|| i64::from(self.below(6)) * 100);
                let (restock, fits) = self.restock(payment.order);
                let has_paid = payment.status == Status::Succeeded;
                let is_there = has_paid || (self.has_refunds(id) && restock.is_empty());
                let is_allowed =
                    is_there && left > 0 && amount.is_none_or(|amount| (1..=left).contains(&amount)) && fits;
                (self.shop.decide(&RefundPayment { request, amount, restock }), is_allowed, false)
            }
        };
        match begun {
            Ok(BegunOperation::Call { operation, .. }) => {
                assert!(is_allowed && (!running || is_forced), "{payment:?}: {operation:?}");
            }
            Ok(BegunOperation::Answered(paid)) if paid.errors.iter().any(|e| e.code == Code::PaymentInProgress) => {
                assert!(running, "{payment:?}");
            }
            Ok(BegunOperation::Answered(_)) => {
                assert!(is_allowed && settles_without_call, "{payment:?}");
                if self.shop.payment(id).status == Status::Succeeded {
                    self.taken.insert(id);
                }
            }
            Ok(BegunOperation::Kept(_)) => panic!("no key was given"),
            Err(refused) => assert!(!is_allowed && !running, "{payment:?}: {refused:?}"),
        }
        self.gather();
    }

    fn running(&self, payment: PaymentId) -> Option<&PaymentOperation> {
        let mut all = self.shop.tables.operations.rows().map(|(_, operation)| operation);
        all.find(|operation| operation.payment == payment && operation.is_running())
    }

    fn has_refunds(&self, payment: PaymentId) -> bool {
        let mut all = self.shop.tables.operations.rows().map(|(_, operation)| operation);
        all.any(|operation| operation.payment == payment && operation.kind == Kind::Refund)
    }

    /// Some units of some items, and whether so many can come back: everything is managed here, so what was shipped had been
    /// allocated.
    fn restock(&mut self, order: OrderId) -> (Vec<(crate::id::OrderItemId, i32)>, bool) {
        let items = self.shop.read(order).items.clone();
        let mut restock = Vec::new();
        for item in &items {
            let quantity = self.below(4);
            if quantity > 0 && self.dice.below(2) == 0 {
                restock.push((item, quantity));
            }
        }
        let fits = restock.iter().all(|(item, quantity)| *quantity <= item.allocated + item.shipped - item.returned);
        (restock.into_iter().map(|(item, quantity)| (item.id, quantity)).collect(), fits)
    }

    fn settle_operation(&mut self) {
        let operations = self.operations.clone();
        let Some(id) = self.pick(&operations) else { return };
        let operation = self.shop.tables.operations.get(&id).expect("an operation").clone();
        let outcome = match (operation.kind, self.dice.below(6)) {
            (Kind::Void | Kind::ForcedVoid, 0..=1) => OperationOutcome::TooLate(Outcome::Charged { reference: None }),
            (Kind::Void | Kind::ForcedVoid, _) => OperationOutcome::Done { reference: None },
            (_, 0) => OperationOutcome::Refused { reason: "no".to_owned() },
            _ => OperationOutcome::Done { reference: None },
        };
        match (&outcome, operation.kind) {
            (OperationOutcome::TooLate(_), _) | (OperationOutcome::Done { .. }, Kind::Capture) => {
                self.taken.insert(operation.payment);
            }
            _ => {}
        }
        let before = (self.shop.tables.log.rows().len(), self.shop.payment(operation.payment).status);
        let settled = self.shop.does(&SettleOperation::of(&operation, outcome.clone()));
        assert_eq!(matches!(settled, SettledOperation::Now(_)), operation.is_running(), "once: {operation:?}");
        // Money that was taken after all counts, whatever its gateway said before.
        let counts = matches!(outcome, OperationOutcome::Done { .. })
            && operation.kind == Kind::Capture
            && before.1 == Status::Authorized;
        if !operation.is_running() && !counts {
            let after = (self.shop.tables.log.rows().len(), self.shop.payment(operation.payment).status);
            assert_eq!(after, before, "it was settled before");
        }
        self.gather();
    }

    /// A provider tells that a refund failed, before or after it was done.
    fn fail_refund(&mut self) {
        let operations = self.operations.clone();
        let Some(id) = self.pick(&operations) else { return };
        let operation = self.shop.tables.operations.get(&id).expect("an operation").clone();
        let Some(fails) = FailRefund::of(&operation, "no".to_owned()) else { return };
        let moves = self.shop.tables.log.rows().len();
        let settled = self.shop.does(&fails);
        assert_eq!(matches!(settled, SettledOperation::Now(_)), operation.status != Operated::Failed, "once");
        assert_eq!(self.shop.tables.log.rows().len(), moves, "no units are moved");
    }

    fn ship(&mut self) {
        let orders = self.orders.clone();
        let Some(order) = self.pick(&orders) else { return };
        let is_voided = |(_, operation): &(_, &PaymentOperation)| {
            let payment = self.shop.payment(operation.payment);
            operation.order == order
                && operation.kind == Kind::Void
                && operation.is_running()
                && payment.status == Status::Authorized
        };
        let is_shippable = self.shop.read(order).must_be_shippable().is_ok()
            && !self.shop.tables.operations.rows().any(|row| is_voided(&row));
        let shipped = self.shop.decide(&ShipOrder::check(order, None, None).expect("a sound request"));
        assert_eq!(shipped.is_ok(), is_shippable, "{shipped:?}");
    }

    fn cancel(&mut self) {
        let orders = self.orders.clone();
        let Some(order) = self.pick(&orders) else { return };
        let is_cancellable = self.shop.read(order).must_be_cancellable().is_ok();
        let cancel = CancelOrder::check(order, CancelReason::Other, None).expect("a sound request");
        assert_eq!(self.shop.decide(&cancel).is_ok(), is_cancellable);
    }

    /// Every order agrees with its payments, its operations and its rows of the log.
    fn check(&self) {
        let mut of_order = BTreeMap::<OrderId, Vec<LogEntry>>::new();
        for row in self.shop.tables.log.rows() {
            if let Some(order) = row.order {
                of_order.entry(order).or_default().push(row.into());
            }
        }
        for id in &self.orders {
            let order = self.shop.read(*id);
            let payments = self.shop.tables.payments.rows().map(|(_, payment)| payment);
            let payments: Vec<_> = payments.filter(|payment| payment.order == *id).collect();
            let operations = self.shop.tables.operations.rows().map(|(_, operation)| operation);
            let operations: Vec<_> = operations.filter(|operation| operation.order == *id).collect();
            let log = of_order.remove(id).unwrap_or_default();
            assert_eq!(compare_order(order, &payments, &log), Vec::<String>::new());
            assert_eq!(compare_operations(order, &payments, &operations), Vec::<String>::new());
        }
    }

    /// When every gateway has done what it was asked for, released orders have kept nobody's money, unless a refund failed for
    /// good; and the log adds up.
    fn finish(mut self) {
        loop {
            let mut all = self.shop.tables.operations.rows().map(|(_, operation)| operation);
            let Some(running) = all.find(|operation| operation.is_running()).cloned() else { break };
            drop(all);
            if running.kind == Kind::Capture {
                self.taken.insert(running.payment);
            }
            self.shop.does(&SettleOperation::of(&running, OperationOutcome::Done { reference: None }));
            self.check();
        }
        for id in &self.taken {
            let payment = self.shop.payment(*id);
            if matches!(payment.status, Status::Voided | Status::Declined) {
                let operations = self.shop.tables.operations.rows().map(|(_, operation)| operation);
                let mut refunds =
                    operations.filter(|operation| operation.payment == *id && operation.kind == Kind::Refund);
                let is_due = refunds.any(|refund| refund.status == Operated::Failed);
                assert!(is_due || payment.refunded == payment.amount.amount, "{payment:?}");
            }
        }
        for product in &self.products {
            let mut fold = Fold::default();
            self.shop
                .tables
                .log
                .rows()
                .iter()
                .filter(|row| row.product == *product)
                .for_each(|row| fold.push(row.into()));
            let stock = self.shop.tables.stocks.get(product).expect("a stock record");
            let items = self.orders.iter().flat_map(|order| &self.shop.read(*order).items);
            let held: i64 = items.filter(|item| item.product == *product).map(|item| i64::from(item.allocated)).sum();
            assert_eq!(fold.compare(stock, held), Vec::<String>::new());
        }
    }
}
