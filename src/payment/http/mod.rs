//! The `http` gateway: a payment service of the shop's own, which speaks a small signed JSON protocol. `docs/payment-service.md`
//! describes every message.
//!
//! It believes only what is signed, and only about the payment that it asked about.

mod messages;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Secret;
use crate::signature;
use domain::payment::{Method, Outcome, Payment};

use super::client::{self, Response};
use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway, Notice, Operation, OperationAnswer, Receipt};
use super::notices::Notices;
use super::registry::{GatewayContext, Registration};
use messages::{Answer, Ask, Request};

/// The name of the gateway.
const NAME: &str = "http";

/// The header with the signature, in both directions.
const SIGNATURE: &str = "onhand-signature";

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: NAME,
    capabilities: Capabilities {
        methods: &[Method::Purchase, Method::Authorize],
        settles_without_call: false,
        is_staff_only: false,
        is_for_development: false,
    },
    build: |context| Some(Arc::new(Http::new(context)?)),
};

#[derive(Debug)]
struct Http {
    url: String,
    secret: Secret,
    client: reqwest::Client,
    clock: Clock,
    notices: Notices,
}

impl Http {
    fn new(context: &GatewayContext) -> Option<Self> {
        Some(Self {
            url: context.settings.http_gateway_url.clone()?,
            secret: context.settings.http_gateway_secret.clone()?,
            client: client::client(context.times.pay_gateway)?,
            clock: context.clock.clone(),
            notices: Notices::new(NAME, context),
        })
    }

    /// Asks the service; `None` if there is no answer that can be believed.
    async fn ask(&self, ask: Ask<'_>, payment: &Payment) -> Option<Answer> {
        let id = Uuid::new_v4().to_string();
        let body = serde_json::to_vec(&Request::new(&id, ask, payment)).ok()?;
        let signed = signature::sign_with_first(&self.secret, &body, self.clock.now())?;
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json").header(SIGNATURE, signed);
        let response = client::send(NAME, request.body(body)).await?;
        let answer = self.read(&response)?;
        if answer.answers(&id, payment) {
            return Some(answer);
        }
        tracing::warn!(payment = %payment.id, "the payment service answered another request than it was asked");
        None
    }

    fn read(&self, response: &Response) -> Option<Answer> {
        if response.status != StatusCode::OK {
            tracing::warn!(status = response.status.as_u16(), "the payment service answered with an error");
            return None;
        }
        if let Err(error) = self.verify(&response.headers, &response.body) {
            tracing::warn!(?error, "the answer of the payment service is not signed as it should be");
            return None;
        }
        let answer = serde_json::from_slice(&response.body);
        answer.inspect_err(|error| tracing::warn!(%error, "the answer of the payment service is not understood")).ok()
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), signature::SignatureError> {
        let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        signature::verify(&self.secret, header, body, self.clock.now())
    }

    async fn state(&self, ask: Ask<'_>, payment: &Payment) -> ChargeState {
        match self.ask(ask, payment).await {
            Some(answer) => answer.charge_state(payment, self.clock.now()),
            None => ChargeState::Unreachable,
        }
    }

    async fn operate(&self, ask: Ask<'_>, payment: &Payment, operation: &Operation) -> OperationAnswer {
        match self.ask(ask, payment).await {
            Some(answer) => answer.operation_answer(payment, operation),
            None => OperationAnswer::Open,
        }
    }
}

/// Leaves a charge open whose look-up or void was refused: that the service did not do what it was asked says nothing of what
/// was charged. Only an answer to `charge` refuses a charge.
fn not_refused(payment: &Payment, state: ChargeState) -> ChargeState {
    match state {
        ChargeState::Ended(Outcome::Refused { .. }) => {
            tracing::warn!(payment = %payment.id, "the payment service refused to look a charge up or to void it");
            ChargeState::Pending
        }
        state => state,
    }
}

#[async_trait]
impl Gateway for Http {
    async fn charge(&self, payment: &Payment, token: Option<&str>) -> ChargeAnswer {
        match self.state(Ask::Charge { token }, payment).await {
            ChargeState::Ended(outcome) => ChargeAnswer::Certain(outcome),
            ChargeState::Pending | ChargeState::NotFound | ChargeState::Unreachable => ChargeAnswer::Open,
        }
    }

    async fn look_up(&self, payment: &Payment) -> ChargeState {
        not_refused(payment, self.state(Ask::LookUp, payment).await)
    }

    async fn void(&self, payment: &Payment) -> ChargeState {
        not_refused(payment, self.state(Ask::Void, payment).await)
    }

    async fn capture(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        self.operate(Ask::Capture(operation), payment, operation).await
    }

    async fn refund(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        self.operate(Ask::Refund(operation), payment, operation).await
    }

    async fn receive(&self, notice: Notice<'_>) -> Receipt {
        if let Err(error) = self.verify(notice.headers, notice.body) {
            tracing::debug!(?error, "a notice for the gateway http is not signed as it should be");
            return Receipt::Unsigned;
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(notice.body) else { return Receipt::Malformed };
        let payment = match self.notices.payment(&answer.payment).await {
            Ok(Some(payment)) => payment,
            Ok(None) => return self.notices.ignore("of a payment that is not known"),
            Err(_) => return Receipt::Failed,
        };
        if let Some(operation) = &answer.operation {
            return match answer.refusal() {
                Some(reason) => self.notices.fail_refund(operation, reason, |of| of.id == payment.id).await,
                // Captures and refunds are repeated under their ids until they are certain.
                None => self.notices.ignore("of a capture or a refund"),
            };
        }
        match answer.charge_state(&payment, self.clock.now()) {
            // Only an answer to `charge` refuses a request.
            ChargeState::Ended(Outcome::Refused { .. }) => Receipt::Malformed,
            ChargeState::Ended(outcome) => self.notices.settle(&payment, outcome).await,
            ChargeState::Pending | ChargeState::NotFound | ChargeState::Unreachable => {
                self.notices.ignore("of a charge that is open")
            }
        }
    }
}
