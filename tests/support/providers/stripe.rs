//! A server that speaks the part of Stripe's API that the gateway `stripe` uses, with idempotency keys and signed events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use onhand::config::{GatewayName, GatewaySettings, Secret};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::form_urlencoded;

use super::stripe_objects::{Account, Form, Intent, Reply, error};
use super::{Desk, Fate, Lie, StandIn, send_notice, spoil};

/// The key of the account.
const KEY: &str = "sk_test_of_a_stand_in";

/// The secret that events are signed with.
const WEBHOOK_SECRET: &str = "whsec_of_a_stand_in";

/// What was answered under an idempotency key, and to which request.
#[derive(Debug, Default)]
struct Keys(BTreeMap<String, (String, Reply)>);

/// Stripe, for tests. Clones are the same.
#[derive(Debug, Clone)]
pub struct StripeStandIn {
    /// Its address.
    pub url: String,
    desk: Desk,
    account: Arc<Mutex<Account>>,
    keys: Arc<Mutex<Keys>>,
}

impl StripeStandIn {
    /// The secret that events are signed with.
    pub const fn webhook_secret() -> &'static str {
        WEBHOOK_SECRET
    }

    /// The key of the account.
    pub const fn key() -> &'static str {
        KEY
    }

    /// Forgets the idempotency keys, as Stripe does after a day.
    pub fn forget_keys(&self) {
        self.keys.lock().expect("no panic").0.clear();
    }

    /// What it keeps.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("no panic")
    }

    /// The newest intent of an order.
    pub fn intent(&self, order: &str) -> Intent {
        let account = self.account();
        let found = account.intents.values().rev().find(|intent| intent.metadata["onhand_order"] == order);
        found.expect("an intent").clone()
    }

    /// Changes the newest intent of an order.
    pub fn change(&self, order: &str, change: impl FnOnce(&mut Intent)) {
        let id = self.intent(order).id;
        change(self.account().intents.get_mut(&id).expect("an intent"));
    }

    /// An event about the newest intent of an order, as it is now.
    pub fn event(&self, kind: &str, order: &str) -> Value {
        let intent = self.intent(order);
        self.event_of(kind, &intent)
    }

    fn event_of(&self, kind: &str, intent: &Intent) -> Value {
        let object = self.account().shown(intent);
        json!({ "id": "evt_1", "object": "event", "type": kind, "livemode": false, "data": { "object": object } })
    }

    /// Sends an event to the shop, signed with this secret so many seconds later than now.
    pub async fn send(&self, event: &Value, secret: &str, later: i64) -> u16 {
        let body = event.to_string().into_bytes();
        let signature = self.desk.sign(secret, &body, later);
        let url = format!("{}/webhooks/stripe", self.desk.shop());
        send_notice(&url, ("stripe-signature", signature), body).await
    }

    /// The name of a request, as plans have it.
    fn name(method: &Method, path: &str) -> &'static str {
        match (method, path.trim_start_matches("/v1/").split('/').collect::<Vec<_>>().as_slice()) {
            (&Method::POST, ["payment_intents"]) => "create",
            (&Method::GET, ["payment_intents", "search"]) => "search",
            (&Method::GET, ["payment_intents", _]) => "retrieve",
            (&Method::POST, ["payment_intents", _, "confirm"]) => "confirm",
            (&Method::POST, ["payment_intents", _, "cancel"]) => "cancel",
            (&Method::POST, ["payment_intents", _, "capture"]) => "capture",
            (&Method::POST, ["refunds"]) => "refund",
            (&Method::GET, ["refunds"]) => "refunds",
            _ => "unknown",
        }
    }

    /// Does what a request asks for, once per idempotency key. What is answered with 500 is kept as well.
    fn execute(&self, name: &str, path: &str, form: &Form, key: Option<String>, is_500: bool) -> Reply {
        let request = format!("{path} {form:?}");
        let mut keys = self.keys.lock().expect("no panic");
        if let Some((before, reply)) = key.as_ref().and_then(|key| keys.0.get(key)) {
            if *before != request {
                let message = "Keys for idempotent requests can only be used with the same parameters.";
                return error(400, "idempotency_error", "", message);
            }
            return reply.clone();
        }
        let id = path.split('/').nth(3).unwrap_or_default();
        let mut account = self.account();
        let reply = match name {
            "create" => account.create(form),
            "retrieve" => account.retrieve(id),
            "confirm" => account.confirm(id, form),
            "cancel" => account.cancel(id),
            "capture" => account.capture(id, form),
            "search" => account.search(form),
            "refund" => account.refund(form),
            "refunds" => account.list_refunds(form),
            _ => error(404, "invalid_request_error", "", "Unrecognized request URL"),
        };
        let reply = if is_500 { error(500, "api_error", "", "An unknown error occurred") } else { reply };
        if let Some(key) = key {
            keys.0.insert(key, (request, reply.clone()));
        }
        reply
    }
}

impl StandIn for StripeStandIn {
    const GATEWAY: &'static str = "stripe";
    const CHARGING: &'static [&'static str] = &["create", "confirm"];
    const LOOKING: &'static str = "retrieve";
    const VOIDING: &'static str = "cancel";

    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stand_in = Self { url, desk: Desk::default(), account: Arc::default(), keys: Arc::default() };
        let router = Router::new().fallback(answer).with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    fn settings(&self) -> GatewaySettings {
        GatewaySettings {
            gateways: vec![GatewayName::Manual, GatewayName::Stripe],
            stripe_secret_key: Some(Secret::from(KEY.to_owned())),
            stripe_webhook_secret: Some(Secret::from(WEBHOOK_SECRET.to_owned())),
            stripe_api: self.url.clone(),
            ..GatewaySettings::default()
        }
    }

    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn token(fate: Fate) -> Option<&'static str> {
        Some(match fate {
            Fate::Succeed => "pm_card_visa",
            Fate::Decline => "pm_card_visa_chargeDeclined",
            Fate::Act => "pm_card_authenticationRequired",
        })
    }

    fn act(&self, order: &str) {
        self.change(order, Intent::succeed);
    }

    fn charge_anyway(&self, order: &str) {
        self.change(order, Intent::succeed);
    }

    fn lie(&self, lie: Option<Lie>) {
        self.account().lie = lie;
    }

    async fn push(&self, order: &str) -> u16 {
        let kind = match self.intent(order).status {
            "succeeded" => "payment_intent.succeeded",
            "canceled" => "payment_intent.canceled",
            "requires_capture" => "payment_intent.amount_capturable_updated",
            "requires_action" => "payment_intent.requires_action",
            _ => "payment_intent.payment_failed",
        };
        self.send(&self.event(kind, order), WEBHOOK_SECRET, 0).await
    }

    fn taken(&self, order: &str) -> i64 {
        let account = self.account();
        let of_order = account.intents.values().filter(|intent| intent.metadata["onhand_order"] == order);
        of_order.map(|intent| intent.received - intent.refunded).sum()
    }

    fn charges(&self, order: &str) -> usize {
        let account = self.account();
        let of_order = account.intents.values().filter(|intent| intent.metadata["onhand_order"] == order);
        of_order.filter(|intent| intent.received > 0).count()
    }
}

async fn answer(
    State(stand_in): State<StripeStandIn>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if header("authorization") != Some(format!("Bearer {KEY}")) {
        return shown(error(401, "invalid_request_error", "", "Invalid API Key provided"));
    }
    assert!(header("stripe-version").is_some(), "the version is pinned");
    let sent = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { &body };
    let form: Form =
        form_urlencoded::parse(sent).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let (name, path) = (StripeStandIn::name(&method, uri.path()), uri.path().to_owned());
    let key = header("idempotency-key").filter(|_| method == Method::POST);
    let mishap = stand_in.desk.take(name);
    spoil(mishap, move |is_500| async move {
        let reply = stand_in.execute(name, &path, &form, key, is_500);
        let is_end = reply.0 == 200 && ["confirm", "capture", "cancel"].contains(&name);
        if stand_in.desk.pushes_first() && is_end {
            let order = reply.1["metadata"]["onhand_order"].as_str().expect("an order").to_owned();
            assert_eq!(stand_in.push(&order).await, 200);
        }
        shown(reply)
    })
    .await
}

fn shown((status, body): Reply) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("request-id", "req_1")], axum::Json(body)).into_response()
}
