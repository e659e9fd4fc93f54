//! Clients of the shop. Each writes down what it is about to do, then does it, then writes down what it was told.

pub mod buyer;
pub mod rest;
pub mod socket;
pub mod staff;
pub mod subscriber;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use checker::journal::{Journal, NOT_EXECUTED, Outcome, Record};
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest time that a client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A way to the shop that keeps a journal. Cheap to clone; requests go to its servers in turn.
#[derive(Debug, Clone)]
pub struct Api {
    servers: Arc<[String]>,
    next: Arc<AtomicUsize>,
    http: reqwest::Client,
    journal: Arc<Journal>,
}

/// What a mutation is called and what is asked of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    name: &'static str,
    input: &'static str,
    selection: &'static str,
}

const fn mutation(name: &'static str, input: &'static str, selection: &'static str) -> Mutation {
    Mutation { name, input, selection }
}

/// Makes a product.
pub const CREATE_PRODUCT: Mutation =
    mutation("createProduct", "CreateProductInput!", "product { id stock { version } }");
/// Adjusts stock.
pub const ADJUST_STOCK: Mutation = mutation("adjustStock", "AdjustStockInput!", "stocks { version product { id } }");
/// Makes a cart.
pub const CREATE_CART: Mutation = mutation("createCart", "CreateCartInput!", "cart { id }");
/// Checks a cart out.
pub const CHECK_OUT: Mutation = mutation("checkOut", "CheckOutInput!", "order { id }");
/// Pays an order.
pub const PAY_ORDER: Mutation = mutation("payOrder", "PayOrderInput!", "payment { id status } order { payment }");
/// Cancels an order.
pub const CANCEL_ORDER: Mutation = mutation("cancelOrder", "CancelOrderInput!", "order { id status }");
/// Ships an order.
pub const SHIP_ORDER: Mutation = mutation("shipOrder", "ShipOrderInput!", "order { id shipping }");
/// Captures what was authorized.
pub const CAPTURE_PAYMENT: Mutation =
    mutation("capturePayment", "CapturePaymentInput!", "payment { id status } order { payment }");
/// Voids a payment.
pub const VOID_PAYMENT: Mutation =
    mutation("voidPayment", "VoidPaymentInput!", "payment { id status } order { payment }");
/// Refunds a payment.
pub const REFUND_PAYMENT: Mutation =
    mutation("refundPayment", "RefundPaymentInput!", "payment { id status } order { payment }");

impl Api {
    /// A way to these servers.
    pub fn new(servers: Vec<String>, journal: Arc<Journal>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { servers: servers.into(), next: Arc::default(), http, journal })
    }

    /// Its servers.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    fn server(&self) -> &str {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        &self.servers[at % self.servers.len()]
    }

    /// Sends an operation; an error tells why there is no answer.
    async fn send(&self, server: &str, query: &str, variables: Value) -> Result<Value, String> {
        let body = json!({ "query": query, "variables": variables });
        let sent = self.http.post(format!("{server}/graphql")).json(&body).send().await;
        let answer = sent.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        answer.json().await.map_err(|error| format!("{status}: {}", error.without_url()))
    }

    /// Reads at the next server what nobody writes down; `None` when it does not answer.
    pub async fn ask(&self, query: &str, variables: Value) -> Option<Value> {
        let mut answer = self.send(self.server(), query, variables).await.ok()?;
        answer.get("errors").is_none().then(|| answer["data"].take())
    }

    /// Does something at the next server.
    pub async fn change(&self, mutation: Mutation, input: Value) -> Outcome {
        let server = self.server().to_owned();
        self.change_at(&server, mutation, input).await
    }

    /// Does something at this server.
    pub async fn change_at(&self, server: &str, mutation: Mutation, input: Value) -> Outcome {
        let Mutation { name, input: of_type, selection } = mutation;
        let query =
            format!("mutation($input: {of_type}) {{ {name}(input: $input) {{ {selection} userErrors {{ code }} }} }}");
        let call = self.journal.begin(|call| Record::Call { call, mutation: name.to_owned(), input: input.clone() });
        let outcome = match self.send(server, &query, json!({ "input": input })).await {
            Ok(answer) => outcome(mutation, &answer),
            Err(why) => Outcome::Unknown { why },
        };
        self.journal.write(&Record::Answer { call, outcome: outcome.clone() });
        outcome
    }

    /// Reads the version of a product's stock at the next server.
    pub async fn read_stock(&self, product: &str) -> Option<i32> {
        let id = checker::id::uuid(product)?;
        let read = self.journal.begin(|read| Record::Read { read, product: id });
        let query = "query($id: ID!) { stock(productId: $id) { version } }";
        let answer = self.send(self.server(), query, json!({ "id": product })).await.ok()?;
        let version = i32::try_from(answer["data"]["stock"]["version"].as_i64()?).ok()?;
        self.journal.write(&Record::Found { read, version });
        Some(version)
    }

    /// Makes a product with so many units; its id.
    pub async fn product(&self, sku: &str, units: i32) -> anyhow::Result<String> {
        let input =
            json!({ "sku": sku, "name": sku, "initialStock": units, "price": { "amount": 100, "currency": "EUR" } });
        let made = self.change(CREATE_PRODUCT, input).await;
        let id = done(&made).and_then(|data| data["product"].as_str());
        id.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no product {sku}: {made:?}"))
    }
}

/// What was answered, when it was done.
pub const fn done(outcome: &Outcome) -> Option<&Value> {
    match outcome {
        Outcome::Done { data, .. } => Some(data),
        Outcome::Refused { .. } | Outcome::Unknown { .. } => None,
    }
}

/// A key, or a note, that nobody has used.
pub fn fresh(kind: &str) -> String {
    format!("{kind}-{}", Uuid::new_v4().simple())
}

/// What an answer says about a mutation.
fn outcome(mutation: Mutation, answer: &Value) -> Outcome {
    if let Some(error) = answer["errors"].as_array().and_then(|errors| errors.first()) {
        let code = error["extensions"]["code"].as_str().unwrap_or_default().to_owned();
        return if NOT_EXECUTED.contains(&code.as_str()) {
            Outcome::Refused { codes: vec![code] }
        } else {
            Outcome::Unknown { why: code }
        };
    }
    let payload = &answer["data"][mutation.name];
    if payload.is_null() {
        return Outcome::Unknown { why: format!("an answer of another kind: {answer}") };
    }
    let errors = payload["userErrors"].as_array().into_iter().flatten();
    let codes: Vec<String> = errors.filter_map(|error| Some(error["code"].as_str()?.to_owned())).collect();
    // What was begun, or is under way, is told with its payment.
    let is_payment = [PAY_ORDER, CAPTURE_PAYMENT, VOID_PAYMENT, REFUND_PAYMENT].contains(&mutation);
    let is_done = if is_payment { !payload["payment"].is_null() } else { codes.is_empty() };
    if is_done { Outcome::Done { data: facts(payload), codes } } else { Outcome::Refused { codes } }
}

/// What the checker needs of a payload.
fn facts(payload: &Value) -> Value {
    let mut versions = serde_json::Map::new();
    let mut add = |product: &Value, version: &Value| {
        if let Some(product) = product.as_str().and_then(checker::id::uuid) {
            versions.insert(product.to_string(), version.clone());
        }
    };
    for stock in payload["stocks"].as_array().into_iter().flatten() {
        add(&stock["product"]["id"], &stock["version"]);
    }
    add(&payload["product"]["id"], &payload["product"]["stock"]["version"]);
    json!({
        "product": payload["product"]["id"], "cart": payload["cart"]["id"], "order": payload["order"]["id"],
        "payment": payload["payment"]["id"], "status": payload["payment"]["status"],
        "order_payment": payload["order"]["payment"], "versions": versions,
    })
}
