//! A payment gateway as another company's system: a process of its own to the servers, with a journal of its own. What it
//! does with a charge is in the token, so that every bad way of a gateway can be had.
//!
//! | Token | What it does |
//! |---|---|
//! | `ok`, `decline`, `refuse` | answers so at once |
//! | `slow:MS`, `slow:MS:decline` | the same, that much later |
//! | `late:MS` | says nothing; the request arrives that much later, and is charged then unless it was voided before |
//! | `lost` | the request never arrives |
//! | `unanswered`, `unanswered:decline` | it is charged or declined, and the answer is lost |
//! | `error`, `error:charge` | an answer that leaves everything open, nothing or everything done |
//! | `pending:MS` | it is being processed for so long, then charged |
//! | `act:MS` | the shopper acts after so long; `act` alone: never |
//!
//! `!N` behind a token: so many look-ups and voids fail before one is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use checker::journal::{GatewayEvent, Journal, Record};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

/// How long a shopper has to act, in milliseconds.
const ACTION_TIME: u64 = 2_500;

/// How long a request hangs that is never answered: longer than any server waits.
const SILENCE: Duration = Duration::from_secs(30);

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    /// Its address.
    pub url: String,
    tasks: Vec<JoinHandle<()>>,
}

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
struct Request {
    payment: Uuid,
    order: Uuid,
    amount: i64,
    token: Option<String>,
}

/// How it stands with a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Pending,
    Charged,
    Declined,
    Voided,
}

#[derive(Debug)]
struct Charge {
    standing: Standing,
    /// So many look-ups and voids fail.
    failures: u32,
}

#[derive(Debug, Clone)]
struct Books {
    charges: Arc<Mutex<HashMap<Uuid, Charge>>>,
    journal: Arc<Journal>,
}

impl Gateway {
    /// Starts it on a free port of this machine, and at the same port of this host too.
    pub async fn start(journal: Arc<Journal>, also_at: Option<&str>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let mut listeners = vec![listener];
        if let Some(host) = also_at {
            listeners.push(TcpListener::bind((host, here.port())).await?);
        }
        let books = Books { charges: Arc::default(), journal };
        let routes = Router::new()
            .route("/charge", post(charge))
            .route("/look_up", post(look_up))
            .route("/void", post(void))
            .with_state(books);
        let serve = |listener| {
            let routes = routes.clone();
            tokio::spawn(async move {
                // It ends with the scenario.
                let _ = axum::serve(listener, routes).await;
            })
        };
        Ok(Self { url: format!("http://{here}"), tasks: listeners.into_iter().map(serve).collect() })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Books {
    fn open(&self) -> MutexGuard<'_, HashMap<Uuid, Charge>> {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, request: &Request, event: GatewayEvent) {
        let Request { payment, order, amount, .. } = *request;
        self.journal.write(&Record::Gateway { payment, order, amount, event });
    }

    /// Ends a charge, unless it has ended. It is written down while nobody else can change it.
    fn end(&self, request: &Request, standing: Standing, failures: u32) -> Standing {
        let mut charges = self.open();
        let charge = charges.entry(request.payment).or_insert(Charge { standing: Standing::Pending, failures });
        if charge.standing == Standing::Pending {
            charge.standing = standing;
            match standing {
                Standing::Pending => {}
                Standing::Charged => self.write(request, GatewayEvent::Charged),
                Standing::Declined => self.write(request, GatewayEvent::Declined),
                Standing::Voided => self.write(request, GatewayEvent::Voided),
            }
        }
        charge.standing
    }

    /// Whether this look-up or void is one that fails.
    fn fails(&self, payment: Uuid) -> bool {
        let mut charges = self.open();
        let Some(charge) = charges.get_mut(&payment).filter(|charge| charge.failures > 0) else { return false };
        charge.failures -= 1;
        true
    }
}

fn answer(standing: Option<Standing>) -> Response {
    let state: Value = match standing {
        None => json!("not_found"),
        Some(Standing::Pending) => json!("pending"),
        Some(Standing::Charged) => json!("charged"),
        Some(Standing::Declined) => json!("declined"),
        Some(Standing::Voided) => json!("voided"),
    };
    Json(state).into_response()
}

fn failure() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn charge(State(books): State<Books>, Json(request): Json<Request>) -> Response {
    books.write(&request, GatewayEvent::Asked);
    let token = request.token.clone().unwrap_or_default();
    let (token, failures) = token.split_once('!').unwrap_or((&token, "0"));
    let failures = failures.parse().unwrap_or_default();
    let parts: Vec<&str> = token.split(':').collect();
    let millis = |text: &str| Duration::from_millis(text.parse().unwrap_or_default());
    match parts[..] {
        ["decline"] => answer(Some(books.end(&request, Standing::Declined, failures))),
        ["refuse"] => match books.end(&request, Standing::Declined, failures) {
            Standing::Declined => Json(json!("refused")).into_response(),
            standing => answer(Some(standing)),
        },
        ["slow", time] => {
            sleep(millis(time)).await;
            answer(Some(books.end(&request, Standing::Charged, failures)))
        }
        ["slow", time, "decline"] => {
            sleep(millis(time)).await;
            answer(Some(books.end(&request, Standing::Declined, failures)))
        }
        ["late", time] => later(books, request, millis(time), failures).await,
        ["lost"] => silence().await,
        ["unanswered"] => {
            books.end(&request, Standing::Charged, failures);
            silence().await
        }
        ["unanswered", "decline"] => {
            books.end(&request, Standing::Declined, failures);
            silence().await
        }
        ["error"] => failure(),
        ["error", "charge"] => {
            books.end(&request, Standing::Charged, failures);
            failure()
        }
        ["pending", time] => {
            books.end(&request, Standing::Pending, failures);
            afterwards(books, request, millis(time), failures);
            Json(json!("pending")).into_response()
        }
        ["act"] => {
            books.end(&request, Standing::Pending, failures);
            Json(json!({ "action": ACTION_TIME })).into_response()
        }
        ["act", time] => {
            books.end(&request, Standing::Pending, failures);
            afterwards(books, request, millis(time), failures);
            Json(json!({ "action": ACTION_TIME })).into_response()
        }
        _ => answer(Some(books.end(&request, Standing::Charged, failures))),
    }
}

/// Charges later, whoever has hung up in between.
fn afterwards(books: Books, request: Request, time: Duration, failures: u32) {
    tokio::spawn(async move {
        sleep(time).await;
        books.end(&request, Standing::Charged, failures);
    });
}

async fn later(books: Books, request: Request, time: Duration, failures: u32) -> Response {
    afterwards(books, request, time, failures);
    silence().await
}

async fn silence() -> Response {
    sleep(SILENCE).await;
    failure()
}

async fn look_up(State(books): State<Books>, Json(request): Json<Request>) -> Response {
    if books.fails(request.payment) {
        return failure();
    }
    let standing = books.open().get(&request.payment).map(|charge| charge.standing);
    answer(standing)
}

async fn void(State(books): State<Books>, Json(request): Json<Request>) -> Response {
    if books.fails(request.payment) {
        return failure();
    }
    answer(Some(books.end(&request, Standing::Voided, 0)))
}
