//! Captures, voids and refunds through every gateway over HTTP: each is done once, whatever goes wrong.

use serde_json::json;

use super::{SOON, Sale, Till, answered, silent};
use crate::support::eventually;
use crate::support::providers::{Lie, Mishap, StandIn};

stories!(
    money_is_reserved_and_not_taken,
    money_is_captured_once_whatever_goes_wrong,
    money_is_released_once_whatever_goes_wrong,
    money_goes_back_once_whatever_goes_wrong,
    notices_of_captures_and_voids_come_before_the_answers,
);

/// What goes wrong with an operation.
const MISHAPS: [Mishap; 5] =
    [Mishap::ErrorBefore, Mishap::ErrorAfter, Mishap::SilentBefore, Mishap::SilentAfter, Mishap::ResetAfter];

/// Also when the answer is lost, or comes after a notice. Another amount reserves nothing.
async fn money_is_reserved_and_not_taken<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    let is_reserved = async |sale: &Sale, what: &str| {
        till.becomes(sale, "AUTHORIZED").await;
        assert_eq!((till.provider.taken(&sale.order), till.provider.charges(&sale.order)), (0, 0), "{what}");
        till.is_allocated_once(sale).await;
    };
    let answered = till.sale("ANSWERED").await;
    till.authorize(&answered).await;
    is_reserved(&answered, "answered").await;
    assert_eq!(till.provider.push(&answered.order).await, 200);
    is_reserved(&answered, "pushed").await;
    let lost = till.sale("LOST").await;
    till.provider.desk().plan(S::CHARGING.last().expect("a step"), Mishap::SilentAfter);
    till.authorize(&lost).await;
    till.advance(SOON);
    is_reserved(&lost, "lost").await;
    let other = till.sale("OTHER").await;
    till.provider.lie(Some(Lie::Amount));
    till.authorize(&other).await;
    till.advance(SOON);
    let before = till.provider.desk().count(S::LOOKING);
    eventually("recovery asks", async || till.provider.desk().count(S::LOOKING) >= before + 2).await;
    till.is_held(&other, "another amount").await;
    till.provider.lie(None);
    is_reserved(&other, "the amount").await;
    till.shop.close().await;
}

async fn money_is_captured_once_whatever_goes_wrong<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    for (number, mishap) in MISHAPS.into_iter().enumerate() {
        let what = format!("{mishap:?}");
        let sale = till.sale(&format!("MUG-{number}")).await;
        let payment = till.authorize(&sale).await;
        till.becomes(&sale, "AUTHORIZED").await;
        till.provider.desk().plan("capture", mishap);
        till.operate("capturePayment", json!({ "paymentId": payment })).await;
        till.advance(SOON);
        till.becomes(&sale, "PAID").await;
        assert!(till.adds_up(&sale, &what).await);
        assert_eq!(till.operate("capturePayment", json!({ "paymentId": payment })).await, ["INVALID_STATE"], "{what}");
        till.is_allocated_once(&sale).await;
    }
    till.shop.close().await;
}

async fn money_is_released_once_whatever_goes_wrong<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    for (number, mishap) in MISHAPS.into_iter().enumerate() {
        let what = format!("{mishap:?}");
        let sale = till.sale(&format!("MUG-{number}")).await;
        let payment = till.authorize(&sale).await;
        till.becomes(&sale, "AUTHORIZED").await;
        till.provider.desk().plan(S::VOIDING, mishap);
        till.operate("voidPayment", json!({ "paymentId": payment })).await;
        till.advance(SOON);
        till.becomes(&sale, "UNPAID").await;
        assert!(!till.adds_up(&sale, &what).await);
        assert_eq!(till.shop.log(&sale.product).await, ["CREATE 1", "ALLOCATE 1", "DEALLOCATE 1"], "{what}");
    }
    till.shop.close().await;
}

/// First a part of it, then the rest.
async fn money_goes_back_once_whatever_goes_wrong<S: StandIn>() {
    let till = Till::<S>::open(silent()).await;
    for (number, mishap) in MISHAPS.into_iter().enumerate() {
        let what = format!("{mishap:?}");
        let sale = till.sale(&format!("MUG-{number}")).await;
        let payment = till.authorize(&sale).await;
        till.becomes(&sale, "AUTHORIZED").await;
        till.operate("capturePayment", json!({ "paymentId": payment })).await;
        till.becomes(&sale, "PAID").await;
        till.provider.desk().plan("refund", mishap);
        till.operate("refundPayment", json!({ "paymentId": payment, "amount": 400 })).await;
        till.advance(SOON);
        till.becomes(&sale, "PARTIALLY_REFUNDED").await;
        assert_eq!(till.provider.taken(&sale.order), 600, "{what}");
        till.operate("refundPayment", json!({ "paymentId": payment })).await;
        till.becomes(&sale, "REFUNDED").await;
        assert_eq!(till.provider.taken(&sale.order), 0, "{what}");
        assert_eq!(till.operate("refundPayment", json!({ "paymentId": payment })).await.len(), 1, "nothing is left");
        till.is_allocated_once(&sale).await;
    }
    till.shop.close().await;
}

async fn notices_of_captures_and_voids_come_before_the_answers<S: StandIn>() {
    let till = Till::<S>::open(answered()).await;
    till.provider.desk().push_first();
    let captured = till.sale("CAPTURED").await;
    let payment = till.authorize(&captured).await;
    till.becomes(&captured, "AUTHORIZED").await;
    till.operate("capturePayment", json!({ "paymentId": payment })).await;
    till.becomes(&captured, "PAID").await;
    assert!(till.adds_up(&captured, "captured").await);
    till.is_allocated_once(&captured).await;
    let voided = till.sale("VOIDED").await;
    let payment = till.authorize(&voided).await;
    till.becomes(&voided, "AUTHORIZED").await;
    till.operate("voidPayment", json!({ "paymentId": payment })).await;
    till.becomes(&voided, "UNPAID").await;
    assert!(!till.adds_up(&voided, "voided").await);
    assert_eq!(till.shop.log(&voided.product).await, ["CREATE 1", "ALLOCATE 1", "DEALLOCATE 1"]);
    till.shop.close().await;
}
