//! Events that Stripe pushes to this server. Only how a PaymentIntent ended changes anything, and an end is for good: in
//! whatever order events come, and however often, the outcome is the same. Lost ones are made up for by recovery.

use serde::Deserialize;
use serde_json::Value;

use domain::payment::{Outcome, Payment};

use super::api::{Intent, Refund, is_id};
use super::{KEY_LIFETIME, OPERATION, PAYMENT, Stripe};
use crate::observability::metrics;
use crate::payment::gateway::{ChargeState, Notice, Receipt};
use crate::payment::notices::text;
use crate::signature;

/// The header with the signature.
const SIGNATURE: &str = "stripe-signature";

/// Events that tell how an intent ended, or that it was authorized.
const ENDS: [&str; 3] =
    ["payment_intent.succeeded", "payment_intent.canceled", "payment_intent.amount_capturable_updated"];

/// Events that may tell of a refund that failed after it had been reported as done.
const REFUNDS: [&str; 3] = ["refund.failed", "refund.updated", "charge.refund.updated"];

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: Value,
}

impl Stripe {
    /// Takes an event.
    pub(super) async fn event(&self, notice: Notice<'_>) -> Receipt {
        let header = notice.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        if let Err(error) = signature::verify(&self.webhook_secret, header, notice.body, self.clock.now()) {
            tracing::debug!(?error, "an event for the gateway stripe is not signed as it should be");
            return Receipt::Unsigned;
        }
        let Ok(event) = serde_json::from_slice::<Event>(notice.body) else {
            return self.notices.ignore("of another form");
        };
        if REFUNDS.contains(&event.kind.as_str()) {
            return self.refund_changed(&event.kind, event.data.object).await;
        }
        if !ENDS.contains(&event.kind.as_str()) {
            return self.notices.ignore(&event.kind);
        }
        let Ok(intent) = serde_json::from_value::<Intent>(event.data.object) else {
            return self.notices.ignore("of an intent of another form");
        };
        self.ended(&event.kind, &intent).await
    }

    /// A bank may refuse the money days after Stripe has reported the refund as done.
    async fn refund_changed(&self, kind: &str, object: Value) -> Receipt {
        let Ok(refund) = serde_json::from_value::<Refund>(object) else {
            return self.notices.ignore("of a refund of another form");
        };
        let Some(reason) = refund.failure() else { return self.notices.ignore(kind) };
        let of = |field| refund.metadata.as_ref().and_then(|metadata| metadata.get(field));
        let (Some(operation), Some(intent)) = (of(OPERATION), refund.payment_intent.as_deref()) else {
            let refund = text(&refund.id);
            tracing::error!(?refund, "a refund that was not made here failed at Stripe: look at it there");
            return Receipt::Ignored;
        };
        self.notices.fail_refund(operation, reason, |payment| payment.reference.as_deref() == Some(intent)).await
    }

    async fn ended(&self, kind: &str, intent: &Intent) -> Receipt {
        let Some(id) = intent.metadata.get(PAYMENT).filter(|_| is_id(&intent.id, "pi_")) else {
            return self.notices.ignore("of an intent that is not ours");
        };
        let payment = match self.notices.payment(id).await {
            Ok(Some(payment)) => payment,
            Ok(None) => return self.notices.ignore("of a payment that is not known"),
            Err(_) => return Receipt::Failed,
        };
        if payment.reference.as_ref().is_some_and(|reference| *reference != intent.id) {
            metrics::gateway_mismatch(&payment.gateway);
            tracing::error!(
                payment = %payment.id, intent = intent.id, event = kind,
                "Stripe has another intent for a payment: look at both there"
            );
            return Receipt::Ignored;
        }
        match self.standing(&payment, intent) {
            ChargeState::Ended(Outcome::Voided | Outcome::Declined { .. }) if self.may_be_another(&payment) => {
                self.notices.ignore("of an old payment, which recovery looks up")
            }
            ChargeState::Ended(outcome) => self.notices.settle(&payment, outcome).await,
            ChargeState::Pending | ChargeState::NotFound | ChargeState::Unreachable => self.notices.ignore(kind),
        }
    }

    /// Returns whether a payment may have another intent besides this one: when its idempotency key was forgotten. Then the
    /// end of one of them is not the end of the payment.
    fn may_be_another(&self, payment: &Payment) -> bool {
        payment.reference.is_none() && self.clock.now() >= payment.created_at + KEY_LIFETIME
    }
}
