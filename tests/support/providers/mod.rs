//! Payment providers that speak the wires of our gateways and misbehave on demand. Each keeps a ledger of its own, so that a
//! test can compare what money was taken with what the shop believes.

mod payment_service;
mod stripe;
mod stripe_objects;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hmac::{Hmac, Mac};
use onhand::clock::Clock;
use onhand::config::GatewaySettings;
use sha2::Sha256;
use tokio::sync::Notify;

pub use payment_service::{PaymentService, SECRET, Signs, settings, time_of};
pub use stripe::StripeStandIn;

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Mishap {
    /// 500, and nothing is done.
    ErrorBefore,
    /// It is done, and the answer is 500.
    ErrorAfter,
    /// It is never done and never answered.
    SilentBefore,
    /// It is done and never answered.
    SilentAfter,
    /// It is done, and the connection breaks in the middle of the answer.
    ResetAfter,
    /// It is done, and the answer is longer than anybody reads.
    HugeAfter,
    /// Nothing is done, and the answer sends the client elsewhere.
    Redirect,
    /// It is done when the test says so, and never answered.
    Late(Arc<Late>),
}

/// A request that is done later.
#[derive(Debug, Default)]
pub struct Late {
    begins: Notify,
    ends: Notify,
}

impl Late {
    /// Does it now.
    pub async fn arrive(&self) {
        self.begins.notify_one();
        self.ends.notified().await;
    }
}

/// Which lie a provider tells of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Another amount.
    Amount,
    /// Another currency.
    Currency,
}

/// How a charge is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is charged.
    Succeed,
    /// The card is declined.
    Decline,
    /// The shopper has to act.
    Act,
}

/// A provider that stands in for a real one.
#[allow(async_fn_in_trait, reason = "only tests use it")]
pub trait StandIn: Clone {
    /// The name of the gateway that talks to it.
    const GATEWAY: &'static str;
    /// The requests that charge, in their order.
    const CHARGING: &'static [&'static str];
    /// The requests that look a charge up, and the one that voids it.
    const LOOKING: &'static str;
    /// The request that voids a charge.
    const VOIDING: &'static str;

    /// A new one, on a port of its own.
    async fn open() -> Self;
    /// The settings of a shop that uses it.
    fn settings(&self) -> GatewaySettings;
    /// What it has in hand.
    fn desk(&self) -> &Desk;
    /// The token that makes a charge end so.
    fn token(fate: Fate) -> Option<&'static str>;
    /// The shopper does what was asked for: the charge succeeds.
    fn act(&self, order: &str);
    /// The charge succeeds, although it was voided.
    fn charge_anyway(&self, order: &str);
    /// Tells this lie of every charge, or none any more.
    fn lie(&self, lie: Option<Lie>);
    /// Tells the shop how the charge of an order stands. Returns the status of its answer.
    async fn push(&self, order: &str) -> u16;
    /// Money that was taken for an order and not sent back.
    fn taken(&self, order: &str) -> i64;
    /// How many charges of an order took money, sent back or not.
    fn charges(&self, order: &str) -> usize;
}

/// What every stand-in has in hand.
#[derive(Debug, Clone, Default)]
pub struct Desk(Arc<Mutex<Papers>>);

#[derive(Debug, Default)]
struct Papers {
    mishaps: BTreeMap<String, VecDeque<Mishap>>,
    counts: BTreeMap<String, usize>,
    shop: Option<String>,
    pushes_first: bool,
    ahead: i64,
}

impl Desk {
    /// Its clock is so much ahead, as that of the shop is.
    pub fn advance(&self, by: Duration) {
        self.papers().ahead += i64::try_from(by.as_secs()).expect("a short time");
    }

    /// Signs a message as of now, or so many seconds later.
    pub fn sign(&self, secret: &str, body: &[u8], later: i64) -> String {
        let ahead = self.papers().ahead;
        signed(secret, body, ahead + later)
    }

    /// The next request of this kind goes wrong.
    pub fn plan(&self, what: &str, mishap: Mishap) {
        self.papers().mishaps.entry(what.to_owned()).or_default().push_back(mishap);
    }

    /// Every notice goes to this shop.
    pub fn connect(&self, url: &str) {
        self.papers().shop = Some(url.to_owned());
    }

    /// From now on the shop is told how a charge ended before the request is answered.
    pub fn push_first(&self) {
        self.papers().pushes_first = true;
    }

    /// How many requests of this kind came.
    pub fn count(&self, what: &str) -> usize {
        self.papers().counts.get(what).copied().unwrap_or_default()
    }

    fn pushes_first(&self) -> bool {
        self.papers().pushes_first
    }

    fn shop(&self) -> String {
        self.papers().shop.clone().expect("a shop that is connected")
    }

    /// Counts a request, and takes what is planned for it.
    fn take(&self, what: &str) -> Option<Mishap> {
        let mut papers = self.papers();
        *papers.counts.entry(what.to_owned()).or_default() += 1;
        papers.mishaps.get_mut(what)?.pop_front()
    }

    fn papers(&self) -> std::sync::MutexGuard<'_, Papers> {
        self.0.lock().expect("no panic")
    }
}

/// Answers a request as it is planned. `done` does what was asked for; it is given whether a 500 is what it answers.
async fn spoil<F>(mishap: Option<Mishap>, done: impl FnOnce(bool) -> F + Send + 'static) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    match mishap {
        None => done(false).await,
        Some(Mishap::ErrorBefore) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Mishap::ErrorAfter) => {
            done(true).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Some(Mishap::SilentBefore) => pending().await,
        Some(Mishap::SilentAfter) => {
            done(false).await;
            pending().await
        }
        Some(Mishap::ResetAfter) => {
            done(false).await;
            Body::from_stream(stream::iter([Ok("{"), Err(io::Error::other("as the test wants"))])).into_response()
        }
        Some(Mishap::HugeAfter) => {
            done(false).await;
            " ".repeat(1_000_000).into_response()
        }
        Some(Mishap::Redirect) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:9/")]).into_response()
        }
        Some(Mishap::Late(late)) => {
            // It goes on when the client has hung up.
            tokio::spawn(async move {
                late.begins.notified().await;
                done(false).await;
                late.ends.notify_one();
            });
            pending().await
        }
    }
}

/// The signature of a message by the clock of this machine, so many seconds later.
fn signed(secret: &str, body: &[u8], later: i64) -> String {
    signed_at(secret, body, Clock::system().now().timestamp() + later)
}

/// The signature of a message at a time, in seconds.
pub fn signed_at(secret: &str, body: &[u8], seconds: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let hex = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text takes whatever is written to it");
        hex
    });
    format!("t={seconds},v1={hex}")
}

/// Sends a notice to a shop, signed in this header. Returns the status of its answer.
async fn send_notice(url: &str, header: (&str, String), body: Vec<u8>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let sent = client.post(url).header("content-type", "application/json").header(header.0, header.1).body(body);
    sent.send().await.expect("an answer").status().as_u16()
}
