//! What is special about the gateway `http`: its signatures, in both directions.

use serde_json::json;

use super::{SOON, Till, answered};
use crate::support::eventually;
use crate::support::paid;
use crate::support::providers::{Fate, PaymentService, Signs, StandIn};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_signed_well_is_not_believed() {
    let till = Till::<PaymentService>::open(answered()).await;
    for (number, signs) in [Signs::Never, Signs::WithAnother, Signs::LongAgo, Signs::AnotherBody, Signs::AnotherRequest]
        .into_iter()
        .enumerate()
    {
        let what = format!("{signs:?}");
        let sale = till.sale(&format!("MUG-{number}")).await;
        till.provider.signs(signs);
        assert_eq!(till.pay(&sale, Fate::Decline).await, paid("IN_PROGRESS", "IN_PROGRESS", &[]), "{what}");
        let before = till.provider.desk().count("look_up");
        till.advance(SOON);
        eventually("recovery asks", async || till.provider.desk().count("look_up") >= before + 2).await;
        till.is_held(&sale, &what).await;
        till.provider.signs(Signs::Well);
        till.becomes(&sale, "UNPAID").await;
        assert!(!till.adds_up(&sale, &what).await);
    }
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_taken_once_it_makes_sense() {
    let till = Till::<PaymentService>::open(answered()).await;
    let sale = till.sale("MUG").await;
    till.pay(&sale, Fate::Act).await;
    let order = till.shop.read_order(&sale.order).await;
    let payment = order["payments"][0]["id"].as_str().expect("an id");
    let charged = |amount: i64, currency: &str| json!({ "payment": payment, "state": "charged", "amount": amount, "currency": currency });
    let (good, secret) = (charged(1_000, "EUR"), PaymentService::secret());
    assert_eq!(till.provider.notify(&good, "another-secret-that-nobody-has-heard-of", 0).await, 400);
    assert_eq!(till.provider.notify(&good, secret, -301).await, 400, "too old");
    assert_eq!(till.provider.notify(&json!({ "state": "charged" }), secret, 0).await, 400, "of no payment");
    let unknown = json!({ "payment": "payment_01h455vb4pex5vsknk084sn02q", "state": "charged" });
    assert_eq!(till.provider.notify(&unknown, secret, 0).await, 200, "acknowledged");
    for other in [charged(999, "EUR"), charged(1_000, "USD"), json!({ "payment": payment, "state": "pending" })] {
        assert_eq!(till.provider.notify(&other, secret, 0).await, 200);
        till.is_held(&sale, &other.to_string()).await;
    }
    till.provider.act(&sale.order);
    assert_eq!(till.provider.notify(&good, secret, 0).await, 200);
    assert!(till.adds_up(&sale, "acted").await);
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_failed_after_all_is_due_again() {
    let till = Till::<PaymentService>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let payment = till.refunded_in_part(&sale).await;
    let operation = till.provider.refund();
    let notice = |operation: &str, state: &str| json!({ "payment": payment, "operation": operation, "state": state, "reason": "The account is closed." });
    let secret = PaymentService::secret();
    let unknown = "01936d0f-9c1e-7c6a-8d2b-3f0a5b1c2d3e";
    for nothing in [notice(unknown, "refused"), notice("?", "refused"), notice(&operation, "pending")] {
        assert_eq!(till.provider.notify(&nothing, secret, 0).await, 200, "{nothing}");
    }
    assert_eq!(till.shop.read_order(&sale.order).await["payment"], "PARTIALLY_REFUNDED");
    for _ in 0..2 {
        assert_eq!(till.provider.notify(&notice(&operation, "refused"), secret, 0).await, 200);
    }
    till.is_due_again(&sale, &payment, "The account is closed.").await;
    till.shop.close().await;
}

/// Only an answer to `charge` refuses a charge: what could not be voided is not voided.
#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_is_refused_releases_nothing() {
    let till = Till::<PaymentService>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let payment = till.authorize(&sale).await;
    till.provider.refuses_voids(true);
    till.operate("voidPayment", json!({ "paymentId": payment })).await;
    let asked = till.provider.desk().count("void");
    till.advance(SOON);
    eventually("it asks again", async || till.provider.desk().count("void") > asked).await;
    assert_eq!(till.payment(&sale).await, "AUTHORIZED");
    assert_eq!(till.shop.stock(&sale.product).await, (1, 1, 0));
    till.provider.refuses_voids(false);
    till.advance(SOON);
    till.becomes(&sale, "UNPAID").await;
    assert!(!till.adds_up(&sale, "voided").await);
    till.shop.close().await;
}
