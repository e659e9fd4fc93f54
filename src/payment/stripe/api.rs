//! Stripe's public HTTP API, as far as it is used: PaymentIntents and refunds, in a pinned version. It says how a request
//! ended, and decides nothing about payments.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::Secret;
use crate::payment::client::{self, Response};
use crate::payment::notices::text;

use super::NAME;

/// The version of the API that every request asks for, whatever the account's own is.
const VERSION: &str = "2024-06-20";

/// Maximum number of refunds of one payment that are looked through: pages of a hundred.
const MAX_REFUND_PAGES: usize = 10;

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The card was declined.
    Card {
        /// Why, in words that a shopper may read.
        reason: String,
    },
    /// Stripe refused the request itself, and did nothing.
    Refused,
    /// The key of this server is not accepted: nothing is known of the payment.
    Unauthorized,
    /// There is no such object.
    NotFound,
    /// The intent is in another state than the request needs.
    UnexpectedState,
    /// The idempotency key was used with other parameters.
    KeyReused,
    /// It is not known whether the request did anything.
    Open,
}

/// An answer.
pub type Answer<T> = Result<T, Failure>;

/// A PaymentIntent.
#[derive(Debug, Clone, Deserialize)]
pub struct Intent {
    /// Its id: `pi_...`.
    pub id: String,
    /// How it stands.
    pub status: String,
    /// What was charged, as Stripe counts it.
    #[serde(default)]
    pub amount_received: i64,
    /// What can be captured.
    #[serde(default)]
    pub amount_capturable: i64,
    /// In lower case.
    pub currency: String,
    /// What the front end goes on with.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// What we wrote on it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What the shopper has to do.
    #[serde(default)]
    pub next_action: Option<NextAction>,
    /// Why the last attempt failed.
    #[serde(default)]
    pub last_payment_error: Option<Error>,
}

/// What the shopper has to do.
#[derive(Debug, Clone, Deserialize)]
pub struct NextAction {
    /// Where to go.
    #[serde(default)]
    pub redirect_to_url: Option<Redirect>,
}

/// Where the shopper has to go.
#[derive(Debug, Clone, Deserialize)]
pub struct Redirect {
    /// The address.
    pub url: Option<String>,
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    /// Its id: `re_...`.
    pub id: String,
    /// How it stands.
    #[serde(default)]
    pub status: Option<String>,
    /// How much, as Stripe counts it.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    /// Why it failed.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// The PaymentIntent whose money it is.
    #[serde(default)]
    pub payment_intent: Option<String>,
    /// What we wrote on it.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

impl Refund {
    /// Returns why it failed, if it did.
    pub fn failure(&self) -> Option<String> {
        let has_failed = matches!(self.status.as_deref(), Some("failed" | "canceled"));
        let why = self.failure_reason.as_deref().unwrap_or("no reason was given");
        has_failed.then(|| format!("The refund failed at Stripe: {}.", text(why)))
    }
}

/// An error, as Stripe tells it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Error {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    param: Option<String>,
    /// For errors of cards, words that a shopper may read.
    #[serde(default)]
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

/// Stripe's API with our key.
#[derive(Debug)]
pub struct Api {
    /// Its address.
    pub url: String,
    /// Our secret key.
    pub key: Secret,
    /// What requests are sent with.
    pub client: reqwest::Client,
}

impl Api {
    /// Creates an object, or does something with one. The same key has one effect and one answer, for a day at least.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, key: Option<&str>, form: &[(&str, &str)]) -> Answer<T> {
        let mut request = self.client.post(format!("{}/v1/{path}", self.url)).form(form);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(path, request).await
    }

    /// Reads a PaymentIntent.
    pub async fn intent(&self, id: &str) -> Answer<Intent> {
        if !is_id(id, "pi_") {
            return Err(Failure::NotFound);
        }
        self.get(&format!("payment_intents/{id}"), &[]).await
    }

    /// Returns the first PaymentIntent with this metadata. What was created in the last minute may be missing.
    pub async fn search(&self, field: &str, value: &str) -> Answer<Option<Intent>> {
        let query = format!("metadata['{field}']:'{value}'");
        let found: Page<Intent> = self.get("payment_intents/search", &[("query", &query), ("limit", "1")]).await?;
        Ok(found.data.into_iter().next())
    }

    /// Returns the refund of a PaymentIntent with this metadata. Unlike a search, a list is never late.
    pub async fn refund_of(&self, intent: &str, field: &str, value: &str) -> Answer<Option<Refund>> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_REFUND_PAGES {
            let mut query = vec![("payment_intent", intent), ("limit", "100")];
            query.extend(after.as_deref().map(|after| ("starting_after", after)));
            let page: Page<Refund> = self.get("refunds", &query).await?;
            let is_it = |refund: &&Refund| {
                refund.metadata.as_ref().and_then(|metadata| metadata.get(field)).is_some_and(|found| found == value)
            };
            if let Some(refund) = page.data.iter().find(is_it) {
                return Ok(Some(refund.clone()));
            }
            after = page.data.last().map(|refund| refund.id.clone());
            if !page.has_more || after.is_none() {
                return Ok(None);
            }
        }
        Err(Failure::Open)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Answer<T> {
        self.send(path, self.client.get(format!("{}/v1/{path}", self.url)).query(query)).await
    }

    async fn send<T: DeserializeOwned>(&self, path: &str, request: RequestBuilder) -> Answer<T> {
        let request = request.bearer_auth(self.key.reveal()).header("stripe-version", VERSION);
        let response = client::send(NAME, request).await.ok_or(Failure::Open)?;
        if response.status.is_success() {
            let parsed = serde_json::from_slice(&response.body);
            return parsed.map_err(|error| {
                tracing::error!(path, %error, "an answer of Stripe is not understood");
                Failure::Open
            });
        }
        let failure = failure(&response);
        log(path, &response, &failure);
        Err(failure)
    }
}

/// Returns whether this is an id with this prefix: it becomes part of an address.
pub fn is_id(id: &str, prefix: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    id.starts_with(prefix) && id.len() <= 255 && id.bytes().all(is_plain)
}

#[derive(Debug, Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Error,
}

fn error(response: &Response) -> Error {
    serde_json::from_slice::<Body>(&response.body).unwrap_or_default().error
}

fn failure(response: &Response) -> Failure {
    let error = error(response);
    let should_retry = response.headers.get("stripe-should-retry").is_some_and(|value| value == "true");
    match response.status {
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => Failure::Open,
        status if status.is_server_error() || should_retry || !status.is_client_error() => Failure::Open,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Unauthorized,
        StatusCode::PAYMENT_REQUIRED if error.kind == "card_error" => Failure::Card { reason: reason(Some(&error)) },
        StatusCode::NOT_FOUND => Failure::NotFound,
        _ if error.kind == "idempotency_error" => Failure::KeyReused,
        _ if error.code.as_deref() == Some("payment_intent_unexpected_state") => Failure::UnexpectedState,
        // What no Stripe answers, but something on the way does.
        _ if error.kind.is_empty() => Failure::Open,
        _ => Failure::Refused,
    }
}

/// Returns why a card was declined, in words that a shopper may read.
pub fn reason(error: Option<&Error>) -> String {
    let message = error.filter(|error| error.kind == "card_error").and_then(|error| error.message.as_deref());
    message.map(text).filter(|message| !message.is_empty()).unwrap_or_else(|| "The card was declined.".to_owned())
}

/// Logs an error without its message, which may repeat what was sent.
fn log(path: &str, response: &Response, failure: &Failure) {
    let Error { kind, code, param, .. } = error(response);
    let request = response.headers.get("request-id").and_then(|id| id.to_str().ok()).map(text);
    let (status, kind) = (response.status.as_u16(), text(&kind));
    let (code, param) = (code.as_deref().map(text), param.as_deref().map(text));
    match failure {
        Failure::Card { .. } => tracing::info!(path, status, kind, ?code, ?request, "Stripe declined"),
        Failure::Unauthorized => {
            tracing::error!(path, status, ?code, ?request, "Stripe does not accept ONHAND_STRIPE_SECRET_KEY");
        }
        _ => tracing::warn!(path, status, kind, ?code, ?param, ?request, "Stripe answered with an error"),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::{Value, json};

    use super::*;

    fn of(status: u16, body: &Value) -> Failure {
        let status = StatusCode::from_u16(status).expect("a status");
        failure(&Response { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() })
    }

    #[test]
    fn only_what_is_certain_ends_a_payment() {
        let error = |kind: &str, code: &str| json!({ "error": { "type": kind, "code": code, "message": "Words." } });
        let declined = Failure::Card { reason: "Words.".to_owned() };
        assert_eq!(of(402, &error("card_error", "card_declined")), declined);
        assert_eq!(of(400, &error("invalid_request_error", "amount_too_small")), Failure::Refused);
        assert_eq!(of(400, &error("idempotency_error", "")), Failure::KeyReused);
        let state = "payment_intent_unexpected_state";
        assert_eq!(of(400, &error("invalid_request_error", state)), Failure::UnexpectedState);
        assert_eq!(of(401, &error("invalid_request_error", "")), Failure::Unauthorized);
        assert_eq!(of(404, &error("invalid_request_error", "resource_missing")), Failure::NotFound);
        for status in [409, 429, 500, 502, 503, 504, 302] {
            assert_eq!(of(status, &error("api_error", "")), Failure::Open, "{status}");
        }
        assert_eq!(of(400, &json!("a proxy says no")), Failure::Open, "nobody knows whether Stripe heard of it");
    }

    #[test]
    fn ids_are_parts_of_an_address() {
        assert!(is_id("pi_3Nabc", "pi_"));
        for bad in ["", "re_1", "pi_../v1/charges", "pi_1?expand", "pi_é"] {
            assert!(!is_id(bad, "pi_"), "{bad}");
        }
    }
}
