//! What is special about the gateway `stripe`: client confirmation, keys that are forgotten, and currencies.

use std::time::Duration;

use serde_json::{Value, json};

use super::{SOON, Till, answered, silent};
use crate::support::providers::{Fate, Mishap, StandIn, StripeStandIn};
use crate::support::{codes, eventually, paid, short};

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_confirms_what_has_no_payment_method_yet() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let payload = till.shop.pay_with(json!({ "orderId": sale.order, "gateway": "stripe" })).await;
    let action = &payload["payment"]["action"];
    let intent = till.provider.intent(&sale.order);
    assert_eq!(action["kind"], "STRIPE_CONFIRM", "{payload}");
    assert_eq!(action["clientSecret"], format!("{}_secret_x", intent.id));
    // A card that is declined is not the end: the shopper may take another one.
    till.provider.change(&sale.order, |intent| intent.error = Some(json!({ "type": "card_error", "message": "No." })));
    assert_eq!(till.provider.push(&sale.order).await, 200);
    till.is_held(&sale, "declined once").await;
    till.provider.act(&sale.order);
    assert_eq!(till.provider.push(&sale.order).await, 200);
    assert!(till.adds_up(&sale, "confirmed").await);
    till.is_allocated_once(&sale).await;
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_whose_answer_was_lost_is_told_with_its_reason() {
    let till = Till::<StripeStandIn>::open(silent()).await;
    let sale = till.sale("MUG").await;
    till.provider.desk().plan("confirm", Mishap::SilentAfter);
    till.pay(&sale, Fate::Decline).await;
    till.advance(SOON);
    till.becomes(&sale, "UNPAID").await;
    let order = till.shop.read_order(&sale.order).await;
    assert_eq!(order["payments"][0]["declineReason"], "Your card was declined.");
    assert_eq!(till.provider.intent(&sale.order).status, "canceled");
    till.shop.close().await;
}

/// After a day Stripe has forgotten the key: creating the intent again would make a second one, beside that which charged.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_its_key_is_searched_for() {
    let times = onhand::config::PaymentTimeouts { pay_give_up: Duration::from_hours(48), ..silent() };
    let till = Till::<StripeStandIn>::open(times).await;
    let sale = till.sale("MUG").await;
    till.provider.desk().plan("confirm", Mishap::SilentAfter);
    // It is silent until the key is forgotten.
    for _ in 0..3 {
        till.provider.desk().plan("retrieve", Mishap::ErrorBefore);
    }
    till.pay(&sale, Fate::Succeed).await;
    till.advance(Duration::from_hours(25));
    till.provider.forget_keys();
    till.becomes(&sale, "PAID").await;
    assert!(till.adds_up(&sale, "a day later").await);
    assert_eq!(till.provider.account().intents.len(), 1);
    assert!(till.provider.desk().count("search") >= 1);
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_and_of_any_kind_do_no_harm() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let secret = StripeStandIn::webhook_secret();
    let sale = till.sale("MUG").await;
    till.pay(&sale, Fate::Act).await;
    let waiting = till.provider.event("payment_intent.requires_action", &sale.order);
    till.provider.act(&sale.order);
    let succeeded = till.provider.event("payment_intent.succeeded", &sale.order);
    let mut foreign = succeeded.clone();
    foreign["data"]["object"]["id"] = "pi_another".into();
    let mut unknown = succeeded.clone();
    unknown["data"]["object"]["metadata"] = json!({});
    for event in
        [&unknown, &succeeded, &waiting, &foreign, &json!({ "type": "charge.refunded", "data": { "object": {} } })]
    {
        assert_eq!(till.provider.send(event, secret, 0).await, 200, "{event}");
    }
    assert_eq!(till.provider.send(&json!([1]), secret, 0).await, 200, "of another form");
    assert_eq!(till.provider.send(&succeeded, secret, -301).await, 400, "too old");
    assert_eq!(till.provider.send(&succeeded, "whsec_another", 0).await, 400);
    assert!(till.adds_up(&sale, "any order").await);
    till.is_allocated_once(&sale).await;
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_failed_after_all_is_due_again() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let payment = till.refunded_in_part(&sale).await;
    let mut failed = till.provider.account().refunds[0].clone();
    let event = |refund: &Value| json!({ "type": "refund.failed", "data": { "object": refund } });
    let secret = StripeStandIn::webhook_secret();
    assert_eq!(till.provider.send(&event(&failed), secret, 0).await, 200, "it has succeeded");
    failed["status"] = "failed".into();
    failed["failure_reason"] = "expired_or_canceled_card".into();
    let (mut by_hand, mut of_another) = (failed.clone(), failed.clone());
    by_hand["metadata"] = json!({});
    of_another["payment_intent"] = "pi_another".into();
    for nothing in [&by_hand, &of_another, &json!({ "object": "refund" })] {
        assert_eq!(till.provider.send(&event(nothing), secret, 0).await, 200, "{nothing}");
    }
    assert_eq!(till.shop.read_order(&sale.order).await["payment"], "PARTIALLY_REFUNDED");
    for _ in 0..2 {
        assert_eq!(till.provider.send(&event(&failed), secret, 0).await, 200);
    }
    till.is_due_again(&sale, &payment, "The refund failed at Stripe: expired_or_canceled_card.").await;
    till.shop.close().await;
}

/// A declined payment leaves an intent that nobody can confirm, and a request that Stripe refuses is no decline.
#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_refuses_is_told_apart_from_a_decline() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let pay = async |token: &str| {
        till.shop.pay_with(json!({ "orderId": sale.order, "gateway": "stripe", "token": token })).await
    };
    let payload = pay("tok_visa").await;
    assert_eq!(codes(&payload), ["INVALID_INPUT"]);
    let payload = pay("pm_of_nobody").await;
    assert_eq!(short(&payload), paid("DECLINED", "UNPAID", &["GATEWAY_ERROR"]));
    assert!(!till.adds_up(&sale, "refused").await);
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_are_counted_as_stripe_counts_them() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    for (amount, currency, expected) in
        [(1_500, "JPY", Some(1_500)), (1_500, "ISK", Some(150_000)), (1_500, "KWD", Some(1_500)), (1_501, "KWD", None)]
    {
        let input = json!({ "sku": format!("{currency}-{amount}"), "name": "Mug", "initialStock": 1,
            "price": { "amount": amount, "currency": currency } });
        let product = till.shop.create_product(input).await["product"]["id"].as_str().expect("an id").to_owned();
        let order = till.shop.order_of(&product).await;
        let input = json!({ "orderId": order, "gateway": "stripe", "token": "pm_card_visa" });
        let payload = till.shop.pay_with(input).await;
        match expected {
            Some(expected) => {
                assert_eq!(short(&payload), paid("SUCCEEDED", "PAID", &[]), "{currency}");
                assert_eq!(till.provider.intent(&order).received, expected, "{currency}");
            }
            None => assert_eq!(codes(&payload), ["GATEWAY_ERROR"], "{currency}"),
        }
    }
    till.shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_is_being_processed_holds_its_unit() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let input = json!({ "orderId": sale.order, "gateway": "stripe", "token": "pm_processing" });
    assert_eq!(short(&till.shop.pay_with(input).await), paid("IN_PROGRESS", "IN_PROGRESS", &[]));
    till.advance(Duration::from_hours(2));
    eventually("it cannot be cancelled", async || till.provider.desk().count("cancel") >= 2).await;
    till.is_held(&sale, "processing").await;
    till.provider.act(&sale.order);
    till.becomes(&sale, "PAID").await;
    assert!(till.adds_up(&sale, "processed").await);
    till.shop.close().await;
}
