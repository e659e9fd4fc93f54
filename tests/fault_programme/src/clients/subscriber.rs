//! Somebody who looks at live stock: subscribes, writes down what comes, and subscribes anew whenever the connection ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use checker::journal::{Journal, Record};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pause before a subscriber connects anew.
const PAUSE: Duration = Duration::from_millis(100);

/// Longest time for a connection to be accepted.
const TIMEOUT: Duration = Duration::from_secs(10);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A subscriber to the stock of products, and what it has heard last.
#[derive(Debug)]
pub struct Subscriber {
    number: u64,
    products: Vec<Uuid>,
    newest: Arc<Mutex<BTreeMap<Uuid, i32>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    journal: Arc<Journal>,
}

/// How somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it comes.
    Fast,
    /// A message, then a pause of so long.
    Slow(Duration),
}

impl Subscriber {
    /// Begins to look at these products, at one server after the other.
    pub fn start(servers: &[String], products: &[String], journal: &Arc<Journal>, pace: Pace) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (newest, stop) = (Arc::<Mutex<BTreeMap<Uuid, i32>>>::default(), CancellationToken::new());
        let watch = Watch {
            number,
            servers: servers.to_vec(),
            products: products.to_vec(),
            journal: Arc::clone(journal),
            newest: Arc::clone(&newest),
            pace,
        };
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(watch.forever()).await;
        });
        let products = products.iter().filter_map(|product| checker::id::uuid(product)).collect();
        Self { number, products, newest, stop, task, journal: Arc::clone(journal) }
    }

    /// Whether it has heard of these versions of its products.
    pub fn has_heard(&self, versions: &BTreeMap<Uuid, i32>) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.products.iter().all(|product| newest.get(product) == versions.get(product))
    }

    /// Stops looking. Whoever waited until the shop was at rest says so.
    pub async fn stop(self, is_at_rest: bool) {
        self.stop.cancel();
        // It only reads; whatever ended it, it is over.
        let _ = self.task.await;
        if is_at_rest {
            self.journal.write(&Record::Rested { subscriber: self.number });
        }
    }
}

struct Watch {
    number: u64,
    servers: Vec<String>,
    products: Vec<String>,
    journal: Arc<Journal>,
    newest: Arc<Mutex<BTreeMap<Uuid, i32>>>,
    pace: Pace,
}

impl Watch {
    async fn forever(self) {
        let first = usize::try_from(self.number).unwrap_or_default();
        for turn in first.. {
            let server = &self.servers[turn % self.servers.len()];
            // It ends with the connection, whatever the reason.
            self.once(server).await;
            sleep(PAUSE).await;
        }
    }

    async fn once(&self, server: &str) -> Option<()> {
        let mut request = format!("{}/graphql", server.replace("http://", "ws://")).into_client_request().ok()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().ok()?);
        let (mut socket, _) = timeout(TIMEOUT, connect_async(request)).await.ok()?.ok()?;
        let query = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { product { id } version total allocated available } }";
        let subscribe = json!({ "type": "subscribe", "id": "s", "payload": { "query": query, "variables": { "ids": self.products } } });
        for message in [json!({ "type": "connection_init" }), subscribe] {
            socket.send(Message::Text(message.to_string().into())).await.ok()?;
        }
        let products = self.products.iter().filter_map(|product| checker::id::uuid(product)).collect();
        self.journal.write(&Record::Subscribed { subscriber: self.number, products });
        loop {
            let Message::Text(text) = socket.next().await?.ok()? else { continue };
            let message: Value = serde_json::from_str(&text).ok()?;
            match message["type"].as_str()? {
                "next" => self.saw(&message["payload"]["data"]["stockChanged"])?,
                "error" | "complete" => return None,
                _ => {}
            }
            if let Pace::Slow(pause) = self.pace {
                sleep(pause).await;
            }
        }
    }

    fn saw(&self, stock: &Value) -> Option<()> {
        let product = checker::id::uuid(stock["product"]["id"].as_str()?)?;
        let number = |name: &str| i32::try_from(stock[name].as_i64()?).ok();
        let version = number("version")?;
        let numbers = [number("total")?, number("allocated")?, number("available")?];
        self.journal.write(&Record::Saw { subscriber: self.number, product, version, numbers });
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(product, version);
        Some(())
    }
}
