//! A payment service that speaks the protocol of the gateway `http`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use onhand::config::{GatewayName, GatewaySettings, Secret};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Desk, Fate, Lie, StandIn, send_notice, signed_at, spoil};

/// The secret that both sides sign with.
pub const SECRET: &str = "the-shop-and-its-service-know-this";

/// How it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signs {
    /// As it should.
    #[default]
    Well,
    /// Not at all.
    Never,
    /// With another secret.
    WithAnother,
    /// Ten minutes ago.
    LongAgo,
    /// Something else than it sends.
    AnotherBody,
    /// An answer to another request.
    AnotherRequest,
}

#[derive(Debug, Clone)]
struct Charge {
    order: String,
    state: &'static str,
    amount: i64,
    currency: String,
    refunds: BTreeMap<String, i64>,
}

#[derive(Debug, Default)]
struct Ledger {
    charges: BTreeMap<String, Charge>,
    lie: Option<Lie>,
    signs: Signs,
    refuses_voids: bool,
}

/// A payment service. Clones are the same.
#[derive(Debug, Clone)]
pub struct PaymentService {
    url: String,
    desk: Desk,
    ledger: Arc<Mutex<Ledger>>,
}

impl PaymentService {
    /// Signs so from now on.
    pub fn signs(&self, signs: Signs) {
        self.ledger.lock().expect("no panic").signs = signs;
    }

    /// The id of a refund that it made.
    pub fn refund(&self) -> String {
        let ledger = self.ledger.lock().expect("nothing panics");
        let mut refunds = ledger.charges.values().flat_map(|charge| charge.refunds.keys());
        refunds.next().expect("a refund").clone()
    }

    /// Refuses to void anything, and to look anything up, from now on, or no longer.
    pub fn refuses_voids(&self, refuses: bool) {
        self.ledger.lock().expect("no panic").refuses_voids = refuses;
    }

    /// Sends a notice with this body, signed with this secret so many seconds later than now.
    pub async fn notify(&self, body: &Value, secret: &str, later: i64) -> u16 {
        let body = body.to_string().into_bytes();
        let url = format!("{}/webhooks/http", self.desk.shop());
        let signature = self.desk.sign(secret, &body, later);
        send_notice(&url, ("onhand-signature", signature), body).await
    }

    /// The secret that it signs with.
    pub const fn secret() -> &'static str {
        SECRET
    }

    /// Does what a request asks for.
    fn execute(&self, request: &Value) -> Value {
        let mut ledger = self.ledger.lock().expect("no panic");
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let (payment, amount) = (text("payment"), request["amount"].as_i64().expect("an amount"));
        let new = |state| Charge {
            order: text("order"),
            state,
            amount,
            currency: text("currency"),
            refunds: BTreeMap::new(),
        };
        match text("action").as_str() {
            "void" | "look_up" if ledger.refuses_voids => {
                return json!({ "payment": payment, "state": "refused", "reason": "Not now." });
            }
            "charge" => {
                let state = match request["token"].as_str() {
                    Some("decline") => "declined",
                    Some("act") => "action_required",
                    _ if request["method"] == "authorize" => "authorized",
                    _ => "charged",
                };
                ledger.charges.entry(payment.clone()).or_insert_with(|| new(state));
            }
            "void" => {
                let charge = ledger.charges.entry(payment.clone()).or_insert_with(|| new("voided"));
                if matches!(charge.state, "action_required" | "authorized") {
                    charge.state = "voided";
                }
            }
            "capture" => {
                let charge = ledger.charges.get_mut(&payment).expect("a charge");
                charge.state = "charged";
                charge.amount = amount;
                return json!({ "payment": payment, "operation": request["operation"], "state": "captured",
                    "amount": amount, "currency": charge.currency, "reference": "capture" });
            }
            "refund" => {
                let charge = ledger.charges.get_mut(&payment).expect("a charge");
                charge.refunds.insert(text("operation"), amount);
                return json!({ "payment": payment, "operation": request["operation"], "state": "refunded",
                    "amount": amount, "currency": charge.currency, "reference": "refund" });
            }
            _ => {}
        }
        ledger.answer(&payment)
    }

    /// The id of the payment of an order.
    fn payment(&self, order: &str) -> String {
        let ledger = self.ledger.lock().expect("no panic");
        let found = ledger.charges.iter().rev().find(|(_, charge)| charge.order == order);
        found.expect("a charge").0.clone()
    }

    fn set(&self, order: &str, state: &'static str) {
        let payment = self.payment(order);
        self.ledger.lock().expect("no panic").charges.get_mut(&payment).expect("a charge").state = state;
    }
}

impl Ledger {
    fn answer(&self, payment: &str) -> Value {
        let Some(charge) = self.charges.get(payment) else {
            return json!({ "payment": payment, "state": "not_found" });
        };
        let amount = if self.lie == Some(Lie::Amount) { charge.amount - 1 } else { charge.amount };
        let currency = if self.lie == Some(Lie::Currency) { "USD" } else { &charge.currency };
        let action = (charge.state == "action_required").then(|| json!({ "url": "https://bank.example/3ds" }));
        json!({ "payment": payment, "state": charge.state, "amount": amount, "currency": currency,
            "reference": format!("ref-{payment}"), "reason": "Not enough money.", "action": action })
    }
}

impl StandIn for PaymentService {
    const GATEWAY: &'static str = "http";
    const CHARGING: &'static [&'static str] = &["charge"];
    const LOOKING: &'static str = "look_up";
    const VOIDING: &'static str = "void";

    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/pay", listener.local_addr().expect("an address"));
        let service = Self { url, desk: Desk::default(), ledger: Arc::default() };
        let router = Router::new().route("/pay", post(answer)).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        service
    }

    fn settings(&self) -> GatewaySettings {
        settings(&self.url)
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn token(fate: Fate) -> Option<&'static str> {
        match fate {
            Fate::Succeed => None,
            Fate::Decline => Some("decline"),
            Fate::Act => Some("act"),
        }
    }

    fn act(&self, order: &str) {
        self.set(order, "charged");
    }

    fn charge_anyway(&self, order: &str) {
        self.set(order, "charged");
    }

    fn lie(&self, lie: Option<Lie>) {
        self.ledger.lock().expect("no panic").lie = lie;
    }

    async fn push(&self, order: &str) -> u16 {
        let payment = self.payment(order);
        let body = self.ledger.lock().expect("no panic").answer(&payment);
        self.notify(&body, SECRET, 0).await
    }

    fn taken(&self, order: &str) -> i64 {
        let ledger = self.ledger.lock().expect("no panic");
        let taken = ledger.charges.values().filter(|charge| charge.order == order && charge.state == "charged");
        taken.map(|charge| charge.amount - charge.refunds.values().sum::<i64>()).sum()
    }

    fn charges(&self, order: &str) -> usize {
        let ledger = self.ledger.lock().expect("no panic");
        ledger.charges.values().filter(|charge| charge.order == order && charge.state == "charged").count()
    }
}

/// The settings of a shop that asks the service at this address.
pub fn settings(url: &str) -> GatewaySettings {
    GatewaySettings {
        gateways: vec![GatewayName::Manual, GatewayName::Http],
        http_gateway_url: Some(url.to_owned()),
        http_gateway_secret: Some(Secret::from(SECRET.to_owned())),
        ..GatewaySettings::default()
    }
}

/// When a request was signed, in seconds: the shop signs what it sends.
pub fn time_of(headers: &HeaderMap, body: &[u8]) -> i64 {
    let signature = headers["onhand-signature"].to_str().expect("a signature");
    let seconds = signature[2..].split(',').next().expect("a time").parse().expect("a number");
    assert_eq!(signature, signed_at(SECRET, body, seconds), "the shop signs what it sends");
    seconds
}

async fn answer(State(service): State<PaymentService>, headers: HeaderMap, body: Bytes) -> Response {
    time_of(&headers, &body);
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let action = request["action"].as_str().expect("an action").to_owned();
    let mishap = service.desk.take(&action);
    spoil(mishap, move |_| async move {
        let mut answer = service.execute(&request);
        if service.desk.pushes_first() && matches!(action.as_str(), "charge" | "capture" | "void") {
            let payment = request["payment"].as_str().expect("a payment");
            let pushed = service.ledger.lock().expect("no panic").answer(payment);
            assert_eq!(service.notify(&pushed, SECRET, 0).await, 200);
        }
        let signs = service.ledger.lock().expect("no panic").signs;
        let is_other = signs == Signs::AnotherRequest;
        answer["request"] = if is_other { "another".into() } else { request["request"].clone() };
        let body = answer.to_string();
        let signature = match signs {
            Signs::Well | Signs::AnotherRequest => service.desk.sign(SECRET, body.as_bytes(), 0),
            Signs::Never => return body.into_response(),
            Signs::WithAnother => service.desk.sign("another-secret-that-nobody-has-heard-of", body.as_bytes(), 0),
            Signs::LongAgo => service.desk.sign(SECRET, body.as_bytes(), -600),
            Signs::AnotherBody => service.desk.sign(SECRET, b"{}", 0),
        };
        ([("onhand-signature", signature)], body).into_response()
    })
    .await
}
