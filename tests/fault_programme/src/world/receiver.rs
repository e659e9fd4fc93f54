//! A receiver of the shop's webhooks, as another company's system: it checks signatures, writes down what comes, and now and then
//! answers with an error, not at all, or breaks off. What it has answered with 200 it has accepted.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use checker::journal::{Journal, Record};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::signing;
use crate::clients::Api;

/// The header of signatures.
const SIGNATURE: &str = "onhand-signature";

/// How long a request hangs that is not answered: longer than a server waits.
const SILENCE: Duration = Duration::from_secs(3);

/// Of so many deliveries one is answered in each of its bad ways.
const BAD: u64 = 24;

/// A receiver.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    desk: Desk,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Desk {
    journal: Arc<Journal>,
    papers: Arc<Mutex<Papers>>,
}

#[derive(Debug, Default)]
struct Papers {
    secret: String,
    /// How often each delivery came.
    came: HashMap<String, u64>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Accepted,
    Error,
    Silence,
    Reset,
}

impl Receiver {
    /// Starts it on a free port of this host, which is this machine.
    pub async fn start(journal: Arc<Journal>, host: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let url = format!("http://{}/hooks", listener.local_addr()?);
        let desk = Desk { journal, papers: Arc::default() };
        let routes = Router::new().route("/hooks", post(receive)).with_state(desk.clone());
        let task = tokio::spawn(async move {
            // It ends with the scenario.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { url, desk, task })
    }

    /// Registers it for everything that happens to orders from now on.
    pub async fn register(&self, api: &Api) -> anyhow::Result<()> {
        let mutation = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }";
        let input = json!({ "url": self.url, "events": ["ORDER_PAID", "ORDER_SHIPPED", "ORDER_CANCELLED"] });
        let made = api.ask(mutation, json!({ "input": input })).await.context("a webhook")?;
        let secret = made["createWebhook"]["secret"].as_str().context("its secret")?;
        secret.clone_into(&mut self.desk.papers().secret);
        self.desk.journal.write(&Record::Registered);
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what came. What is answered the first time depends on the delivery; afterwards it is accepted.
    fn take(&self, signature: &str, body: &[u8]) -> Option<Way> {
        let told: Value = serde_json::from_slice(body).ok()?;
        let delivery = told["id"].as_str()?.to_owned();
        let mut papers = self.papers();
        let is_signed = signing::time_of(&papers.secret, signature, body).is_some();
        let came = papers.came.entry(delivery.clone()).or_default();
        *came += 1;
        let way = if *came == 1 { first_way(&delivery) } else { Way::Accepted };
        let id = |value: &Value| value["id"].as_str().and_then(checker::id::uuid);
        let (order, shipment) = (&told["data"]["order"], &told["data"]["shipment"]);
        self.journal.write(&Record::Delivered {
            delivery,
            kind: told["type"].as_str()?.to_owned(),
            order: id(order)?,
            version: i32::try_from(order["version"].as_i64()?).ok()?,
            shipment: id(shipment),
            is_signed,
            is_accepted: way == Way::Accepted,
        });
        Some(way)
    }
}

fn first_way(delivery: &str) -> Way {
    let mut hasher = DefaultHasher::new();
    delivery.hash(&mut hasher);
    match hasher.finish() % BAD {
        0 => Way::Error,
        1 => Way::Silence,
        2 => Way::Reset,
        _ => Way::Accepted,
    }
}

async fn receive(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match desk.take(signature, &body) {
        Some(Way::Accepted) => StatusCode::OK.into_response(),
        Some(Way::Silence) => {
            sleep(SILENCE).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Some(Way::Reset) => {
            let broken = stream::iter([Err::<Bytes, _>(io::Error::other("as planned"))]);
            (StatusCode::BAD_GATEWAY, Body::from_stream(broken)).into_response()
        }
        Some(Way::Error) | None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
