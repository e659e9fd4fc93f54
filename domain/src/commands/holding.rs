//! What a hold does: it takes units at check-out, paying takes them over without a gap, and nobody is left with them when its
//! time is over.

use std::time::Duration;

use crate::audit::{Fold, LogEntry, compare_holds, compare_order};
use crate::id::{OrderId, ProductId};
use crate::order::{CancelReason, PaymentStatus};
use crate::payment::Outcome;
use crate::rejection::Code;
use crate::transaction::Reason;

use super::paying::{HOLD, Shop, begin, check_out};
use super::*;

fn declined() -> Outcome {
    Outcome::Declined { reason: "no".to_owned() }
}

impl Shop {
    /// An order that holds its items.
    fn held_order(&mut self, items: &[(ProductId, i32)]) -> OrderId {
        let cart = self.cart(items);
        self.does(&check_out(cart).holding(Some(HOLD))).order.id
    }

    /// Total, allocated, and held of what is allocated.
    fn stock(&self, product: ProductId) -> (i32, i32, i32) {
        let (total, allocated) = self.numbers(product);
        (total, allocated, self.tables.stocks.get(&product).expect("a stock record").held)
    }

    fn reasons(&self, order: OrderId) -> Vec<Reason> {
        self.tables.log.rows().iter().filter(|row| row.order == Some(order)).map(|row| row.reason).collect()
    }

    /// Everything adds up.
    fn verify(&self) {
        let mut differences = Vec::new();
        for (product, stock) in self.tables.stocks.rows() {
            let mut fold = Fold::default();
            self.tables.log.rows().iter().filter(|row| row.product == *product).for_each(|row| fold.push(row.into()));
            let items = |holding: bool| -> i64 {
                let orders =
                    self.tables.orders.rows().map(|(_, order)| order).filter(|order| !holding || order.is_holding());
                let items = orders.flat_map(|order| &order.items).filter(|item| item.product == *product);
                items.map(|item| i64::from(item.allocated)).sum()
            };
            differences.extend(fold.compare(stock, items(false)));
            differences.extend(compare_holds(stock, items(true)));
        }
        for (id, order) in self.tables.orders.rows() {
            let payments: Vec<_> = self
                .tables
                .payments
                .rows()
                .map(|(_, payment)| payment)
                .filter(|payment| payment.order == *id)
                .collect();
            let log: Vec<LogEntry> =
                self.tables.log.rows().iter().filter(|row| row.order == Some(*id)).map(LogEntry::from).collect();
            differences.extend(compare_order(order, &payments, &log));
        }
        assert_eq!(differences, Vec::<String>::new());
    }
}

#[test]
fn a_hold_keeps_others_away_and_is_never_in_its_own_way() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let before = shop.order(&[(bag, 2)]);
    let order = shop.held_order(&[(bag, 4)]);
    assert_eq!(shop.stock(bag), (5, 4, 4));
    assert_eq!(shop.read(order).held_until, Some(shop.now + HOLD));
    assert_eq!(shop.refuses(&begin(before)), [Code::InsufficientStock], "it was there first, and holds nothing");
    let create = CreateCart { items: vec![CartChange { product: bag, quantity: 2 }] };
    assert_eq!(shop.refuses(&create), [Code::InsufficientStock]);
    let (second, third) = (shop.cart(&[(bag, 1)]), shop.cart(&[(bag, 1)]));
    shop.does(&check_out(second).holding(Some(HOLD)));
    assert_eq!(shop.refuses(&check_out(third).holding(Some(HOLD))), [Code::InsufficientStock]);
    assert_eq!(shop.stock(bag), (5, 5, 5));
    shop.verify();
    let payment = shop.begin(order);
    assert_eq!(shop.stock(bag), (5, 5, 1), "the units of the payment are no longer held");
    shop.settle(payment, &Outcome::Charged { reference: None });
    assert_eq!((shop.stock(bag), shop.read(order).held_until), ((5, 5, 1), None));
    assert_eq!(shop.reasons(order), [Reason::Hold], "without a gap, and without a row");
    shop.does(&ShipOrder::check(order, None, None).expect("a sound request"));
    assert_eq!(shop.stock(bag), (1, 1, 1));
    shop.verify();
}

#[test]
fn a_payment_that_fails_goes_back_to_the_hold_until_that_ends() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.held_order(&[(bag, 3)]);
    let first = shop.now + HOLD;
    shop.now += Duration::from_mins(10);
    let payment = shop.begin(order);
    assert_eq!(shop.read(order).held_until, Some(shop.now + HOLD), "beginning to pay extends it");
    assert!(shop.read(order).held_until > Some(first));
    assert!(!shop.does(&EndHold(order)), "it is being paid");
    shop.settle(payment, &declined());
    assert_eq!((shop.stock(bag), shop.read(order).payment), ((5, 3, 3), PaymentStatus::Unpaid));
    shop.verify();
    let again = shop.begin(order);
    shop.now += HOLD;
    shop.settle(again, &Outcome::Voided);
    assert_eq!((shop.stock(bag), shop.read(order).held_until), ((5, 0, 0), None), "its time was over meanwhile");
    assert_eq!(shop.reasons(order), [Reason::Hold, Reason::PaymentVoided]);
    shop.verify();
    let last = shop.begin(order);
    shop.settle(last, &Outcome::Charged { reference: None });
    assert_eq!(shop.stock(bag), (5, 3, 0));
    shop.verify();
}

/// Whoever voids a payment wants its units back.
#[test]
fn a_payment_that_is_voided_releases_what_was_held() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.held_order(&[(bag, 3)]);
    let payment = shop.begin(order);
    shop.settle(payment, &Outcome::Voided);
    assert_eq!((shop.stock(bag), shop.read(order).held_until), ((5, 0, 0), None));
    assert_eq!(shop.reasons(order), [Reason::Hold, Reason::PaymentVoided]);
    shop.verify();
}

#[test]
fn a_hold_ends_once_at_its_time_and_the_order_stays_payable() {
    let mut shop = Shop::new();
    let (bag, cup) = (shop.product("BAG", 5), shop.product("CUP", 5));
    let order = shop.held_order(&[(bag, 3), (cup, 5)]);
    let early = Duration::from_millis(1);
    shop.now = shop.now + HOLD - early;
    assert!(!shop.does(&EndHold(order)));
    shop.now += Duration::from_millis(1);
    let version = shop.read(order).version;
    assert!(shop.does(&EndHold(order)));
    assert!(!shop.does(&EndHold(order)), "it ends once");
    assert_eq!((shop.stock(bag), shop.stock(cup), shop.read(order).held_until), ((5, 0, 0), (5, 0, 0), None));
    assert_eq!(shop.read(order).version, version + 1);
    assert_eq!(shop.reasons(order), [Reason::Hold, Reason::Hold, Reason::HoldExpired, Reason::HoldExpired]);
    shop.verify();
    let payment = shop.begin(order);
    shop.settle(payment, &declined());
    assert_eq!(shop.stock(bag), (5, 0, 0), "there is no hold to go back to");
    shop.verify();
}

#[test]
fn whoever_pays_after_the_deadline_but_before_its_end_has_the_units() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 2);
    let order = shop.held_order(&[(bag, 2)]);
    shop.now += 2 * HOLD;
    let payment = shop.begin(order);
    shop.settle(payment, &Outcome::Charged { reference: None });
    assert_eq!(shop.stock(bag), (2, 2, 0));
    shop.verify();
}

/// What was not managed at check-out was not held; what is managed when it is paid is allocated then, or nothing is.
#[test]
fn units_that_a_hold_lacks_are_allocated_when_it_is_paid() {
    let mut shop = Shop::new();
    let (bag, cup) = (shop.product("BAG", 5), shop.product("CUP", 2));
    shop.manage(cup, false);
    let order = shop.held_order(&[(bag, 2), (cup, 4)]);
    assert_eq!((shop.stock(bag), shop.stock(cup)), ((5, 2, 2), (2, 0, 0)));
    shop.manage(cup, true);
    assert_eq!(shop.refuses(&begin(order)), [Code::InsufficientStock]);
    assert_eq!(shop.stock(bag), (5, 2, 2), "a refusal leaves the hold");
    shop.verify();
    shop.manage(cup, false);
    shop.manage(bag, false);
    let payment = shop.begin(order);
    shop.settle(payment, &Outcome::Charged { reference: None });
    assert_eq!((shop.stock(bag), shop.stock(cup)), ((5, 2, 0), (2, 0, 0)), "what was held is paid for");
    shop.verify();
}

#[test]
fn cancelling_frees_a_hold_and_staff_cannot() {
    let mut shop = Shop::new();
    let bag = shop.product("BAG", 5);
    let order = shop.held_order(&[(bag, 3)]);
    let free =
        StockChange { product: bag, action: crate::stock::Action::Deallocate, quantity: 1, expected_version: None };
    let adjust = AdjustStock::check(vec![free], Reason::Other, None, None, false).expect("a sound request");
    assert_eq!(shop.refuses(&adjust), [Code::InsufficientStock]);
    shop.does(&CancelOrder::check(order, CancelReason::Requested, None).expect("a sound request"));
    assert_eq!((shop.stock(bag), shop.read(order).held_until), ((5, 0, 0), None));
    assert_eq!(shop.reasons(order), [Reason::Hold, Reason::OrderCancelled]);
    shop.now += 2 * HOLD;
    assert!(!shop.does(&EndHold(order)));
    shop.verify();
}
