//! A receiver of webhooks that answers what a test says, and keeps what it is sent.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{Client, eventually};

/// What a receiver answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status.
    Status(u16),
    /// That it is to be sent elsewhere.
    Redirect(String),
    /// Nothing, ever.
    Never,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its `Onhand-Signature`.
    pub signature: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub text: String,
    /// The same, read.
    pub body: Value,
    /// The status that it was answered with; 0 when it was not.
    pub status: u16,
}

impl Received {
    /// The id in the body.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().expect("an id")
    }

    /// The type in the body.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().expect("a type")
    }
}

type Decide = Box<dyn Fn(&Received) -> Answer + Send>;

struct Kept {
    decide: Decide,
    received: Vec<Received>,
}

/// One per test.
pub struct Receiver {
    /// `http://127.0.0.1:PORT/hooks`.
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    _server: AbortOnDropHandle<()>,
}

impl Receiver {
    /// A receiver that accepts everything.
    pub async fn open() -> Self {
        let decide: Decide = Box::new(|_| Answer::Status(200));
        let kept = Arc::new(Mutex::new(Kept { decide, received: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&kept));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { url, kept, _server: AbortOnDropHandle::new(server) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no panic")
    }

    /// Answers so from now on.
    pub fn answers(&self, decide: impl Fn(&Received) -> Answer + Send + 'static) {
        self.kept().decide = Box::new(decide);
    }

    /// All that came, in order.
    pub fn received(&self) -> Vec<Received> {
        self.kept().received.clone()
    }

    /// What came and was accepted, in order.
    pub fn accepted(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.status == 200).collect()
    }

    /// Waits until so many came, and returns them all.
    pub async fn receives(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} requests"), async || self.kept().received.len() >= count).await;
        self.received()
    }

    /// Waits until so many were accepted, and returns those.
    pub async fn accepts(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} accepted requests"), async || self.accepted().len() >= count).await;
        self.accepted()
    }
}

async fn receive(State(kept): State<Arc<Mutex<Kept>>>, uri: Uri, headers: HeaderMap, text: String) -> Response<String> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    let mut received = Received {
        path: uri.path().to_owned(),
        signature: header("onhand-signature").unwrap_or_default(),
        headers: headers.clone(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        status: 0,
    };
    let answer = {
        let mut kept = kept.lock().expect("no panic");
        let answer = (kept.decide)(&received);
        received.status = match answer {
            Answer::Status(status) => status,
            Answer::Redirect(_) => 302,
            Answer::Never => 0,
        };
        kept.received.push(received);
        answer
    };
    let response = Response::builder();
    let response = match answer {
        Answer::Status(status) => response.status(status),
        Answer::Redirect(to) => response.status(StatusCode::FOUND).header("location", to),
        Answer::Never => pending().await,
    };
    response.body("thank you".to_owned()).expect("an answer")
}

impl Client {
    /// Registers a webhook for these events, and returns its id and its secret.
    pub async fn webhook(&self, url: &str, events: &[&str]) -> (String, String) {
        let created = self.create_webhook(json!({ "url": url, "events": events })).await;
        assert_eq!(created["userErrors"], json!([]));
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&created["webhook"]["id"]), text(&created["secret"]))
    }

    /// Registers a webhook.
    pub async fn create_webhook(&self, input: Value) -> Value {
        let mutation = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) \
            { webhook { id url status events } secret userErrors { code field } } }";
        self.data(mutation, json!({ "input": input })).await["createWebhook"].take()
    }

    /// Changes a webhook.
    pub async fn update_webhook(&self, input: Value) -> Value {
        let mutation = "mutation($input: UpdateWebhookInput!) { updateWebhook(input: $input) \
            { webhook { id url status events disabledReason failingSince } userErrors { code field } } }";
        self.data(mutation, json!({ "input": input })).await["updateWebhook"].take()
    }

    /// Reads a webhook with its newest deliveries.
    pub async fn read_webhook(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Webhook { url status disabledReason failingSince \
            deliveries(first: 100) { nodes { id event status attempts nextAttemptAt lastAttemptAt responseStatus error body \
            createdAt deliveredAt } } } } }";
        self.data(query, json!({ "id": id })).await["node"].take()
    }

    /// The deliveries of a webhook, newest first.
    pub async fn deliveries(&self, webhook: &str) -> Vec<Value> {
        self.read_webhook(webhook).await["deliveries"]["nodes"].as_array().expect("a list").clone()
    }

    /// Sends a delivery again.
    pub async fn repeat_delivery(&self, id: &str) -> Value {
        let mutation = "mutation($id: ID!) { repeatWebhookDelivery(input: { deliveryId: $id }) \
            { delivery { id status attempts } userErrors { code field } } }";
        self.data(mutation, json!({ "id": id })).await["repeatWebhookDelivery"].take()
    }
}
