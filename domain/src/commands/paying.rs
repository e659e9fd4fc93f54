//! What two commands may do to one payment or one order, whichever comes first: each compare-and-set of paying and of
//! recovery, what a release frees, and what check-out sees. Step by step, so that each rule fails by itself.

use std::time::Duration;

use crate::Time;
use crate::actor::Actor;
use crate::id::{CartId, OperationId, OrderId, PaymentId, ProductId};
use crate::order::{Order, PaymentStatus};
use crate::payment::{Action, KeyId, Method, Outcome, Payment, Status};
use crate::payment_operation::Kind;
use crate::product::Status as ProductStatus;
use crate::random::Random;
use crate::rejection::Code;
use crate::stock::{Numbers, PublicStock};
use crate::webhook::{EventKind, order_events};
use crate::world::Tables;
use crate::world::idempotency::Key;

use super::*;

pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How long orders hold units that say they do.
pub(super) const HOLD: Duration = Duration::from_mins(15);

/// A shop in memory, whose clock stands still until it is set forward.
pub(super) struct Shop {
    pub(super) tables: Tables,
    random: Random,
    pub(super) now: Time,
}

impl Shop {
    pub(super) fn new() -> Self {
        let now = Time::UNIX_EPOCH + Duration::from_hours(500_000);
        Self { tables: Tables::default(), random: Random::seeded(1), now }
    }

    pub(super) fn decide<C: Command>(&mut self, command: &C) -> Result<C::Answer, Rejections> {
        let operation = OperationId(self.random.ordered_uuid(self.now));
        let (actor, public_stock) = (&Actor::System, PublicStock::Exact);
        let mut context = Context { now: self.now, actor, public_stock, operation, random: &mut self.random };
        let decided = command.decide(&mut self.tables.world(), &mut context);
        if decided.is_ok() {
            self.tables.keep();
        } else {
            self.tables.undo();
        }
        decided
    }

    pub(super) fn does<C: Command>(&mut self, command: &C) -> C::Answer {
        self.decide(command).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    pub(super) fn refuses<C: Command<Answer: std::fmt::Debug>>(&mut self, command: &C) -> Vec<Code> {
        self.decide(command).expect_err("a refusal").iter().map(|rejection| rejection.code).collect()
    }

    pub(super) fn product(&mut self, sku: &str, units: i32) -> ProductId {
        let input = ProductInput {
            sku: sku.to_owned(),
            name: sku.to_owned(),
            price_amount: 100,
            price_currency: "EUR".to_owned(),
            manage_stock: true,
            initial_stock: units,
            ..ProductInput::default()
        };
        let create = NewProduct::check(&input).map(CreateProduct).expect("a sound product");
        self.does(&create).product.id
    }

    pub(super) fn change(&mut self, product: ProductId, changes: ProductChanges) {
        self.does(&UpdateProduct { product, changes });
    }

    pub(super) fn manage(&mut self, product: ProductId, managed: bool) {
        self.change(product, ProductChanges { manage_stock: Some(managed), ..ProductChanges::default() });
    }

    pub(super) fn cart(&mut self, items: &[(ProductId, i32)]) -> CartId {
        let items = items.iter().map(|(product, quantity)| CartChange { product: *product, quantity: *quantity });
        self.does(&CreateCart { items: items.collect() }).id
    }

    pub(super) fn order(&mut self, items: &[(ProductId, i32)]) -> OrderId {
        let cart = self.cart(items);
        self.does(&check_out(cart)).order.id
    }

    pub(super) fn begin(&mut self, order: OrderId) -> PaymentId {
        match self.does(&begin(order)) {
            Begun::Charge { payment, .. } => payment.id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn settle(&mut self, payment: PaymentId, outcome: &Outcome) -> Settled {
        self.does(&SettlePayment { payment, outcome: outcome.clone() })
    }

    pub(super) fn claim(&mut self, payment: PaymentId) -> Option<Payment> {
        self.does(&ClaimPayment { payment, lease: LEASE, longest: 2 * LEASE })
    }

    pub(super) fn read(&self, order: OrderId) -> &Order {
        self.tables.orders.get(&order).expect("an order")
    }

    pub(super) fn payment(&self, id: PaymentId) -> &Payment {
        self.tables.payments.get(&id).expect("a payment")
    }

    pub(super) fn numbers(&self, product: ProductId) -> (i32, i32) {
        let Numbers { total, allocated } = self.tables.stocks.get(&product).expect("a stock record").numbers;
        (total, allocated)
    }
}

pub(super) fn check_out(cart: CartId) -> CheckOut {
    CheckOut::check(cart, None).expect("a sound check-out")
}

pub(super) fn begin(order: OrderId) -> BeginPayment {
    let gateway = "model".to_owned();
    BeginPayment {
        order,
        gateway,
        method: Method::Purchase,
        settles_without_call: false,
        lease: LEASE,
        hold_time: HOLD,
        key: None,
    }
}

fn action(at: Time) -> Outcome {
    let expires_at = at + Duration::from_mins(15);
    Outcome::ActionRequired(Action { kind: "REDIRECT".to_owned(), url: None, client_secret: None, expires_at })
}

/// Every outcome that ends a payment.
fn ends() -> [Outcome; 4] {
    let reason = || "no".to_owned();
    [
        Outcome::Charged { reference: None },
        Outcome::Declined { reason: reason() },
        Outcome::Refused { reason: reason() },
        Outcome::Voided,
    ]
}

#[test]
fn no_outcome_changes_a_payment_that_is_settled() {
    for first in ends() {
        for second in ends().into_iter().chain([action(Time::UNIX_EPOCH)]) {
            let mut shop = Shop::new();
            let bag = shop.product("BAG", 5);
            let order = shop.order(&[(bag, 2)]);
            let payment = shop.begin(order);
            assert!(matches!(shop.settle(payment, &first), Settled::Now(_)), "{first:?}");
            // Money that arrives late goes back by an operation of its own, which the payment counts.
            let seen = |shop: &Shop| {
                let order = Order { version: 0, ..shop.read(order).clone() };
                let payment = Payment { refunded: 0, operations: 0, ..shop.payment(payment).clone() };
                (order, payment, shop.numbers(bag))
            };
            let as_it_was = seen(&shop);
            let rows = shop.tables.log.rows().len();
            assert!(matches!(shop.settle(payment, &second), Settled::Before(_)), "{first:?}, then {second:?}");
            assert_eq!(seen(&shop), as_it_was, "{first:?}, then {second:?}");
            assert_eq!(shop.tables.log.rows().len(), rows, "{first:?}, then {second:?}");
        }
    }
}

#[test]
fn an_earlier_attempt_that_is_told_of_late_takes_nothing_from_a_later_one() {
    for late in ends() {
        let mut shop = Shop::new();
        let bag = shop.product("BAG", 5);
        let order = shop.order(&[(bag, 2)]);
        let earlier = shop.begin(order);
        shop.settle(earlier, &Outcome::Voided);
        let later = shop.begin(order);
        assert!(matches!(shop.settle(earlier, &late), Settled::Before(_)), "{late:?}");
        assert_eq!((shop.read(order).payment, shop.numbers(bag)), (PaymentStatus::InProgress, (5, 2)), "{late:?}");
        assert_eq!(shop.payment(later).status, Status::InProgress, "{late:?}");
    }
}

#[test]
fn who_is_asked_to_act_twice_keeps_the_first_deadline_and_may_still_pay() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let payment = shop.begin(order);
    let first = action(shop.now);
    assert!(matches!(shop.settle(payment, &first), Settled::Now(_)));
    let asked = shop.payment(payment).clone();
    assert!(matches!(shop.settle(payment, &action(shop.now + LEASE)), Settled::Before(_)));
    assert_eq!(*shop.payment(payment), asked, "the deadline does not move");
    assert!(matches!(shop.settle(payment, &Outcome::Charged { reference: None }), Settled::Now(_)));
    assert_eq!((shop.read(order).payment, shop.numbers(bag)), (PaymentStatus::Paid, (5, 2)));
}

#[test]
fn a_payment_that_waits_for_the_shopper_is_anybodys_to_recover() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let payment = shop.begin(order);
    assert_eq!(shop.claim(payment), None, "the attempt itself has it");
    shop.settle(payment, &action(shop.now));
    assert_eq!(shop.payment(payment).recovery.next_poll_at, shop.now);
    assert!(shop.claim(payment).is_some(), "nobody calls the gateway any more");
}

#[test]
fn a_payment_is_claimed_by_one_until_the_lease_is_over_and_by_nobody_once_it_is_settled() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let payment = shop.begin(order);
    for polls in 1..4 {
        shop.now = shop.now + LEASE - Duration::from_millis(1);
        assert_eq!(shop.claim(payment), None, "poll {polls}: somebody has it for another millisecond");
        shop.now += Duration::from_millis(1);
        let claimed = shop.claim(payment).expect("its lease is over");
        assert_eq!((claimed.recovery.leased_until, claimed.recovery.polls), (shop.now + LEASE, polls));
        assert_eq!(shop.claim(payment), None, "poll {polls}: it was just claimed");
    }
    shop.now -= LEASE;
    assert_eq!(shop.claim(payment), None, "twice the lease is the longest there is");
    shop.now -= Duration::from_millis(1);
    assert!(shop.claim(payment).is_some(), "what a clock that was ahead has leased holds nobody");
    shop.settle(payment, &Outcome::Voided);
    shop.now += LEASE;
    assert_eq!(shop.claim(payment), None, "there is nothing to recover");
}

#[test]
fn a_payment_is_deferred_by_who_has_it_and_never_once_it_is_settled() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let payment = shop.begin(order);
    shop.now += LEASE;
    let slow = shop.claim(payment).expect("its lease is over").recovery.leased_until;
    shop.now += LEASE;
    let claimed = shop.claim(payment).expect("the slow one's lease is over");
    let lease = claimed.recovery.leased_until;
    let until = shop.now + Duration::from_hours(1);
    shop.does(&DeferPayment { payment, lease: slow, until });
    assert_eq!(shop.payment(payment).recovery, claimed.recovery, "it is not the slow one's any more");
    shop.does(&DeferPayment { payment, lease, until });
    let deferred = shop.payment(payment).recovery;
    assert_eq!((deferred.leased_until, deferred.next_poll_at, deferred.polls), (until, until, 2));
    shop.settle(payment, &Outcome::Charged { reference: None });
    let settled = shop.payment(payment).clone();
    shop.does(&DeferPayment { payment, lease: until, until: until + LEASE });
    assert_eq!(*shop.payment(payment), settled);
}

/// Managing is switched off and on between paying and releasing: neither changes what is freed.
#[test]
fn a_release_frees_what_the_items_hold_whether_or_not_they_are_managed_now() {
    for outcome in [Outcome::Voided, Outcome::Declined { reason: "no".to_owned() }] {
        let mut shop = Shop::new();
        let (counted, uncounted) = (shop.product("COUNTED", 5), shop.product("UNCOUNTED", 5));
        let order = shop.order(&[(counted, 2), (uncounted, 3)]);
        let rival = shop.order(&[(uncounted, 3)]);
        shop.manage(uncounted, false);
        let payment = shop.begin(order);
        shop.manage(counted, false);
        shop.manage(uncounted, true);
        // Of what was not counted somebody else holds as many units.
        shop.begin(rival);
        assert_eq!((shop.numbers(counted), shop.numbers(uncounted)), ((5, 2), (5, 3)), "{outcome:?}");
        shop.settle(payment, &outcome);
        assert_eq!((shop.numbers(counted), shop.numbers(uncounted)), ((5, 0), (5, 3)), "{outcome:?}");
        assert!(shop.read(order).items.iter().all(|item| item.allocated == 0), "{outcome:?}");
    }
}

#[test]
fn a_cancelled_order_frees_what_it_holds_once() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let (order, other) = (shop.order(&[(bag, 2)]), shop.order(&[(bag, 2)]));
    for order in [order, other] {
        let payment = shop.begin(order);
        shop.settle(payment, &Outcome::Charged { reference: None });
    }
    let cancel = CancelOrder::check(order, crate::order::CancelReason::Other, None).expect("a sound request");
    shop.does(&cancel);
    assert_eq!(shop.numbers(bag), (5, 2), "what the other holds stays");
    assert_eq!(shop.refuses(&cancel), [Code::InvalidState]);
    assert_eq!(shop.numbers(bag), (5, 2));
}

#[test]
fn a_second_attempt_beside_an_open_one_begins_nothing() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let payment = shop.begin(order);
    let Begun::Answered(answer) = shop.does(&begin(order)) else { panic!("it is charged once") };
    let codes: Vec<_> = answer.errors.iter().map(|error| error.code).collect();
    assert_eq!((answer.payment, codes), (Some(payment), vec![Code::PaymentInProgress]));
    assert_eq!((shop.tables.payments.rows().count(), shop.numbers(bag)), (1, (5, 2)));
}

/// What changes between filling a cart, checking it out and paying counts as it is at that step.
#[test]
fn check_out_and_paying_see_what_was_withdrawn_sold_or_priced_anew_in_between() {
    let mut shop = Shop::new();
    let (bag, mug) = (shop.product("BAG", 5), shop.product("MUG", 5));
    let cart = shop.cart(&[(bag, 2), (mug, 1)]);
    let archive = |to: ProductStatus| ArchiveProduct { product: mug, to };
    shop.does(&archive(ProductStatus::Archived));
    assert_eq!(shop.refuses(&check_out(cart)), [Code::ProductUnavailable]);
    shop.does(&archive(ProductStatus::Active));
    let rival = shop.order(&[(bag, 4)]);
    let taken = shop.begin(rival);
    assert_eq!(shop.refuses(&check_out(cart)), [Code::InsufficientStock]);
    shop.settle(taken, &Outcome::Voided);
    shop.change(mug, ProductChanges { price: Some((250, "EUR".to_owned())), ..ProductChanges::default() });
    let order = shop.does(&check_out(cart)).order;
    assert_eq!(order.total.amount, 2 * 100 + 250, "the price of now");
    shop.change(mug, ProductChanges { price: Some((999, "EUR".to_owned())), ..ProductChanges::default() });
    shop.does(&archive(ProductStatus::Archived));
    assert_eq!(shop.refuses(&begin(order.id)), [Code::ProductUnavailable]);
    assert_eq!((shop.numbers(bag), shop.numbers(mug)), ((5, 0), (5, 0)), "all items or none");
    shop.does(&archive(ProductStatus::Active));
    let payment = shop.begin(order.id);
    assert_eq!(shop.payment(payment).amount.amount, 2 * 100 + 250, "the price of check-out");
    assert_eq!(shop.refuses(&check_out(cart)), [Code::InvalidState], "once");
}

#[test]
fn a_charge_that_comes_after_it_was_voided_takes_nothing() {
    let mut shop = Shop::new();
    let payment = PaymentId(shop.random.ordered_uuid(shop.now));
    let charge = |after: Duration| RecordCharge {
        payment,
        fate: crate::sandbox::Fate::Charged,
        after,
        amount: 100,
        token: None,
    };
    assert_eq!(shop.does(&CancelCharge(payment)), crate::sandbox::Fate::Cancelled, "it never came");
    let late = shop.does(&charge(Duration::ZERO));
    assert_eq!(late.standing(shop.now), crate::sandbox::Fate::Cancelled);
    let other = PaymentId(shop.random.ordered_uuid(shop.now));
    shop.does(&RecordCharge { payment: other, ..charge(Duration::ZERO) });
    assert_eq!(shop.does(&CancelCharge(other)), crate::sandbox::Fate::Charged, "too late to void it");
}

/// While the shopper acts, and before, the key stands for a payment in progress; what is kept is the end of it.
#[test]
fn nothing_is_kept_under_a_key_before_the_payment_has_ended() {
    for end in ends() {
        let mut shop = Shop::new();
        let bag = shop.product("BAG", 5);
        let order = shop.order(&[(bag, 2)]);
        let id = KeyId { scope: "guest".to_owned(), key: "K".to_owned() };
        let key = Key { id: id.clone(), mutation: "payOrder", fingerprint: String::new(), other_fingerprint: None };
        let pay = BeginPayment { key: Some(key), ..begin(order) };
        let Begun::Charge { payment, .. } = shop.does(&pay) else { panic!("nobody has paid") };
        let kept = |shop: &Shop| shop.tables.keys.get(&id).expect("a key").answer.clone();
        let is_in_progress = |begun: &Begun| matches!(begun, Begun::Answered(paid) if !paid.errors.is_empty());
        assert!(kept(&shop).is_none() && is_in_progress(&shop.does(&pay)), "{end:?}");
        shop.settle(payment.id, &action(shop.now));
        assert!(kept(&shop).is_none() && is_in_progress(&shop.does(&pay)), "{end:?}");
        shop.settle(payment.id, &end);
        let Begun::Kept(answer) = shop.does(&pay) else { panic!("{end:?}: it has ended") };
        let refusal = shop.payment(payment.id).refusal();
        assert_eq!((answer.payment, answer.errors), (Some(payment.id), refusal.into_iter().collect()), "{end:?}");
    }
}

/// A void whose answer was lost may arrive after a look-up has found the money reserved.
#[test]
fn what_is_found_authorized_while_a_void_is_on_its_way_is_voided() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let Begun::Charge { payment, .. } = shop.does(&BeginPayment { method: Method::Authorize, ..begin(order) }) else {
        panic!("nobody has paid")
    };
    shop.does(&GiveUpPayment { payment: payment.id });
    shop.does(&GiveUpPayment { payment: payment.id });
    let operations: Vec<_> = shop.tables.operations.rows().map(|(_, operation)| operation.clone()).collect();
    let [void] = &operations[..] else { panic!("{operations:?}") };
    assert!(void.is_running() && void.kind == Kind::Void);
    let found = shop.settle(payment.id, &Outcome::Authorized { reference: None });
    assert!(matches!(found, Settled::Before(_)), "{found:?}");
    assert_eq!(shop.payment(payment.id).status, Status::InProgress);
    shop.does(&SettleOperation::of(void, OperationOutcome::Done { reference: None }));
    assert_eq!((shop.payment(payment.id).status, shop.read(order).payment), (Status::Voided, PaymentStatus::Unpaid));
    shop.does(&GiveUpPayment { payment: payment.id });
    assert_eq!(shop.tables.operations.rows().count(), 1, "it is over");
}

/// Where nobody has to be asked, a capture and a refund that are sent at once are one batch.
#[test]
fn an_order_whose_money_was_taken_and_sent_back_in_one_batch_was_paid() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.order(&[(bag, 2)]);
    let by_hand = BeginPayment { method: Method::Authorize, settles_without_call: true, ..begin(order) };
    let Begun::Answered(Paid { payment: Some(payment), .. }) = shop.does(&by_hand) else { panic!("not authorized") };
    let request = || OperationRequest { payment, settles_without_call: true, lease: LEASE, key: None };
    let events = |shop: &Shop| order_events(&shop.tables).iter().map(|event| event.kind).collect::<Vec<_>>();
    assert_eq!(events(&shop), []);
    shop.does(&CapturePayment(request()));
    shop.does(&RefundPayment { request: request(), amount: None, restock: Vec::new() });
    assert_eq!((shop.read(order).payment, events(&shop)), (PaymentStatus::Refunded, vec![EventKind::OrderPaid]));
}
