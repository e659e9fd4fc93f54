//! Notices: how a charge ended, pushed to the shop by whoever processed it. Half of them are lost, some come twice, and some before
//! the answer to the request itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::json;
use tokio::time::sleep;

use super::books::Request;
use super::{SECRET, SIGNATURE};
use crate::world::signing;

/// Of so many notices one half is lost, and one comes twice.
const WAYS: u128 = 8;

/// Longest time for an answer to a notice.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a notice is pushed that nobody takes.
const MAX_SENT: usize = 5;

/// Pause before it is pushed again.
const PAUSE: Duration = Duration::from_millis(500);

/// Where notices go. Clones are the same.
#[derive(Debug, Clone)]
pub struct Notices {
    servers: Arc<Mutex<Vec<String>>>,
    http: Client,
}

impl Notices {
    /// Notices that nobody gets yet.
    pub fn new() -> anyhow::Result<Self> {
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { servers: Arc::default(), http })
    }

    fn servers(&self) -> MutexGuard<'_, Vec<String>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a server of the shop.
    pub fn add(&self, server: &str) {
        self.servers().push(server.to_owned());
    }

    /// Pushes the state of a charge, or not, as its payment decides.
    pub fn push(&self, request: &Request, state: &str) {
        let way = request.payment.as_u128() % WAYS;
        let copies = match way {
            0 => 2,
            _ if way < WAYS / 2 => 1,
            _ => 0,
        };
        let Request { payment, amount, currency, .. } = request;
        let payment = checker::id::id("payment", *payment);
        let notice = json!({
            "payment": payment, "state": state, "amount": amount, "currency": currency, "reference": format!("service-{payment}"),
        });
        for first in 0..copies {
            let (all, body) = (self.clone(), notice.to_string());
            tokio::spawn(async move { all.send(&body, first).await });
        }
    }

    /// Pushes until it is taken, to one server after the other, or too often.
    async fn send(self, body: &str, first: usize) {
        for at in first..first + MAX_SENT {
            let server = {
                let servers = self.servers();
                let Some(server) = servers.get(at % servers.len().max(1)) else { return };
                format!("{server}/webhooks/http")
            };
            let signed = signing::sign(SECRET, body.as_bytes(), seconds());
            let sent = self.http.post(server).header(SIGNATURE, signed).body(body.to_owned()).send().await;
            if sent.is_ok_and(|answer| !answer.status().is_server_error()) {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

/// What time it is here, whatever the servers believe.
fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
