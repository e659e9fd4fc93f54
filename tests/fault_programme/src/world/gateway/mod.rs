//! A payment service as another company's system: a process of its own to the servers, with a journal of every movement of money. It
//! speaks the protocol of `docs/payment-service.md`, so that what is broken is the server's own gateway `http`.
//!
//! What it does with a charge, and with what is done to it later, is in the token of the charge, so that every bad way of a
//! payment service can be had: see [`plan`].

mod books;
mod notices;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use checker::journal::{GatewayEvent, Journal};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::signing;
use books::{Books, Request, Standing};
use notices::Notices;
use plan::{Charging, Plan, Way};

/// What messages are signed with.
pub const SECRET: &str = "the-secret-of-the-fault-programme";

/// The header of signatures.
pub const SIGNATURE: &str = "onhand-signature";

/// How long a shopper has to act, in seconds: the shortest time that a server accepts.
const ACTION_TIME: u64 = 10;

/// How long a request hangs that is never answered: longer than any server waits.
const SILENCE: Duration = Duration::from_secs(30);

/// The payment service.
#[derive(Debug)]
pub struct Gateway {
    /// Its address.
    pub url: String,
    notices: Notices,
    tasks: Vec<JoinHandle<()>>,
}

/// A request that has come, and the time of its signature.
#[derive(Debug, Clone)]
struct Asked {
    request: Request,
    seconds: i64,
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
        let notices = Notices::new()?;
        let routes = Router::new().route("/pay", post(answer)).with_state(Books::new(journal, notices.clone()));
        let serve = |listener| {
            let routes = routes.clone();
            tokio::spawn(async move {
                // It ends with the scenario.
                let _ = axum::serve(listener, routes).await;
            })
        };
        let tasks = listeners.into_iter().map(serve).collect();
        Ok(Self { url: format!("http://{here}/pay"), notices, tasks })
    }

    /// Pushes results to this server too from now on.
    pub fn tell(&self, server: &str) {
        self.notices.add(server);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn answer(State(books): State<Books>, headers: HeaderMap, body: Bytes) -> Response {
    let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(seconds) = signing::time_of(SECRET, header, &body) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(request) = serde_json::from_slice::<Request>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let asked = Asked { request, seconds };
    match asked.request.action.as_str() {
        "charge" => charge(books, asked).await,
        "look_up" | "void" if books.fails(asked.request.payment) => failure(),
        "look_up" => asked.say(books.look_up(&asked.request)),
        "void" => {
            let way = books.way_of_void(&asked.request);
            operate(books, asked, way, |books, request| books.end(request, Standing::Voided)).await
        }
        "capture" | "refund" => {
            let way = books.way_of(&asked.request);
            operate(books, asked, way, Books::move_money).await
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

impl Asked {
    /// Says this. It is signed at the time of the request, by the clock of whoever asks, which may jump.
    fn say(&self, mut said: Value) -> Response {
        let Request { id, payment, operation, amount, currency, .. } = &self.request;
        said["request"] = id.clone().into();
        said["payment"] = checker::id::id("payment", *payment).into();
        said["operation"] = operation.clone().into();
        said["amount"] = (*amount).into();
        said["currency"] = currency.clone().into();
        said["reference"] = format!("service-{payment}").into();
        let body = said.to_string();
        let signed = signing::sign(SECRET, body.as_bytes(), self.seconds);
        ([(SIGNATURE, signed)], body).into_response()
    }
}

fn failure() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn silence() -> Response {
    sleep(SILENCE).await;
    failure()
}

/// Does something later, whoever has hung up in between.
fn afterwards(books: Books, request: Request, time: Duration, does: fn(&Books, &Request) -> Value) {
    tokio::spawn(async move {
        sleep(time).await;
        does(&books, &request);
    });
}

/// Takes or reserves the money.
fn succeed(books: &Books, request: &Request) -> Value {
    let is_reserved = request.method == "authorize";
    books.end(request, if is_reserved { Standing::Authorized } else { Standing::Charged })
}

fn decline(books: &Books, request: &Request) -> Value {
    books.end(request, Standing::Declined)
}

async fn charge(books: Books, asked: Asked) -> Response {
    let request = &asked.request;
    let Plan { charging, failures, ways } = Plan::read(request.token.as_deref().unwrap_or_default());
    books.write(request, GatewayEvent::Asked);
    books.plan(request, failures, ways);
    match charging {
        Charging::Declined(way) => operate(books, asked, way, decline).await,
        Charging::Lost => silence().await,
        Charging::Acts(after) => {
            books.begin(request);
            if let Some(after) = after {
                afterwards(books, request.clone(), after, succeed);
            }
            asked.say(json!({
                "state": "action_required", "action": { "client_secret": "secret", "expires_in": ACTION_TIME },
            }))
        }
        Charging::Paid(way) => {
            if matches!(way, Way::Pending(_)) {
                books.begin(request);
            }
            operate(books, asked, way, succeed).await
        }
    }
}

/// Does what is asked for in some way.
async fn operate(books: Books, asked: Asked, way: Way, does: fn(&Books, &Request) -> Value) -> Response {
    let request = &asked.request;
    match way {
        Way::Done(time) => {
            sleep(time).await;
            asked.say(does(&books, request))
        }
        Way::Late(time) => {
            afterwards(books, request.clone(), time, does);
            silence().await
        }
        Way::Unanswered => {
            does(&books, request);
            silence().await
        }
        Way::Error => failure(),
        Way::ErrorAfter => {
            does(&books, request);
            failure()
        }
        Way::Pending(time) => {
            afterwards(books, request.clone(), time, does);
            asked.say(json!({ "state": "pending" }))
        }
        Way::StillPending => asked.say(json!({ "state": "pending" })),
        Way::Refused => {
            let said = books.refuse(request);
            asked.say(said)
        }
    }
}
