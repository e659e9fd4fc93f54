//! What capturing, voiding and refunding do to a payment, its order and its units, step by step, so that each rule fails by
//! itself: what is allowed in which state, that nothing moves twice, and what two of them do to each other.

use std::time::Duration;

use crate::id::{OrderId, OrderItemId, PaymentId, ProductId};
use crate::order::{CancelReason, PaymentStatus, ShippingStatus, Status as OrderStatus};
use crate::payment::{KeyId, Method, Outcome, Status};
use crate::payment_operation::{Kind, PaymentOperation, Status as OperationStatus};
use crate::rejection::Code;
use crate::transaction::Reason;
use crate::world::idempotency::Key;

use super::paying::{LEASE, Shop, begin};
use super::*;

pub(super) fn request(payment: PaymentId) -> OperationRequest {
    OperationRequest { payment, settles_without_call: false, lease: LEASE, key: None }
}

pub(super) fn capture(payment: PaymentId) -> CapturePayment {
    CapturePayment(request(payment))
}

pub(super) fn void(payment: PaymentId, force: bool) -> VoidPayment {
    VoidPayment { request: request(payment), force }
}

pub(super) fn refund(payment: PaymentId, amount: Option<i64>, restock: &[(OrderItemId, i32)]) -> RefundPayment {
    RefundPayment { request: request(payment), amount, restock: restock.to_vec() }
}

pub(super) fn done() -> OperationOutcome {
    OperationOutcome::Done { reference: Some("ref".to_owned()) }
}

pub(super) fn refused() -> OperationOutcome {
    OperationOutcome::Refused { reason: "no".to_owned() }
}

pub(super) fn charged() -> Outcome {
    Outcome::Charged { reference: None }
}

/// An order of so many bags at 1.00, and its payment.
pub(super) struct Sale {
    pub(super) shop: Shop,
    pub(super) bag: ProductId,
    pub(super) order: OrderId,
    pub(super) payment: PaymentId,
}

impl Sale {
    pub(super) fn begun(units: i32) -> Self {
        let mut shop = Shop::new();
        let bag = shop.product("BAG", 10);
        let order = shop.order(&[(bag, units)]);
        let payment = match shop.does(&BeginPayment { method: Method::Authorize, ..begin(order) }) {
            Begun::Charge { payment, .. } => payment.id,
            other => panic!("{other:?}"),
        };
        Self { shop, bag, order, payment }
    }

    pub(super) fn authorized(units: i32) -> Self {
        let mut sale = Self::begun(units);
        sale.shop.settle(sale.payment, &Outcome::Authorized { reference: Some("auth".to_owned()) });
        sale
    }

    pub(super) fn paid(units: i32) -> Self {
        let mut sale = Self::begun(units);
        sale.shop.settle(sale.payment, &charged());
        sale
    }

    pub(super) fn begins<C: Command<Answer = BegunOperation>>(&mut self, command: &C) -> PaymentOperation {
        match self.shop.does(command) {
            BegunOperation::Call { operation, .. } => *operation,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn settles(&mut self, operation: &PaymentOperation, outcome: OperationOutcome) -> Vec<Code> {
        let settled = self.shop.does(&SettleOperation::of(operation, outcome));
        assert!(matches!(settled, SettledOperation::Now(_)), "{settled:?}");
        settled.into_paid().errors.iter().map(|error| error.code).collect()
    }

    /// Begins and settles.
    pub(super) fn goes<C: Command<Answer = BegunOperation>>(
        &mut self,
        command: &C,
        outcome: OperationOutcome,
    ) -> Vec<Code> {
        let operation = self.begins(command);
        self.settles(&operation, outcome)
    }

    pub(super) fn states(&self) -> (OrderStatus, PaymentStatus, ShippingStatus, Status) {
        let order = self.shop.read(self.order);
        (order.status, order.payment, order.shipping, self.shop.payment(self.payment).status)
    }

    pub(super) fn item(&self) -> OrderItemId {
        self.shop.read(self.order).items[0].id
    }

    /// Held, shipped, cancelled and returned units of its item.
    pub(super) fn units(&self) -> (i32, i32, i32, i32) {
        let item = &self.shop.read(self.order).items[0];
        (item.allocated, item.shipped, item.cancelled, item.returned)
    }

    pub(super) fn numbers(&self) -> (i32, i32) {
        self.shop.numbers(self.bag)
    }

    pub(super) fn ship(&mut self) {
        self.shop.does(&ShipOrder::check(self.order, None, None).expect("a sound request"));
    }

    /// Ships a part of the order, as its item, its log and its stock have it afterwards.
    pub(super) fn ship_part(&mut self, units: i32) {
        let mut world = self.shop.tables.world();
        let mut order = world.order(self.order, &crate::actor::Actor::System).expect("an order").clone();
        order.items[0].allocated -= units;
        order.items[0].shipped += units;
        order.shipping = order.shipped_so_far();
        let stock = world.edit_stock(self.bag).expect("a stock record");
        stock.numbers.total -= units;
        stock.numbers.allocated -= units;
        world.put_order(order);
        self.shop.tables.shipped.insert((self.order, self.bag), units);
        self.shop.tables.keep();
    }

    pub(super) fn refunds(&self) -> Vec<(i64, OperationStatus)> {
        let of = |operation: &&PaymentOperation| operation.kind == Kind::Refund;
        let operations = self.shop.tables.operations.rows().map(|(_, operation)| operation).filter(of);
        let mut refunds: Vec<_> = operations.map(|operation| (operation.amount.amount, operation.status)).collect();
        refunds.sort_unstable();
        refunds
    }

    pub(super) fn reasons(&self) -> Vec<Reason> {
        self.shop.tables.log.rows().iter().map(|row| row.reason).collect()
    }
}

pub(super) const PROCESSING: (OrderStatus, PaymentStatus, ShippingStatus, Status) =
    (OrderStatus::Processing, PaymentStatus::Authorized, ShippingStatus::Unfulfilled, Status::Authorized);
pub(super) const PAID: (OrderStatus, PaymentStatus, ShippingStatus, Status) =
    (OrderStatus::Complete, PaymentStatus::Paid, ShippingStatus::Unfulfilled, Status::Succeeded);
pub(super) const RELEASED: (OrderStatus, PaymentStatus, ShippingStatus, Status) =
    (OrderStatus::Incomplete, PaymentStatus::Unpaid, ShippingStatus::Unfulfilled, Status::Voided);

#[test]
fn an_authorized_order_holds_its_units_and_is_neither_paid_again_nor_cancelled() {
    let mut sale = Sale::authorized(2);
    assert_eq!((sale.states(), sale.numbers()), (PROCESSING, (10, 2)));
    assert_eq!(sale.shop.refuses(&begin(sale.order)), [Code::InvalidState]);
    let cancel = CancelOrder::check(sale.order, CancelReason::Other, None).expect("a sound request");
    assert_eq!(sale.shop.refuses(&cancel), [Code::InvalidState], "void it first");
    assert_eq!(sale.shop.refuses(&refund(sale.payment, None, &[])), [Code::InvalidState], "nothing was captured");
    sale.ship();
    assert_eq!((sale.units(), sale.numbers()), ((0, 2, 0, 0), (8, 0)), "it may be shipped");
    assert_eq!(sale.goes(&capture(sale.payment), done()), []);
    assert_eq!((sale.states().1, sale.states().2), (PaymentStatus::Paid, ShippingStatus::Fulfilled));
}

#[test]
fn a_capture_pays_the_order_and_one_that_failed_keeps_the_allocation_and_can_be_tried_again() {
    let mut sale = Sale::authorized(2);
    let first = sale.begins(&capture(sale.payment));
    assert_eq!((first.kind, first.amount.amount), (Kind::Capture, 200));
    assert_eq!(sale.settles(&first, refused()), [Code::GatewayError]);
    assert_eq!((sale.states(), sale.numbers()), (PROCESSING, (10, 2)));
    let second = sale.begins(&capture(sale.payment));
    assert_ne!(first.id, second.id, "a new attempt has a new key at the gateway");
    assert_eq!(sale.settles(&second, done()), []);
    assert_eq!((sale.states(), sale.numbers()), (PAID, (10, 2)));
    assert_eq!(sale.shop.refuses(&capture(sale.payment)), [Code::InvalidState]);
    assert_eq!(sale.shop.refuses(&void(sale.payment, true)), [Code::InvalidState]);
}

#[test]
fn a_capture_that_was_refused_and_is_done_after_all_pays_the_order() {
    let mut sale = Sale::authorized(2);
    let first = sale.begins(&capture(sale.payment));
    assert_eq!(sale.settles(&first, refused()), [Code::GatewayError]);
    assert_eq!(sale.states(), PROCESSING);
    assert!(matches!(sale.shop.does(&SettleOperation::of(&first, done())), SettledOperation::Before(_)));
    assert_eq!((sale.states(), sale.numbers()), (PAID, (10, 2)));
    let told = sale.shop.tables.operations.get(&first.id).expect("the capture");
    assert_eq!((told.status, &told.failure_reason), (OperationStatus::Succeeded, &None));
}

#[test]
fn a_void_releases_once_the_gateway_has_confirmed() {
    let mut sale = Sale::authorized(2);
    let voiding = sale.begins(&void(sale.payment, false));
    assert_eq!((sale.states(), sale.numbers()), (PROCESSING, (10, 2)), "not before");
    assert_eq!(sale.settles(&voiding, done()), []);
    assert_eq!((sale.states(), sale.numbers(), sale.units()), (RELEASED, (10, 0), (0, 0, 0, 0)));
    assert_eq!(sale.shop.refuses(&void(sale.payment, false)), [Code::InvalidState]);
    sale.payment = sale.shop.begin(sale.order);
    assert_eq!(sale.numbers(), (10, 2), "it is payable again");
}

#[test]
fn a_void_that_came_too_late_finds_the_order_paid() {
    let mut sale = Sale::authorized(2);
    assert_eq!(sale.goes(&void(sale.payment, false), OperationOutcome::TooLate(charged())), [Code::GatewayError]);
    assert_eq!((sale.states(), sale.numbers()), (PAID, (10, 2)));
}

#[test]
fn a_void_of_a_partly_shipped_order_releases_the_rest_and_cancels_it() {
    let mut sale = Sale::authorized(3);
    sale.ship_part(1);
    assert_eq!(sale.goes(&void(sale.payment, false), done()), []);
    let (status, payment, shipping, attempt) = sale.states();
    assert_eq!((status, payment, attempt), (OrderStatus::Cancelled, PaymentStatus::Unpaid, Status::Voided));
    assert_eq!((sale.units(), sale.numbers(), shipping), ((0, 1, 2, 0), (9, 0), ShippingStatus::PartiallyFulfilled));
    assert!(sale.shop.read(sale.order).cancel_reason.is_some());
}

#[test]
fn only_a_forced_void_gives_up_a_payment_in_progress_and_money_that_comes_later_is_refunded_once() {
    let mut sale = Sale::begun(2);
    assert_eq!(sale.shop.refuses(&void(sale.payment, false)), [Code::InvalidState]);
    let forced = sale.begins(&void(sale.payment, true));
    assert_eq!((forced.kind, sale.states(), sale.numbers()), (Kind::ForcedVoid, RELEASED, (10, 0)));
    let again = sale.shop.begin(sale.order);
    for _ in 0..3 {
        assert!(matches!(sale.shop.settle(sale.payment, &charged()), Settled::Before(_)));
        assert_eq!(sale.refunds(), [(200, OperationStatus::InProgress)], "a row says so");
    }
    assert_eq!(
        (sale.shop.payment(again).status, sale.numbers()),
        (Status::InProgress, (10, 2)),
        "the new attempt goes on"
    );
    let late = sale.shop.tables.operations.rows().map(|(_, operation)| operation).find(|it| it.is_running()).cloned();
    assert_eq!(sale.settles(&late.expect("a refund"), done()), []);
    assert_eq!(sale.shop.payment(sale.payment).refunded, 200);
    assert_eq!(sale.shop.read(sale.order).payment, PaymentStatus::InProgress);
}

#[test]
fn a_forced_void_learns_later_that_the_money_was_taken() {
    let mut sale = Sale::authorized(2);
    let voiding = sale.begins(&void(sale.payment, false));
    let forced = sale.begins(&void(sale.payment, true));
    assert_eq!(sale.shop.tables.operations.get(&voiding.id).expect("it").status, OperationStatus::Failed, "given up");
    assert_eq!((sale.states(), sale.numbers()), (RELEASED, (10, 0)));
    assert_eq!(sale.settles(&forced, OperationOutcome::TooLate(charged())), []);
    assert_eq!((sale.states(), sale.refunds()), (RELEASED, vec![(200, OperationStatus::InProgress)]));
}

#[test]
fn a_capture_that_was_given_up_by_force_and_is_done_after_all_is_refunded() {
    let mut sale = Sale::authorized(2);
    let capturing = sale.begins(&capture(sale.payment));
    let forced = sale.begins(&void(sale.payment, true));
    for _ in 0..2 {
        let settled = sale.shop.does(&SettleOperation::of(&capturing, done()));
        assert!(matches!(settled, SettledOperation::Before(_)), "{settled:?}");
        assert_eq!((sale.states(), sale.refunds()), (RELEASED, vec![(200, OperationStatus::InProgress)]));
    }
    assert!(!sale.shop.tables.operations.get(&forced.id).expect("it").is_running(), "one at a time");
}

#[test]
fn what_arrives_for_a_declined_payment_goes_back() {
    for (late, kind) in [(charged(), Kind::Refund), (Outcome::Authorized { reference: None }, Kind::Void)] {
        let mut sale = Sale::begun(2);
        sale.shop.settle(sale.payment, &Outcome::Declined { reason: "no".to_owned() });
        sale.shop.settle(sale.payment, &late);
        sale.shop.settle(sale.payment, &late);
        let begun: Vec<_> = sale.shop.tables.operations.rows().map(|(_, operation)| operation.clone()).collect();
        assert_eq!(begun.iter().map(|operation| operation.kind).collect::<Vec<_>>(), [kind], "{late:?}");
        sale.settles(&begun[0], done());
        assert_eq!((sale.states().1, sale.states().3), (PaymentStatus::Unpaid, Status::Declined), "{late:?}");
    }
}

#[test]
fn money_that_arrived_late_and_could_not_be_refunded_is_refunded_by_staff() {
    let mut sale = Sale::begun(2);
    sale.shop.settle(sale.payment, &Outcome::Voided);
    assert_eq!(sale.shop.refuses(&refund(sale.payment, None, &[])), [Code::InvalidState]);
    sale.shop.settle(sale.payment, &charged());
    let late = sale.shop.tables.operations.rows().next().expect("a refund").1.clone();
    assert_eq!(sale.settles(&late, refused()), [Code::GatewayError]);
    assert_eq!(sale.goes(&refund(sale.payment, None, &[]), done()), []);
    assert_eq!(sale.refunds(), [(200, OperationStatus::Succeeded), (200, OperationStatus::Failed)]);
}

#[test]
fn one_operation_at_a_time_and_each_is_settled_once() {
    let mut sale = Sale::authorized(2);
    let capturing = sale.begins(&capture(sale.payment));
    for other in [sale.shop.does(&capture(sale.payment)), sale.shop.does(&void(sale.payment, false))] {
        let BegunOperation::Answered(answer) = other else { panic!("{other:?}") };
        assert_eq!(answer.errors[0].code, Code::PaymentInProgress);
    }
    assert_eq!(sale.settles(&capturing, done()), []);
    let item = sale.item();
    let refunding = sale.begins(&refund(sale.payment, Some(60), &[(item, 1)]));
    assert_eq!(sale.settles(&refunding, done()), []);
    let as_it_was = (sale.shop.read(sale.order).clone(), sale.shop.payment(sale.payment).clone(), sale.numbers());
    for (operation, late) in [(&capturing, refused()), (&refunding, done()), (&refunding, refused())] {
        let settled = sale.shop.does(&SettleOperation::of(operation, late));
        assert!(matches!(settled, SettledOperation::Before(_)), "{settled:?}");
    }
    for late in [charged(), Outcome::Voided, Outcome::Authorized { reference: None }] {
        assert!(matches!(sale.shop.settle(sale.payment, &late), Settled::Before(_)), "{late:?}");
    }
    let after = (sale.shop.read(sale.order).clone(), sale.shop.payment(sale.payment).clone(), sale.numbers());
    assert_eq!(after, as_it_was);
}

#[test]
fn a_notice_that_comes_before_the_answer_is_the_answer() {
    let mut sale = Sale::authorized(2);
    let capturing = sale.begins(&capture(sale.payment));
    assert!(matches!(sale.shop.settle(sale.payment, &charged()), Settled::Now(_)));
    assert_eq!(sale.settles(&capturing, done()), []);
    assert_eq!((sale.states(), sale.numbers(), sale.refunds()), (PAID, (10, 2), vec![]));
    let mut sale = Sale::authorized(2);
    assert!(matches!(sale.shop.settle(sale.payment, &Outcome::Voided), Settled::Now(_)), "it lapsed at the provider");
    assert_eq!((sale.states(), sale.numbers()), (RELEASED, (10, 0)));
}

#[test]
fn an_operation_is_claimed_by_one_and_deferred_by_who_has_it() {
    let mut sale = Sale::authorized(2);
    let operation = sale.begins(&capture(sale.payment));
    let claim =
        || ClaimOperation { operation: operation.id, payment: operation.payment, lease: LEASE, longest: 2 * LEASE };
    assert_eq!(sale.shop.does(&claim()), None, "the attempt itself has it");
    sale.shop.now += LEASE;
    let (_, claimed) = sale.shop.does(&claim()).expect("its lease is over");
    assert_eq!((claimed.recovery.polls, sale.shop.does(&claim())), (1, None));
    let until = sale.shop.now + Duration::from_secs(5);
    let defer = |lease| DeferOperation { operation: operation.id, payment: operation.payment, lease, until };
    sale.shop.does(&defer(until));
    assert_eq!(sale.shop.does(&claim()), None, "it is not theirs");
    sale.shop.does(&defer(claimed.recovery.leased_until));
    sale.shop.now = until;
    assert!(sale.shop.does(&claim()).is_some());
    sale.settles(&operation, done());
    sale.shop.now += 3 * LEASE;
    assert_eq!(sale.shop.does(&claim()), None, "there is nothing to repeat");
}

#[test]
fn a_key_stands_for_one_operation_and_its_answer() {
    let mut sale = Sale::authorized(2);
    let id = KeyId { scope: "staff".to_owned(), key: "K".to_owned() };
    let key = Key { id, mutation: "capturePayment", fingerprint: String::new(), other_fingerprint: None };
    let command = CapturePayment(OperationRequest { key: Some(key), ..request(sale.payment) });
    let operation = sale.begins(&command);
    assert!(matches!(sale.shop.does(&command), BegunOperation::Answered(answer) if !answer.errors.is_empty()));
    sale.settles(&operation, refused());
    let BegunOperation::Kept(kept) = sale.shop.does(&command) else { panic!("it has ended") };
    assert_eq!((kept.payment, kept.errors[0].code), (Some(sale.payment), Code::GatewayError));
    assert_eq!(sale.goes(&capture(sale.payment), done()), [], "a new attempt needs a new key");
}

/// What was begun and never ended has no answer under its key; what was given up has one.
#[test]
fn the_key_of_an_operation_that_was_given_up_tells_that_it_failed() {
    let mut sale = Sale::authorized(2);
    let id = KeyId { scope: "subject".to_owned(), key: "K".to_owned() };
    let key = Key { id, mutation: "capturePayment", fingerprint: String::new(), other_fingerprint: None };
    let capture = CapturePayment(OperationRequest { key: Some(key), ..request(sale.payment) });
    sale.begins(&capture);
    let codes = |begun: BegunOperation| match begun {
        BegunOperation::Answered(paid) => paid.errors.iter().map(|error| error.code).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(codes(sale.shop.does(&capture)), [Code::PaymentInProgress]);
    sale.begins(&void(sale.payment, true));
    assert_eq!(codes(sale.shop.does(&capture)), [Code::GatewayError]);
}

#[test]
fn nothing_is_shipped_while_the_authorization_is_voided() {
    let mut sale = Sale::authorized(2);
    let ship = ShipOrder::check(sale.order, None, None).expect("a sound request");
    let voided = sale.begins(&void(sale.payment, false));
    assert_eq!(sale.shop.refuses(&ship), [Code::InvalidState]);
    assert_eq!(sale.settles(&voided, refused()), [Code::GatewayError]);
    sale.shop.does(&ship);
}

/// Money that came for a released order is refunded; the units that the order holds by now were not paid with it.
#[test]
fn a_payment_that_did_not_pay_for_the_order_restocks_nothing() {
    let mut sale = Sale::begun(2);
    let forced = sale.begins(&void(sale.payment, true));
    assert_eq!(sale.settles(&forced, OperationOutcome::TooLate(charged())), []);
    let late = sale.shop.tables.operations.rows().map(|(_, operation)| operation.clone());
    let late = late.into_iter().find(|operation| operation.kind == Kind::Refund).expect("a refund of what came late");
    sale.settles(&late, refused());
    let Begun::Charge { payment, .. } = sale.shop.does(&begin(sale.order)) else { panic!("nobody pays") };
    let item = sale.shop.read(sale.order).items[0].id;
    assert_eq!(sale.shop.refuses(&refund(sale.payment, None, &[(item, 2)])), [Code::InvalidInput]);
    sale.begins(&refund(sale.payment, None, &[]));
    sale.shop.settle(payment.id, &charged());
    assert_eq!((sale.shop.read(sale.order).items[0].allocated, sale.numbers()), (2, (10, 2)));
}
