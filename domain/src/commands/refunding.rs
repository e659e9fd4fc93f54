//! What refunds do to a payment, its order and its units: what counts from when, what comes back into stock, and what is due
//! again when a refund fails, at once or long after.

use crate::id::OrderItemId;
use crate::order::{CancelReason, PaymentStatus, ShippingStatus, Status as OrderStatus};
use crate::payment::Outcome;
use crate::payment_operation::{Kind, PaymentOperation, Status as OperationStatus};
use crate::rejection::Code;
use crate::transaction::Reason;

use super::operating::{PAID, Sale, charged, done, refund, refused};
use super::paying::Shop;
use super::*;

#[test]
fn a_refund_counts_from_its_beginning_until_it_fails() {
    let mut sale = Sale::paid(3);
    for amount in [0, -1, 301, i64::MAX] {
        assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(amount), &[])), [Code::InvalidInput], "{amount}");
    }
    let part = sale.begins(&refund(sale.payment, Some(120), &[]));
    assert_eq!((sale.shop.payment(sale.payment).refunded, sale.states()), (120, PAID));
    assert_eq!(sale.settles(&part, refused()), [Code::GatewayError]);
    assert_eq!((sale.shop.payment(sale.payment).refunded, sale.states()), (0, PAID), "it is still due");
    assert_eq!(sale.goes(&refund(sale.payment, Some(120), &[]), done()), []);
    assert_eq!(sale.states().1, PaymentStatus::PartiallyRefunded);
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(181), &[])), [Code::InvalidInput]);
    let rest = sale.begins(&refund(sale.payment, None, &[]));
    assert_eq!(rest.amount.amount, 180, "all that is left");
    sale.settles(&rest, done());
    assert_eq!((sale.states().0, sale.states().1), (OrderStatus::Complete, PaymentStatus::Refunded));
    assert_eq!(sale.shop.refuses(&refund(sale.payment, None, &[])), [Code::InvalidState]);
    assert_eq!((sale.units(), sale.numbers()), ((3, 0, 0, 0), (10, 3)), "what is not restocked stays held");
    let ship = ShipOrder::check(sale.order, None, None).expect("a sound request");
    assert_eq!(sale.shop.refuses(&ship), [Code::InvalidState]);
}

#[test]
fn held_units_are_restocked_before_shipped_ones_and_never_more_than_there_are() {
    let mut sale = Sale::paid(5);
    sale.ship_part(2);
    let item = sale.item();
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(1), &[(item, 6)])), [Code::InvalidInput]);
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(1), &[(item, 0)])), [Code::InvalidQuantity]);
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(1), &[(item, 1), (item, 1)])), [Code::InvalidInput]);
    let stranger = OrderItemId(uuid::Uuid::nil());
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(1), &[(stranger, 1)])), [Code::NotFound]);
    assert_eq!(sale.goes(&refund(sale.payment, Some(100), &[(item, 4)]), done()), []);
    assert_eq!((sale.units(), sale.numbers()), ((0, 2, 3, 1), (9, 0)), "three were held, one came back");
    assert_eq!(sale.reasons()[sale.reasons().len() - 2..], [Reason::Refunded, Reason::Return]);
    assert_eq!(sale.states().2, ShippingStatus::Fulfilled, "nothing is left to ship");
    assert_eq!(sale.shop.refuses(&refund(sale.payment, Some(1), &[(item, 2)])), [Code::InvalidInput]);
    assert_eq!(sale.goes(&refund(sale.payment, Some(1), &[(item, 1)]), done()), []);
    assert_eq!((sale.units(), sale.numbers()), ((0, 2, 3, 2), (10, 0)));
}

#[test]
fn a_refund_that_fails_restocks_nothing() {
    let mut sale = Sale::paid(2);
    let item = sale.item();
    sale.goes(&refund(sale.payment, None, &[(item, 2)]), refused());
    assert_eq!((sale.units(), sale.numbers()), ((2, 0, 0, 0), (10, 2)));
}

#[test]
fn a_refund_that_failed_after_it_was_reported_as_done_is_due_again_and_moves_no_units() {
    let mut sale = Sale::paid(3);
    let item = sale.item();
    sale.goes(&refund(sale.payment, Some(100), &[]), done());
    let rest = sale.begins(&refund(sale.payment, None, &[(item, 2)]));
    assert_eq!(sale.settles(&rest, done()), []);
    assert_eq!((sale.states().1, sale.units(), sale.numbers()), (PaymentStatus::Refunded, (1, 0, 2, 0), (10, 1)));
    let version = sale.shop.read(sale.order).version;
    let fails = |operation| FailRefund::of(operation, "The account is closed.".to_owned()).expect("a refund");
    let SettledOperation::Now(paid) = sale.shop.does(&fails(&rest)) else { panic!("it counts") };
    assert_eq!(paid.errors[0].message, "The account is closed.");
    assert_eq!(
        (sale.states().1, sale.units(), sale.numbers()),
        (PaymentStatus::PartiallyRefunded, (1, 0, 2, 0), (10, 1))
    );
    assert_eq!(sale.shop.payment(sale.payment).refunded, 100);
    assert!(sale.shop.read(sale.order).version > version, "whoever follows the order is told");
    assert!(matches!(sale.shop.does(&fails(&rest)), SettledOperation::Before(_)), "a notice may come twice");
    let first = sale.shop.tables.operations.rows().map(|(_, operation)| operation);
    let first = first.filter(|one| one.status == OperationStatus::Succeeded).last().expect("the first refund").clone();
    sale.shop.does(&fails(&first));
    assert_eq!((sale.states().1, sale.shop.payment(sale.payment).refunded), (PaymentStatus::Paid, 0));
    let again = sale.begins(&refund(sale.payment, None, &[]));
    assert_eq!(again.amount.amount, 300, "all of it is due again");
    assert!(matches!(sale.shop.does(&fails(&again)), SettledOperation::Now(_)), "the notice comes before the answer");
    assert!(matches!(sale.shop.does(&SettleOperation::of(&again, done())), SettledOperation::Before(_)));
    assert_eq!((sale.states().1, sale.shop.payment(sale.payment).refunded), (PaymentStatus::Paid, 0));
}

#[test]
fn a_refund_of_late_money_that_failed_after_all_stays_due() {
    let mut sale = Sale::begun(2);
    sale.shop.settle(sale.payment, &Outcome::Declined { reason: "no".to_owned() });
    sale.shop.settle(sale.payment, &charged());
    let late = sale.shop.tables.operations.rows().map(|(_, operation)| operation).next().expect("a refund").clone();
    sale.settles(&late, done());
    let before = sale.states();
    sale.shop.does(&FailRefund::of(&late, "no".to_owned()).expect("a refund"));
    assert_eq!((sale.states(), sale.refunds()), (before, vec![(200, OperationStatus::Failed)]));
    assert_eq!(sale.goes(&refund(sale.payment, None, &[]), done()), []);
    assert!(FailRefund::of(&PaymentOperation { kind: Kind::Capture, ..late }, String::new()).is_none());
}

#[test]
fn units_that_were_never_allocated_do_not_come_back() {
    let mut shop = Shop::new();
    let gift = shop.product("GIFT", 5);
    shop.manage(gift, false);
    let order = shop.order(&[(gift, 2)]);
    let payment = shop.begin(order);
    shop.settle(payment, &charged());
    shop.does(&ShipOrder::check(order, None, None).expect("a sound request"));
    shop.manage(gift, true);
    let item = shop.read(order).items[0].id;
    assert_eq!(shop.refuses(&refund(payment, None, &[(item, 1)])), [Code::InvalidInput]);
}

#[test]
fn a_paid_order_that_was_cancelled_is_refunded_and_its_units_are_not_released_twice() {
    let mut sale = Sale::paid(2);
    let item = sale.item();
    let part = sale.begins(&refund(sale.payment, Some(50), &[(item, 1)]));
    sale.shop.does(&CancelOrder::check(sale.order, CancelReason::Other, None).expect("a sound request"));
    assert_eq!(sale.numbers(), (10, 0));
    assert_eq!(sale.settles(&part, done()), []);
    assert_eq!((sale.numbers(), sale.units()), ((10, 0), (0, 0, 2, 0)), "it was released with the order");
    assert_eq!(sale.shop.refuses(&refund(sale.payment, None, &[(item, 1)])), [Code::InvalidInput]);
    assert_eq!(sale.goes(&refund(sale.payment, None, &[]), done()), []);
    assert_eq!((sale.states().0, sale.states().1), (OrderStatus::Cancelled, PaymentStatus::Refunded));
}
