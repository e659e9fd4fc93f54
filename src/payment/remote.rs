//! The gateway of the fault programme: another process, with a journal of its own, that is late, silent or wrong as it was
//! told to be. Compiled with the feature `faults` only.
//!
//! It asks over HTTP and believes what it is answered. It must never be in a release.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use domain::Time;
use domain::payment::{Action, Method, Outcome, Payment};

use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway};
use super::registry::{GatewayContext, Registration};
use crate::clock::Clock;
use crate::faults;

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: "remote",
    capabilities: Capabilities {
        methods: &[Method::Purchase],
        settles_without_call: false,
        is_staff_only: false,
        is_for_development: true,
    },
    build: |context| Some(Arc::new(Remote::new(context, faults::gateway()?))),
};

/// Timeout of a connection to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Remote {
    url: &'static str,
    http: reqwest::Client,
    clock: Clock,
}

/// What it is asked about.
#[derive(Serialize)]
struct Request<'a> {
    payment: String,
    order: String,
    amount: i64,
    token: Option<&'a str>,
}

/// What it answers.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Charged,
    Declined,
    Refused,
    Voided,
    Pending,
    NotFound,
    /// The shopper has so many milliseconds to act.
    Action(u64),
}

impl Remote {
    fn new(context: &GatewayContext, url: &'static str) -> Self {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).build();
        Self { url, http: http.unwrap_or_default(), clock: context.clock.clone() }
    }

    /// Asks; `None` when there is no answer that makes sense.
    async fn ask(&self, what: &str, payment: &Payment, token: Option<&str>) -> Option<State> {
        let request = Request {
            payment: payment.id.0.to_string(),
            order: payment.order.0.to_string(),
            amount: payment.amount.amount,
            token,
        };
        let body = serde_json::to_vec(&request).ok()?;
        let sent = self
            .http
            .post(format!("{}/{what}", self.url))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .ok()?;
        serde_json::from_slice(&sent.error_for_status().ok()?.bytes().await.ok()?).ok()
    }

    async fn state(&self, what: &str, payment: &Payment) -> ChargeState {
        let Some(state) = self.ask(what, payment, None).await else { return ChargeState::Unreachable };
        match state {
            State::Pending => ChargeState::Pending,
            State::NotFound => ChargeState::NotFound,
            ended => outcome(payment, ended, self.clock.now()).map_or(ChargeState::Unreachable, ChargeState::Ended),
        }
    }
}

#[async_trait]
impl Gateway for Remote {
    async fn charge(&self, payment: &Payment, token: Option<&str>) -> ChargeAnswer {
        let state = self.ask("charge", payment, token).await;
        let outcome = state.and_then(|state| outcome(payment, state, self.clock.now()));
        outcome.map_or(ChargeAnswer::Open, ChargeAnswer::Certain)
    }

    async fn look_up(&self, payment: &Payment) -> ChargeState {
        self.state("look_up", payment).await
    }

    async fn void(&self, payment: &Payment) -> ChargeState {
        self.state("void", payment).await
    }
}

/// How a charge ended; `None` while it has not.
fn outcome(payment: &Payment, state: State, now: Time) -> Option<Outcome> {
    Some(match state {
        State::Charged => Outcome::Charged { reference: Some(format!("remote-{}", payment.id)) },
        State::Declined => Outcome::Declined { reason: "The card was declined.".to_owned() },
        State::Refused => Outcome::Refused { reason: "The gateway refused the request.".to_owned() },
        State::Voided => Outcome::Voided,
        State::Action(millis) => Outcome::ActionRequired(Action {
            kind: "CONFIRM".to_owned(),
            url: None,
            client_secret: None,
            expires_at: now + Duration::from_millis(millis),
        }),
        State::Pending | State::NotFound => return None,
    })
}
