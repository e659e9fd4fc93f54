//! The `stripe` gateway: PaymentIntents over Stripe's public HTTP API.
//!
//! A charge takes two requests, so that what may be charged can always be found again. The first creates the intent under
//! the payment's id as its idempotency key. It depends on nothing but the payment, and an intent that is not confirmed takes
//! no money: sending it again is a safe look-up, which no search is (searches are up to a minute late). The second confirms
//! the intent with the payment method that the front end sent; without one, the shopper's browser confirms it. An intent that
//! is cancelled can never be confirmed: that is how a charge is voided that nobody knows of yet, or that is still on its way.
//!
//! Idempotency keys are forgotten after a day, and until then an error that Stripe once answered with 500 is answered again.
//! A payment that is open for longer than that, or for some minutes with nothing but errors, is searched for: by then a search
//! is not late any more.

mod amount;
mod api;
mod intents;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::config::Secret;
use domain::payment::{Method, Outcome, Payment};
use domain::rejection::Rejection;

use super::client;
use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway, Notice, Operation, OperationAnswer, Receipt};
use super::notices::Notices;
use super::registry::{GatewayContext, Registration};
use amount::to_stripe;
use api::{Api, Failure, Intent, Refund, is_id, reason};
use intents::is_as_asked;

/// The name of the gateway.
const NAME: &str = "stripe";

/// The metadata of an intent that names our payment.
const PAYMENT: &str = "onhand_payment";

/// The metadata of an intent that names our order.
const ORDER: &str = "onhand_order";

/// The metadata of a refund that names our operation.
const OPERATION: &str = "onhand_operation";

/// Time that a shopper has to act.
const ACTION_TIME: Duration = Duration::from_mins(15);

/// So long an idempotency key is relied on. Stripe keeps it for at least 24 hours.
const KEY_LIFETIME: Duration = Duration::from_hours(23);

/// After this a search is not late any more. Stripe says that it usually takes less than a minute.
const SEARCH_LAG: Duration = Duration::from_mins(5);

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: NAME,
    capabilities: Capabilities {
        methods: &[Method::Purchase, Method::Authorize],
        settles_without_call: false,
        is_staff_only: false,
        is_for_development: false,
    },
    build: |context| Some(Arc::new(Stripe::new(context)?)),
};

#[derive(Debug)]
struct Stripe {
    api: Api,
    webhook_secret: Secret,
    clock: Clock,
    notices: Notices,
}

impl Stripe {
    fn new(context: &GatewayContext) -> Option<Self> {
        let settings = &context.settings;
        let api = Api {
            url: settings.stripe_api.clone(),
            key: settings.stripe_secret_key.clone()?,
            client: client::client(context.times.pay_gateway)?,
        };
        Some(Self {
            api,
            webhook_secret: settings.stripe_webhook_secret.clone()?,
            clock: context.clock.clone(),
            notices: Notices::new(NAME, context),
        })
    }

    /// Confirms an intent with a payment method.
    async fn confirm(&self, payment: &Payment, intent: &Intent, token: &str) -> ChargeAnswer {
        let form = [("payment_method", token), ("use_stripe_sdk", "true")];
        let key = format!("{}-confirm", payment.id);
        let path = format!("payment_intents/{}/confirm", intent.id);
        match self.api.post::<Intent>(&path, Some(&key), &form).await {
            Ok(intent) => match self.standing(payment, &intent) {
                ChargeState::Ended(outcome) => ChargeAnswer::Certain(outcome),
                // It was confirmed, and wants another payment method now.
                ChargeState::NotFound => {
                    let reason = reason(intent.last_payment_error.as_ref());
                    ChargeAnswer::Certain(Outcome::Declined { reason })
                }
                ChargeState::Pending | ChargeState::Unreachable => ChargeAnswer::Open,
            },
            Err(failure) => failed(failure),
        }
    }
}

#[async_trait]
impl Gateway for Stripe {
    fn check_token(&self, token: Option<&str>) -> Result<(), Rejection> {
        match token {
            Some(token) if !is_id(token, "pm_") => {
                let message = "The token for Stripe is the id of a payment method (pm_...), or none.";
                Err(Rejection::invalid_input(message).at(["token"]))
            }
            _ => Ok(()),
        }
    }

    async fn charge(&self, payment: &Payment, token: Option<&str>) -> ChargeAnswer {
        if to_stripe(payment.amount).is_none() {
            let reason = format!("Stripe cannot charge this amount of {}.", payment.amount.currency);
            return ChargeAnswer::Certain(Outcome::Refused { reason });
        }
        let intent = match self.create(payment).await {
            Ok(intent) => intent,
            Err(failure) => return failed(failure),
        };
        match token {
            Some(token) => self.confirm(payment, &intent, token).await,
            None => match self.action(&intent) {
                Some(action) => ChargeAnswer::Certain(Outcome::ActionRequired(action)),
                None => ChargeAnswer::Open,
            },
        }
    }

    async fn look_up(&self, payment: &Payment) -> ChargeState {
        match self.find(payment).await {
            Ok(intent) => self.standing(payment, &intent),
            // Stripe took the request to create it for invalid: there is none.
            Err(Failure::Refused) => ChargeState::NotFound,
            Err(_) => ChargeState::Unreachable,
        }
    }

    async fn void(&self, payment: &Payment) -> ChargeState {
        let intent = match self.find(payment).await {
            Ok(intent) => intent,
            Err(Failure::Refused) => return ChargeState::Ended(Outcome::Voided),
            Err(_) => return ChargeState::Unreachable,
        };
        self.cancel(payment, intent).await
    }

    async fn capture(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        let Some(amount) = to_stripe(operation.amount) else {
            return OperationAnswer::Refused { reason: "Stripe cannot capture this amount.".to_owned() };
        };
        let Ok(id) = self.id(payment).await else { return OperationAnswer::Open };
        // Without an idempotency key: an intent is captured once, whoever asks how often, and an error would be answered
        // again for a day under a key.
        let path = format!("payment_intents/{id}/capture");
        let captured = self.api.post::<Intent>(&path, None, &[("amount_to_capture", &amount.to_string())]).await;
        let refused = match &captured {
            Err(Failure::Card { reason }) => Some(reason.clone()),
            Err(Failure::Refused) => Some("Stripe refused to capture it.".to_owned()),
            _ => None,
        };
        // Whatever the answer was, the intent tells: it may have been captured before, by hand, or by a request whose answer
        // was lost.
        let intent = match captured {
            Ok(intent) => intent,
            Err(_) => match self.api.intent(&id).await {
                Ok(intent) => intent,
                Err(_) => return OperationAnswer::Open,
            },
        };
        match (intent.status.as_str(), refused) {
            ("succeeded", _) if is_as_asked(payment, operation.amount, intent.amount_received, &intent.currency) => {
                OperationAnswer::Done { reference: Some(intent.id) }
            }
            ("canceled", _) => OperationAnswer::Refused { reason: "The authorization has ended at Stripe.".to_owned() },
            ("requires_capture", Some(reason)) => OperationAnswer::Refused { reason },
            _ => OperationAnswer::Open,
        }
    }

    async fn refund(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        let Some(amount) = to_stripe(operation.amount) else {
            return OperationAnswer::Refused { reason: "Stripe cannot refund this amount.".to_owned() };
        };
        let Ok(id) = self.id(payment).await else { return OperationAnswer::Open };
        let (amount, key) = (amount.to_string(), operation.id.to_string());
        // The idempotency key is forgotten after a day, the list never: a repeated refund must not become a second one.
        match self.api.refund_of(&id, OPERATION, &key).await {
            Ok(Some(refund)) => return refunded(payment, operation, refund),
            Ok(None) => {}
            Err(_) => return OperationAnswer::Open,
        }
        let metadata = format!("metadata[{OPERATION}]");
        let form = [("payment_intent", id.as_str()), ("amount", &amount), (&metadata, &key)];
        match self.api.post("refunds", Some(&key), &form).await {
            Ok(refund) => refunded(payment, operation, refund),
            Err(Failure::Card { reason }) => OperationAnswer::Refused { reason },
            Err(Failure::Refused) => OperationAnswer::Refused { reason: "Stripe refused to refund it.".to_owned() },
            Err(_) => OperationAnswer::Open,
        }
    }

    async fn receive(&self, notice: Notice<'_>) -> Receipt {
        self.event(notice).await
    }
}

/// Returns what a failed request to charge means. Only an answer of Stripe itself says that nothing was charged.
fn failed(failure: Failure) -> ChargeAnswer {
    let refused = |reason: &str| ChargeAnswer::Certain(Outcome::Refused { reason: reason.to_owned() });
    match failure {
        Failure::Card { reason } => ChargeAnswer::Certain(Outcome::Declined { reason }),
        Failure::Refused | Failure::NotFound => refused("The payment provider refused the request."),
        Failure::Unauthorized => refused("The payment provider cannot be used at the moment."),
        Failure::UnexpectedState | Failure::KeyReused | Failure::Open => ChargeAnswer::Open,
    }
}

/// Returns how a refund stands.
fn refunded(payment: &Payment, operation: &Operation, refund: Refund) -> OperationAnswer {
    if let Some(reason) = refund.failure() {
        return OperationAnswer::Refused { reason };
    }
    match refund.status.as_deref() {
        Some("succeeded") if is_as_asked(payment, operation.amount, refund.amount, &refund.currency) => {
            OperationAnswer::Done { reference: Some(refund.id) }
        }
        _ => OperationAnswer::Open,
    }
}
