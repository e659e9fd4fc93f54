//! The messages of the protocol of the gateway `http`, and what they mean. Their names are a promise to payment services.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use domain::Time;
use domain::money::Money;
use domain::payment::{Action, Method, Outcome, Payment};

use crate::payment::gateway::{ChargeState, Operation, OperationAnswer};
use crate::payment::notices::{agrees, text};

/// Time that a shopper has to act, unless the service says another.
const ACTION_TIME: u64 = 15 * 60;

/// Shortest and longest such time, in seconds.
const ACTION_TIMES: (u64, u64) = (10, 24 * 60 * 60);

/// Maximum length of a reference, an address or a client secret, in bytes.
const MAX_LENGTH: usize = 2_048;

/// What the service is asked.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// To charge, or to authorize, with what the front end sent.
    Charge {
        /// What the front end sent.
        token: Option<&'a str>,
    },
    /// What has become of the charge.
    LookUp,
    /// Never to charge it any more.
    Void,
    /// To capture what was authorized.
    Capture(&'a Operation),
    /// To send money back.
    Refund(&'a Operation),
}

/// A request to the service.
#[derive(Debug, Serialize)]
pub struct Request<'a> {
    #[serde(rename = "request")]
    id: &'a str,
    action: &'static str,
    payment: String,
    order: String,
    method: &'static str,
    amount: i64,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Returns the request under this id.
    pub fn new(id: &'a str, ask: Ask<'a>, payment: &'a Payment) -> Self {
        let (action, token, operation) = match ask {
            Ask::Charge { token } => ("charge", token, None),
            Ask::LookUp => ("look_up", None, None),
            Ask::Void => ("void", None, None),
            Ask::Capture(operation) => ("capture", None, Some(operation)),
            Ask::Refund(operation) => ("refund", None, Some(operation)),
        };
        let Money { amount, currency } = operation.map_or(payment.amount, |operation| operation.amount);
        Self {
            id,
            action,
            payment: payment.id.to_string(),
            order: payment.order.to_string(),
            method: payment.method.as_str(),
            amount,
            currency: currency.code(),
            operation: operation.map(|operation| operation.id.to_string()),
            reference: payment.reference.as_deref(),
            token,
        }
    }
}

/// How a charge, a capture or a refund stands at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Charged,
    Authorized,
    Declined,
    Refused,
    Voided,
    ActionRequired,
    Pending,
    NotFound,
    Captured,
    Refunded,
}

/// What the shopper has to do.
#[derive(Debug, Deserialize)]
struct ToDo {
    kind: Option<String>,
    url: Option<String>,
    client_secret: Option<String>,
    expires_in: Option<u64>,
}

/// An answer of the service, or a notice that it pushes.
#[derive(Debug, Deserialize)]
pub struct Answer {
    request: Option<String>,
    /// The payment that it is about.
    pub payment: String,
    /// The capture or refund that it is about.
    pub operation: Option<String>,
    state: State,
    amount: Option<i64>,
    currency: Option<String>,
    reference: Option<String>,
    reason: Option<String>,
    action: Option<ToDo>,
}

impl Answer {
    /// Returns whether it answers this request about this payment, and not another one.
    pub fn answers(&self, request: &str, payment: &Payment) -> bool {
        self.request.as_deref() == Some(request) && self.payment == payment.id.to_string()
    }

    /// Returns what it says of a charge. A charge of another amount is open: nobody may take it for paid or for unpaid.
    pub fn charge_state(&self, payment: &Payment, now: Time) -> ChargeState {
        let outcome = match self.state {
            State::NotFound => return ChargeState::NotFound,
            State::Charged if self.agrees(payment, payment.amount) => Outcome::Charged { reference: self.reference() },
            State::Declined => Outcome::Declined { reason: self.reason("The payment was declined.") },
            State::Refused => Outcome::Refused { reason: self.reason("The payment service refused the request.") },
            State::Voided => Outcome::Voided,
            State::ActionRequired => match self.to_do(now) {
                Some(action) => Outcome::ActionRequired(action),
                None => return misunderstood(payment, "an action without an address and a secret"),
            },
            State::Authorized if payment.method != Method::Authorize => {
                return misunderstood(payment, "authorized, which was not asked for");
            }
            State::Authorized if self.agrees(payment, payment.amount) => {
                Outcome::Authorized { reference: self.reference() }
            }
            State::Pending | State::Charged | State::Authorized => return ChargeState::Pending,
            State::Captured | State::Refunded => return misunderstood(payment, "a capture or a refund"),
        };
        ChargeState::Ended(outcome)
    }

    /// Returns why a capture or a refund was refused, if it was.
    pub fn refusal(&self) -> Option<String> {
        let is_refused = matches!(self.state, State::Refused | State::Declined);
        is_refused.then(|| self.reason("The payment service refused it."))
    }

    /// Returns what it says of a capture or a refund.
    pub fn operation_answer(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        let is_it = self.operation.as_deref() == Some(operation.id.to_string().as_str());
        if let Some(reason) = self.refusal().filter(|_| is_it) {
            return OperationAnswer::Refused { reason };
        }
        match self.state {
            State::Captured | State::Refunded if is_it && self.agrees(payment, operation.amount) => {
                OperationAnswer::Done { reference: self.reference() }
            }
            _ => OperationAnswer::Open,
        }
    }

    fn agrees(&self, payment: &Payment, asked: Money) -> bool {
        agrees(payment, asked, self.amount, self.currency.as_deref())
    }

    fn reference(&self) -> Option<String> {
        self.reference.as_deref().map(text).filter(|reference| !reference.is_empty())
    }

    fn reason(&self, otherwise: &str) -> String {
        self.reason.as_deref().map(text).filter(|reason| !reason.is_empty()).unwrap_or_else(|| otherwise.to_owned())
    }

    /// Returns what the shopper has to do; `None` if it makes no sense.
    fn to_do(&self, now: Time) -> Option<Action> {
        let ToDo { kind, url, client_secret, expires_in } = self.action.as_ref()?;
        let is_short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= MAX_LENGTH);
        // A front end sends the shopper there.
        let is_web = |url: &String| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if (url.is_none() && client_secret.is_none())
            || !is_short(url)
            || !is_short(client_secret)
            || !url.as_ref().is_none_or(is_web)
        {
            return None;
        }
        let otherwise = if url.is_some() { "REDIRECT" } else { "CONFIRM" };
        let (least, most) = ACTION_TIMES;
        Some(Action {
            kind: kind.as_deref().map_or_else(|| otherwise.to_owned(), text),
            url: url.clone(),
            client_secret: client_secret.clone(),
            expires_at: now + Duration::from_secs(expires_in.unwrap_or(ACTION_TIME).clamp(least, most)),
        })
    }
}

/// Logs an answer that cannot be meant: the charge stays open.
fn misunderstood(payment: &Payment, what: &'static str) -> ChargeState {
    tracing::error!(payment = %payment.id, what, "the payment service answered what cannot be: look at the payment there");
    ChargeState::Pending
}

#[cfg(test)]
mod tests {
    use domain::id::{OrderId, PaymentId};
    use domain::payment::{Recovery, Status};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn payment() -> Payment {
        let begun = Time::UNIX_EPOCH;
        Payment {
            id: PaymentId(Uuid::from_u128(1)),
            order: OrderId(Uuid::from_u128(2)),
            gateway: "http".to_owned(),
            method: Method::Purchase,
            status: Status::InProgress,
            amount: Money::price(1_000, "EUR").expect("an amount"),
            reference: None,
            decline_reason: None,
            decline_code: None,
            action: None,
            recovery: Recovery { leased_until: begun, next_poll_at: begun, polls: 1 },
            key: None,
            refunded: 0,
            operations: 0,
            created_at: begun,
            updated_at: begun,
        }
    }

    fn state(mut answer: Value) -> ChargeState {
        answer["payment"] = payment().id.to_string().into();
        let answer: Answer = serde_json::from_value(answer).expect("an answer");
        answer.charge_state(&payment(), Time::UNIX_EPOCH)
    }

    #[test]
    fn only_the_amount_that_was_asked_for_is_paid() {
        let charged = |amount: Value, currency: Value| {
            state(json!({ "state": "charged", "amount": amount, "currency": currency, "reference": "r" }))
        };
        let paid = ChargeState::Ended(Outcome::Charged { reference: Some("r".to_owned()) });
        assert_eq!(charged(json!(1_000), json!("EUR")), paid);
        assert_eq!(charged(json!(1_000), json!("eur")), paid);
        for (amount, currency) in [
            (json!(999), json!("EUR")),
            (json!(100_000), json!("EUR")),
            (json!(1_000), json!("USD")),
            (json!(null), json!("EUR")),
            (json!(1_000), json!(null)),
        ] {
            assert_eq!(charged(amount, currency), ChargeState::Pending);
        }
    }

    #[test]
    fn only_what_was_to_be_authorized_is() {
        let answer =
            json!({ "payment": payment().id.to_string(), "state": "authorized", "amount": 1_000, "currency": "EUR" });
        let answer: Answer = serde_json::from_value(answer).expect("an answer");
        let authorize = Payment { method: Method::Authorize, ..payment() };
        let authorized = ChargeState::Ended(Outcome::Authorized { reference: None });
        assert_eq!(answer.charge_state(&authorize, Time::UNIX_EPOCH), authorized);
        assert_eq!(answer.charge_state(&payment(), Time::UNIX_EPOCH), ChargeState::Pending);
        let other = Payment { amount: Money::price(900, "EUR").expect("an amount"), ..authorize };
        assert_eq!(answer.charge_state(&other, Time::UNIX_EPOCH), ChargeState::Pending);
    }

    #[test]
    fn an_action_needs_somewhere_to_go() {
        let action = |action: Value| state(json!({ "state": "action_required", "action": action }));
        let ChargeState::Ended(Outcome::ActionRequired(asked)) = action(json!({ "url": "https://a.example/3ds" }))
        else {
            panic!("an action");
        };
        assert_eq!((asked.kind.as_str(), asked.expires_at), ("REDIRECT", Time::UNIX_EPOCH + Duration::from_mins(15)));
        for bad in
            [json!(null), json!({}), json!({ "url": "javascript:alert(1)" }), json!({ "url": "x".repeat(3_000) })]
        {
            assert_eq!(action(bad), ChargeState::Pending);
        }
    }

    #[test]
    fn an_operation_is_done_only_as_it_was_asked() {
        let operation = Operation { id: Uuid::from_u128(3), amount: Money::price(400, "EUR").expect("an amount") };
        let answer = |operation_id: Uuid, amount: i64| {
            let answer = json!({ "payment": payment().id.to_string(), "operation": operation_id.to_string(),
                "state": "refunded", "amount": amount, "currency": "EUR" });
            let answer: Answer = serde_json::from_value(answer).expect("an answer");
            answer.operation_answer(&payment(), &operation)
        };
        assert_eq!(answer(operation.id, 400), OperationAnswer::Done { reference: None });
        assert_eq!(answer(operation.id, 1_000), OperationAnswer::Open);
        assert_eq!(answer(Uuid::nil(), 400), OperationAnswer::Open);
    }
}
