//! The PaymentIntent of a payment: how it is created, found again and cancelled, and what its status means for the payment.

use std::time::Duration;

use url::Url;

use domain::money::Money;
use domain::payment::{Action, Method, Outcome, Payment, Status};

use super::amount::{from_stripe, to_stripe};
use super::api::{Answer, Failure, Intent, is_id, reason};
use super::{ACTION_TIME, KEY_LIFETIME, ORDER, PAYMENT, SEARCH_LAG, Stripe};
use crate::payment::gateway::ChargeState;
use crate::payment::notices::{agrees, text};

impl Stripe {
    /// Creates the intent of a payment, or returns it as it was when it was created. It depends on the payment alone, and is
    /// never confirmed here: whoever sends it again takes no money.
    pub(super) async fn create(&self, payment: &Payment) -> Answer<Intent> {
        let amount = to_stripe(payment.amount).ok_or(Failure::Refused)?.to_string();
        let (currency, id, order) =
            (payment.amount.currency.code().to_ascii_lowercase(), payment.id.to_string(), payment.order.to_string());
        let (of_payment, of_order) = (format!("metadata[{PAYMENT}]"), format!("metadata[{ORDER}]"));
        let form = [
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("capture_method", if payment.method == Method::Authorize { "manual" } else { "automatic" }),
            ("payment_method_types[0]", "card"),
            (&of_payment, &id),
            (&of_order, &order),
        ];
        let intent: Intent = self.api.post("payment_intents", Some(&id), &form).await?;
        if is_id(&intent.id, "pi_") { Ok(intent) } else { Err(Failure::Open) }
    }

    /// Returns the intent of a payment as it is now: by its reference, or by creating it once more under the same key. Where
    /// the key is too old, or was used by another release with other parameters, it is searched for.
    pub(super) async fn find(&self, payment: &Payment) -> Answer<Intent> {
        let id = self.id(payment).await?;
        self.api.intent(&id).await.map_err(open)
    }

    /// Returns the id of the intent of a payment.
    pub(super) async fn id(&self, payment: &Payment) -> Answer<String> {
        if let Some(reference) = payment.reference.as_ref().filter(|reference| is_id(reference, "pi_")) {
            return Ok(reference.clone());
        }
        let is_older = |than: Duration| self.clock.now() >= payment.created_at + than;
        let (is_old, is_found) = (is_older(KEY_LIFETIME), is_older(SEARCH_LAG));
        if is_old && let Some(intent) = self.search(payment).await? {
            return Ok(intent.id);
        }
        match self.create(payment).await {
            Ok(intent) => Ok(intent.id),
            // Nothing found is no proof that there is nothing.
            Err(Failure::KeyReused | Failure::Open) if is_found => {
                Ok(self.search(payment).await?.ok_or(Failure::Open)?.id)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn search(&self, payment: &Payment) -> Answer<Option<Intent>> {
        let found = self.api.search(PAYMENT, &payment.id.to_string()).await.map_err(open)?;
        Ok(found.filter(|intent| is_id(&intent.id, "pi_")))
    }

    /// Cancels an intent: it can never be charged again, not even by a request that is on its way.
    pub(super) async fn cancel(&self, payment: &Payment, intent: Intent) -> ChargeState {
        if matches!(intent.status.as_str(), "succeeded" | "canceled") {
            return self.standing(payment, &intent);
        }
        let path = format!("payment_intents/{}/cancel", intent.id);
        let cancelled = match self.api.post(&path, None, &[("cancellation_reason", "abandoned")]).await {
            // It has ended in the meantime, or is being processed.
            Err(Failure::UnexpectedState) => self.api.intent(&intent.id).await,
            cancelled => cancelled,
        };
        match cancelled.map(|intent| self.standing(payment, &intent)) {
            // It is not cancelled yet.
            Ok(ChargeState::NotFound) => ChargeState::Pending,
            Ok(state) => state,
            Err(_) => ChargeState::Unreachable,
        }
    }

    /// Returns what the status of an intent means. An intent that nobody has confirmed is not found: no charge was begun.
    pub(super) fn standing(&self, payment: &Payment, intent: &Intent) -> ChargeState {
        let is_in_progress = payment.status == Status::InProgress;
        match intent.status.as_str() {
            "succeeded" if is_as_asked(payment, payment.amount, intent.amount_received, &intent.currency) => {
                ChargeState::Ended(Outcome::Charged { reference: Some(intent.id.clone()) })
            }
            "requires_capture"
                if payment.method == Method::Authorize
                    && is_as_asked(payment, payment.amount, intent.amount_capturable, &intent.currency) =>
            {
                ChargeState::Ended(Outcome::Authorized { reference: Some(intent.id.clone()) })
            }
            "canceled" => ChargeState::Ended(match &intent.last_payment_error {
                // The answer to the charge was lost, and the shopper should know why it failed.
                Some(error) if is_in_progress => Outcome::Declined { reason: reason(Some(error)) },
                _ => Outcome::Voided,
            }),
            "requires_action" if is_in_progress => match self.action(intent) {
                Some(action) => ChargeState::Ended(Outcome::ActionRequired(action)),
                None => ChargeState::Pending,
            },
            "requires_payment_method" | "requires_confirmation" if is_in_progress => ChargeState::NotFound,
            "succeeded" | "processing" | "requires_action" | "requires_payment_method" | "requires_confirmation" => {
                ChargeState::Pending
            }
            other => {
                let status = text(other);
                tracing::error!(payment = %payment.id, ?status, "Stripe tells a status that was not asked for");
                ChargeState::Pending
            }
        }
    }

    /// Returns what the shopper has to do: to confirm the intent, or what its bank wants.
    pub(super) fn action(&self, intent: &Intent) -> Option<Action> {
        let client_secret = intent.client_secret.clone()?;
        let redirect = intent.next_action.as_ref().and_then(|next| next.redirect_to_url.as_ref()?.url.clone());
        let url = redirect.filter(|url| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
        let kind = match (&url, &intent.next_action) {
            (Some(_), _) => "REDIRECT",
            (None, Some(_)) => "STRIPE_NEXT_ACTION",
            (None, None) => "STRIPE_CONFIRM",
        };
        let expires_at = self.clock.now() + ACTION_TIME;
        Some(Action { kind: kind.to_owned(), url, client_secret: Some(client_secret), expires_at })
    }
}

/// Returns whether an amount of Stripe is the one that was asked for.
pub(super) fn is_as_asked(payment: &Payment, asked: Money, told: i64, currency: &str) -> bool {
    agrees(payment, asked, from_stripe(told, currency), Some(currency))
}

/// Takes a refusal to look for something for no answer: only a refusal to create an intent says that there is none.
fn open(failure: Failure) -> Failure {
    match failure {
        Failure::Refused => Failure::Open,
        failure => failure,
    }
}
