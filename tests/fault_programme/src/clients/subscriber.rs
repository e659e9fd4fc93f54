//! Somebody who looks on: at the stock of products, at an order, or at the log. Subscribes, writes down what comes, and
//! subscribes anew whenever the connection ends; to the log from where it was.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use checker::database::Shop;
use checker::journal::{Journal, Record};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::socket::Socket;

/// Pause before a subscriber connects anew.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked of stock.
pub const STOCK_CHANGED: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { product { id } version total allocated available } }";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// What somebody looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// The stock of these products.
    Stock(Vec<String>),
    /// This order.
    Order(String),
    /// Everything that is added to the log.
    Log,
}

/// What a subscriber has heard last.
#[derive(Debug, Default)]
struct Heard {
    /// The newest version of each product.
    versions: BTreeMap<Uuid, i32>,
    /// The last row of the log of each product.
    rows: BTreeMap<Uuid, i32>,
    /// The states of the order.
    states: Option<[String; 3]>,
    /// Where in the log it is.
    cursor: Option<String>,
}

/// Somebody who looks on.
#[derive(Debug)]
pub struct Subscriber {
    number: u64,
    subject: Subject,
    pace: Pace,
    heard: Arc<Mutex<Heard>>,
    stop: CancellationToken,
    /// Whatever becomes of the scenario, whoever looks on ends with it.
    _guard: DropGuard,
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
    /// Nothing, and no pings either: the server is to end it.
    Silent,
}

impl Subscriber {
    /// Begins to look at the stock of these products, at one server after the other.
    pub fn start(servers: &[String], products: &[String], journal: &Arc<Journal>, pace: Pace) -> Self {
        Self::look(servers, Subject::Stock(products.to_vec()), journal, pace)
    }

    /// Begins to look.
    pub fn look(servers: &[String], subject: Subject, journal: &Arc<Journal>, pace: Pace) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (heard, stop) = (Arc::<Mutex<Heard>>::default(), CancellationToken::new());
        let watch = Watch {
            number,
            servers: servers.to_vec(),
            subject: subject.clone(),
            journal: Arc::clone(journal),
            heard: Arc::clone(&heard),
            pace,
        };
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(watch.forever()).await;
        });
        let guard = stop.clone().drop_guard();
        Self { number, subject, pace, heard, stop, _guard: guard, task, journal: Arc::clone(journal) }
    }

    /// Whether it reads what it is sent.
    pub fn reads(&self) -> bool {
        self.pace != Pace::Silent
    }

    /// Whether it has heard of the last there is in a shop that is at rest, if it reads at all.
    pub fn has_all(&self, shop: &Shop) -> bool {
        if !self.reads() {
            return true;
        }
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.subject {
            Subject::Stock(products) => {
                products.iter().filter_map(|product| checker::id::uuid(product)).all(|product| {
                    shop.stocks.get(&product).map(|stock| stock.version) == heard.versions.get(&product).copied()
                })
            }
            Subject::Order(order) => {
                // What was taken away with an earlier state of the data has no last state.
                let Some(order) = checker::id::uuid(order).and_then(|order| shop.orders.get(&order)) else {
                    return true;
                };
                let states = [&order.status, &order.payment, &order.shipping].map(|state| state.to_uppercase());
                heard.states == Some(states)
            }
            Subject::Log => {
                heard
                    .rows
                    .iter()
                    .all(|(product, row)| shop.stocks.get(product).is_some_and(|stock| stock.sequence == *row))
                    && !heard.rows.is_empty()
            }
        }
    }

    /// Whether it looks at the log and has heard of no row yet.
    pub fn waits_for_a_row(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(self.subject, Subject::Log) && heard.rows.is_empty()
    }

    /// Stops looking. Whoever has read until the shop was at rest says so.
    pub async fn stop(self, is_at_rest: bool) {
        let rests = is_at_rest && self.reads();
        self.stop.cancel();
        // It only reads; whatever ended it, it is over.
        let _ = self.task.await;
        if rests {
            self.journal.write(&Record::Rested { subscriber: self.number });
        }
    }
}

struct Watch {
    number: u64,
    servers: Vec<String>,
    subject: Subject,
    journal: Arc<Journal>,
    heard: Arc<Mutex<Heard>>,
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

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn once(&self, server: &str) -> Option<()> {
        let (query, variables) = self.subscription();
        let mut socket = Socket::subscribe(server, query, variables, !self.reads()).await.ok()?;
        if !self.reads() {
            return std::future::pending().await;
        }
        self.note_subscription();
        loop {
            let message = socket.next().await?;
            match message["type"].as_str()? {
                "next" => self.saw(&message["payload"]["data"])?,
                "error" => {
                    // The log is another one, as after a failover that lost commits.
                    if message["payload"][0]["extensions"]["code"] == "BAD_CURSOR" {
                        *self.heard() = Heard::default();
                        self.journal.write(&Record::CursorRefused { subscriber: self.number });
                    }
                    return None;
                }
                "complete" => return None,
                _ => {}
            }
            if let Pace::Slow(pause) = self.pace {
                sleep(pause).await;
            }
        }
    }

    fn reads(&self) -> bool {
        self.pace != Pace::Silent
    }

    fn subscription(&self) -> (&'static str, Value) {
        match &self.subject {
            Subject::Stock(products) => (STOCK_CHANGED, json!({ "ids": products })),
            Subject::Order(order) => (
                "subscription($id: ID!) { orderChanged(id: $id) { id status payment shipping } }",
                json!({ "id": order }),
            ),
            Subject::Log => (
                "subscription($after: String) { stockTransactionAdded(after: $after) { cursor node { sequence product { id } } } }",
                json!({ "after": self.heard().cursor }),
            ),
        }
    }

    fn note_subscription(&self) {
        let subscriber = self.number;
        match &self.subject {
            Subject::Stock(products) => {
                let products = products.iter().filter_map(|product| checker::id::uuid(product)).collect();
                self.journal.write(&Record::Subscribed { subscriber, products });
            }
            Subject::Order(order) => {
                if let Some(order) = checker::id::uuid(order) {
                    self.journal.write(&Record::Followed { subscriber, order });
                }
            }
            Subject::Log => self.journal.write(&Record::FollowedLog { subscriber }),
        }
    }

    fn saw(&self, data: &Value) -> Option<()> {
        match &self.subject {
            Subject::Stock(_) => self.saw_stock(&data["stockChanged"]),
            Subject::Order(_) => self.saw_order(&data["orderChanged"]),
            Subject::Log => self.saw_row(&data["stockTransactionAdded"]),
        }
    }

    fn saw_stock(&self, stock: &Value) -> Option<()> {
        let product = checker::id::uuid(stock["product"]["id"].as_str()?)?;
        let number = |name: &str| i32::try_from(stock[name].as_i64()?).ok();
        let version = number("version")?;
        let numbers = [number("total")?, number("allocated")?, number("available")?];
        self.journal.write(&Record::Saw { subscriber: self.number, product, version, numbers });
        self.heard().versions.insert(product, version);
        Some(())
    }

    fn saw_order(&self, shown: &Value) -> Option<()> {
        let order = checker::id::uuid(shown["id"].as_str()?)?;
        let state = |name: &str| Some(shown[name].as_str()?.to_owned());
        let states = [state("status")?, state("payment")?, state("shipping")?];
        self.journal.write(&Record::SawOrder { subscriber: self.number, order, states: states.clone() });
        self.heard().states = Some(states);
        Some(())
    }

    fn saw_row(&self, edge: &Value) -> Option<()> {
        let product = checker::id::uuid(edge["node"]["product"]["id"].as_str()?)?;
        let sequence = i32::try_from(edge["node"]["sequence"].as_i64()?).ok()?;
        self.journal.write(&Record::SawRow { subscriber: self.number, product, sequence });
        let mut heard = self.heard();
        heard.rows.insert(product, sequence);
        heard.cursor = edge["cursor"].as_str().map(str::to_owned);
        Some(())
    }
}
