//! One request to a receiver: the body, its signature, and what its answer means. It connects only to addresses that
//! [`super::address`] allows.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::signature::sign;
use domain::Time;
use domain::webhook::{Attempt, Delivery, MAX_ERROR_LENGTH, Webhook};

use super::address::{self, Reach};

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "onhand-signature";

/// Maximum number of bytes that are read of an answer, so that its connection can be used again. They are dropped.
const MAX_ANSWER: usize = 16 * 1_024;

/// How long an unused connection to a receiver is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What receivers see of who asks.
const USER_AGENT: &str = concat!("Onhand/", env!("CARGO_PKG_VERSION"));

/// The body of a delivery, the same however often it is sent.
#[derive(Debug, Serialize)]
struct Body<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    created: String,
    data: &'a RawValue,
}

/// Returns the body of a delivery.
#[must_use]
pub fn body(delivery: &Delivery) -> String {
    let data = serde_json::from_str(&delivery.data).unwrap_or(RawValue::NULL);
    let body = Body {
        id: delivery.id.to_string(),
        kind: delivery.event.as_str(),
        created: delivery.created_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        data,
    };
    // It is made of texts, which can always be written.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Sends requests to receivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: Option<reqwest::Client>,
    private_networks: bool,
    timeout: Duration,
}

impl Client {
    /// A client with this timeout for a whole request, which connects to private networks or does not.
    #[must_use]
    pub fn new(private_networks: bool, timeout: Duration) -> Self {
        let resolver = AllowedAddresses { private_networks, lookup: lookup_host };
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(resolver))
            .redirect(Policy::none())
            .no_proxy()
            .https_only(!private_networks)
            .referer(false)
            .user_agent(USER_AGENT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timeout(timeout)
            .build();
        if let Err(error) = &http {
            tracing::error!(%error, "no webhook can be sent");
        }
        Self { http: http.ok(), private_networks, timeout }
    }

    /// Sends a delivery once, and says what that came to.
    pub async fn send(&self, webhook: &Webhook, delivery: &Delivery, now: Time) -> Attempt {
        match self.try_send(webhook, delivery, now).await {
            Ok(status) if status.is_success() => Attempt { response_status: Some(status.as_u16().into()), error: None },
            Ok(status) => {
                let why = if status.is_redirection() { ": redirects are not followed" } else { "" };
                let error = format!("The answer was {}{why}.", status.as_u16());
                Attempt { response_status: Some(status.as_u16().into()), error: Some(error) }
            }
            Err(error) => Attempt {
                response_status: None,
                error: Some(error.chars().filter(|c| !c.is_control()).take(MAX_ERROR_LENGTH).collect()),
            },
        }
    }

    async fn try_send(&self, webhook: &Webhook, delivery: &Delivery, now: Time) -> Result<reqwest::StatusCode, String> {
        // It may have been registered with other settings.
        let url = address::check(&webhook.url, self.private_networks)?;
        let http = self.http.as_ref().ok_or("This server cannot send webhooks; its log says why.")?;
        let body = body(delivery);
        let signed = sign(webhook.secret.reveal(), body.as_bytes(), now).ok_or("The delivery could not be signed.")?;
        let request =
            http.post(url).header("content-type", "application/json").header(SIGNATURE_HEADER, signed).body(body);
        let mut answer = request.send().await.map_err(|error| self.reason(&error))?;
        let status = answer.status();
        let mut read = 0;
        // An answer that breaks off was an answer.
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > MAX_ANSWER {
                break;
            }
        }
        Ok(status)
    }

    /// Why there was no answer, for people, without the address.
    fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("There was no answer within {} ms.", self.timeout.as_millis());
        }
        let mut cause = error.source();
        let mut last = None;
        while let Some(source) = cause {
            if let Some(forbidden) = source.downcast_ref::<NoAllowedAddress>() {
                return forbidden.to_string();
            }
            last = Some(source);
            cause = source.source();
        }
        last.map_or_else(|| "The request failed.".to_owned(), |cause| format!("The request failed: {cause}."))
    }
}

/// A name that leads to nothing that may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoAllowedAddress;

impl fmt::Display for NoAllowedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The name of the address leads to no public address.")
    }
}

impl std::error::Error for NoAllowedAddress {}

/// What a name leads to, in time.
type Lookup = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

fn lookup_host(name: String) -> Lookup {
    // The port is that of the request.
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

/// Resolves names, and hands over those addresses only that may be connected to: a connection goes to what was checked.
#[derive(Debug)]
struct AllowedAddresses {
    private_networks: bool,
    lookup: fn(String) -> Lookup,
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let (private_networks, found) = (self.private_networks, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let mut addresses = found.await?;
            addresses.retain(|address| Reach::of(address.ip()).is_allowed(private_networks));
            if addresses.is_empty() {
                return Err(NoAllowedAddress.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::id::{DeliveryId, WebhookId};
    use domain::webhook::{EventKind, Secret};
    use sea_orm::prelude::Uuid;

    use super::*;

    fn two_faces(_: String) -> Lookup {
        let addresses = ["127.0.0.1:0", "93.184.215.14:0", "[::ffff:10.0.0.1]:0", "[2606:4700::1111]:0"];
        Box::pin(async move { Ok(addresses.iter().map(|address| address.parse().expect("an address")).collect()) })
    }

    fn inside(_: String) -> Lookup {
        Box::pin(async { Ok(vec!["169.254.169.254:0".parse().expect("an address")]) })
    }

    async fn resolved(private_networks: bool, lookup: fn(String) -> Lookup) -> Option<Vec<String>> {
        let resolver = AllowedAddresses { private_networks, lookup };
        let found = resolver.resolve("shop.example".parse().expect("a name")).await.ok()?;
        Some(found.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_name_leads_to_allowed_addresses_only() {
        let public = ["93.184.215.14", "2606:4700::1111"].map(str::to_owned).to_vec();
        assert_eq!(resolved(false, two_faces).await, Some(public));
        assert_eq!(resolved(true, two_faces).await.map(|found| found.len()), Some(4));
        assert_eq!(resolved(false, inside).await, None);
        assert_eq!(resolved(true, inside).await, None, "what tells machines about themselves is refused always");
    }

    /// The signature of a fixed text, as another program computes it:
    /// `printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac whsec_test`
    #[test]
    fn a_signature_is_the_one_that_others_compute() {
        let secret = Secret::stored("whsec_test".to_owned());
        let now = Time::from_timestamp(1_767_225_600, 999_000_000).expect("a moment");
        assert_eq!(
            sign(secret.reveal(), br#"{"a":1}"#, now).as_deref(),
            Some("t=1767225600,v1=6d204545ff126a339c00513d93603299c984074ce1331c3537c3f6c976b49019")
        );
    }

    #[test]
    fn a_body_is_the_same_every_time() {
        let (id, webhook) = (DeliveryId(Uuid::from_u128(1)), WebhookId(Uuid::from_u128(2)));
        let data = r#"{"b":1,"a":2}"#.to_owned();
        let mut delivery =
            Delivery::new(id, webhook, EventKind::StockChanged, Uuid::from_u128(3), data, Time::UNIX_EPOCH);
        let first = body(&delivery);
        assert_eq!(
            first,
            r#"{"id":"delivery_00000000000000000000000001","type":"stock.changed","created":"1970-01-01T00:00:00.000000Z","data":{"b":1,"a":2}}"#
        );
        delivery.attempts = 7;
        assert_eq!(body(&delivery), first);
    }
}
