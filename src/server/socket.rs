//! GraphQL over a websocket: graphql-transport-ws, one loop per connection, fair between its operations.
//!
//! Nothing is queued for a slow reader: an operation is only asked for its next result when the last one is written, so
//! that a subscription skips to its newest value. A write that takes too long ends the connection. A mutation goes on to its
//! end whatever becomes of the connection.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_stream::StreamMap;

use crate::graphql::document::Delivery;
use crate::graphql::{Code, Stopped};
use crate::observability::metrics::{self, Open};
use domain::actor::Actor;

use super::auth::BadToken;
use super::caller::Caller;
use super::connections::Connection as TcpConnection;
use super::end::End;
use super::execution::results;
use super::message::FromClient;
use super::operation::{Answer, Operation};
use super::person::Person;
use super::refusal::{Fault, OVERLOADED, full, refuse, sockets_told, told, too_many_sockets, too_much, unauthorized};
use super::seats::Seat;
use super::wire::Timeouts;
use super::{Identity, Served, encode};

/// The one sub-protocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// Buffer for reading, per socket, in bytes. What most clients send fits, and it grows for what does not.
const READ_BUFFER: usize = 1_024;
/// What is said to a token that is not good.
const BAD_TOKEN: &str = "Forbidden: this token is not good";
/// Names under which other servers take a token.
const MISNAMED: [&str; 3] = ["authToken", "token", "accessToken"];
/// Longest id of an operation, in bytes.
const MAX_ID: usize = 255;

/// A result as it is sent. Its fields keep their order.
#[derive(Serialize)]
struct Next<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    payload: &'a Answer,
}

enum Event {
    Result(OperationType, Box<Answer>),
    End,
}

/// The operations of a connection, by the ids that its client gave them.
type Operations = StreamMap<String, BoxStream<'static, Event>>;

/// There are thousands of these, and most of them only listen. So what is rarely needed is not kept in the loop of each:
/// it is allocated when it is needed.
struct Connection {
    socket: WebSocket,
    below: Arc<TcpConnection>,
    served: Arc<Served>,
    times: Timeouts,
    address: IpAddr,
    /// Who it is counted for: the guests at its address, until it has said who it is.
    person: Person,
    seat: Option<Seat>,
    identity: Option<Identity>,
    /// Who the token of the handshake says that it is.
    announced: Option<Box<Identity>>,
    subscriptions: Operations,
    /// Queries and mutations, which have one answer.
    requests: Operations,
    /// Why it ends as soon as what has one answer is answered.
    farewell: Option<Box<End>>,
    _open: Open,
    last_heard: Instant,
}

/// Takes a connection over, unless a page of another origin asks for it or there are too many.
pub fn upgrade(
    served: Served,
    headers: &HeaderMap,
    (address, connection): (IpAddr, Arc<TcpConnection>),
    upgrade: WebSocketUpgrade,
) -> Response {
    if !served.origins.may_stay(headers) {
        return refuse(StatusCode::FORBIDDEN, Code::Forbidden, "Pages of this origin may not open a websocket here.");
    }
    // A client that is no browser may send its token already; until a token has come, it counts for the guests at its address.
    let announced = match announced(&served, headers) {
        Ok(announced) => announced,
        Err(refused) => {
            if let Err(refused) = served.begin(&Person::guests(address)) {
                return too_much(refused);
            }
            return *refused;
        }
    };
    let person = announced.as_ref().map_or_else(|| Person::guests(address), |one| Person::of(&one.actor, address));
    if let Err(refused) = served.begin(&person) {
        return too_much(refused);
    }
    let seat = match served.seat(&person) {
        Ok(seat) => seat,
        Err(most) => return too_many_sockets(&person, most),
    };
    let Some(place) = served.front.wire.sockets.take() else {
        return full("There are too many open sockets; try again soon.");
    };
    let served = Arc::new(served);
    let max_message = served.front.wire.room.message;
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(max_message)
        .max_frame_size(max_message)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |socket| async move {
            Box::pin(run(socket, served, (address, connection), (person, seat, announced))).await;
            drop(place);
        })
}

/// Who sends a handshake, when it has a token.
fn announced(served: &Served, headers: &HeaderMap) -> Result<Option<Identity>, Box<Response>> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let admitted = served.front.gate.admit_headers(headers);
    let identity = admitted.map_err(|BadToken| Box::new(served.bad_token(headers)))?;
    if identity.is_over(served.app.clock.now()) {
        return Err(Box::new(unauthorized("This token has expired.")));
    }
    // Without a token in the header nobody has said yet who they are.
    Ok(Some(identity).filter(|identity| identity.actor != Actor::Guest))
}

async fn run(
    socket: WebSocket,
    served: Arc<Served>,
    (address, below): (IpAddr, Arc<TcpConnection>),
    (person, seat, announced): (Person, Option<Seat>, Option<Identity>),
) {
    let is_ours = socket.protocol().is_some_and(|protocol| protocol.as_bytes() == PROTOCOL.as_bytes());
    let times = served.front.wire.times;
    let mut connection = Connection {
        socket,
        below,
        served,
        times,
        address,
        person,
        seat,
        identity: None,
        announced: announced.map(Box::new),
        subscriptions: StreamMap::new(),
        requests: StreamMap::new(),
        farewell: None,
        last_heard: Instant::now(),
        _open: Open::socket(),
    };
    let end = if is_ours {
        connection.serve().await
    } else {
        End::closed(4406, "Subprotocol not acceptable: use graphql-transport-ws")
    };
    // What it watches and its seat are let go before the farewell, which may take a while.
    connection.subscriptions.clear();
    connection.requests.clear();
    connection.seat = None;
    if let End::Closed(code, reason) = end {
        let close = CloseFrame { code, reason: reason.into_owned().into() };
        // The client may be gone; there is nobody to tell then.
        let _ = timeout(times.write, connection.socket.send(Message::Close(Some(close)))).await;
    }
}

impl Connection {
    async fn serve(&mut self) -> End {
        let (stop, below) = (self.served.stop.clone(), Arc::clone(&self.below));
        let mut replaced = self.served.app.hub.watch_replaced();
        let hello = Instant::now() + self.times.init;
        let mut pings = interval_at(Instant::now() + self.times.ping, self.times.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.requests.is_empty()
                && let Some(end) = self.farewell.take()
            {
                return *end;
            }
            let goes_on = self.farewell.is_none();
            let step = tokio::select! {
                message = self.socket.recv() => Box::pin(self.hear(message)).await,
                Some((id, event)) = self.requests.next(), if !self.requests.is_empty() => self.tell(id, event).await,
                Some((id, event)) = self.subscriptions.next(), if !self.subscriptions.is_empty() => self.tell(id, event).await,
                _ = pings.tick() => self.write(Message::Ping(axum::body::Bytes::new())).await,
                () = sleep_until(self.last_heard + self.times.silence) => Err(End::Gone),
                () = sleep_until(hello), if self.identity.is_none() => Err(End::closed(4408, "Connection initialisation timeout")),
                () = below.ended() => Err(End::Gone),
                () = self.served.expiry(self.identity.as_ref()), if goes_on => self.finish(End::closed(4403, "Forbidden")),
                () = stop.cancelled(), if goes_on => self.finish(End::closed(1001, "The server is going away")),
                _ = replaced.changed(), if goes_on => self.finish(End::closed(1012, "The data was restored; subscribe again")),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Ends what goes on, and begins nothing any more; what has one answer is answered first, when it is due at the latest.
    #[expect(clippy::unnecessary_wraps, reason = "it is a step among others that may fail")]
    fn finish(&mut self, end: End) -> Result<(), End> {
        self.subscriptions.clear();
        self.farewell = Some(Box::new(end));
        Ok(())
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.last_heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => match FromClient::read(&text) {
                Ok(message) => self.obey(message).await,
                Err(why) => Err(End::closed(4400, why)),
            },
            Some(Ok(Message::Binary(_))) => Err(End::closed(4400, "Binary frames are not supported")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => {
                // Hearing on sends the reply that ends it cleanly; a client that is gone already needs none.
                let _ = timeout(self.times.write, self.socket.recv()).await;
                Err(End::Gone)
            }
            Some(Err(error)) => Err(End::of_fault(error, self.served.front.wire.room.message)),
            None => Err(End::Gone),
        }
    }

    async fn obey(&mut self, message: FromClient) -> Result<(), End> {
        match message {
            FromClient::ConnectionInit(_) if self.identity.is_some() => {
                Err(End::closed(4429, "Too many initialisation requests"))
            }
            FromClient::ConnectionInit(payload) => {
                self.identify(&payload)?;
                self.send(&json!({ "type": "connection_ack" })).await
            }
            FromClient::Ping(Some(payload)) => {
                // As it came, to the letter.
                self.write(Message::Text(format!("{{\"type\":\"pong\",\"payload\":{}}}", payload.get()).into())).await
            }
            FromClient::Ping(None) => self.send(&json!({ "type": "pong" })).await,
            FromClient::Pong => Ok(()),
            FromClient::Subscribe(id, payload) => match self.identity.clone() {
                None => Err(End::closed(4401, "Unauthorized")),
                Some(identity) => self.subscribe(id, payload, identity).await,
            },
            FromClient::Complete(id) => {
                self.forget(&id);
                Ok(())
            }
        }
    }

    /// Finds out who it is, and counts it for them from now on.
    fn identify(&mut self, payload: &serde_json::Map<String, Value>) -> Result<(), End> {
        let gate = &self.served.front.gate;
        let announced = self.announced.take().map(|announced| *announced);
        let sent = sent_token(payload)?;
        if sent.is_none() && announced.is_none() && !gate.is_development() && has_misnamed_token(payload) {
            return Err(End::closed(4403, "Forbidden: send the token as \"Authorization\": \"Bearer …\""));
        }
        let identity = match (sent, announced) {
            (None, Some(announced)) => announced,
            (sent, announced) => {
                let identity = gate.admit(sent).map_err(|BadToken| {
                    if gate.lacks_keys() {
                        End::closed(1013, "The keys could not be read yet; try again")
                    } else {
                        End::closed(4403, BAD_TOKEN)
                    }
                })?;
                if announced.is_some_and(|announced| announced.actor != identity.actor) {
                    let why = "Forbidden: this is somebody else than the token of the handshake says";
                    return Err(End::closed(4403, why));
                }
                identity
            }
        };
        if identity.is_over(self.served.app.clock.now()) {
            return Err(End::closed(4403, "Forbidden: this token has expired"));
        }
        let person = Person::of(&identity.actor, self.address);
        if person != self.person {
            self.seat = self.served.seat(&person).map_err(|most| End::closed(4429, sockets_told(&person, most)))?;
            self.person = person;
        }
        self.identity = Some(identity);
        Ok(())
    }

    async fn subscribe(
        &mut self,
        id: String,
        operation: Result<Operation, Fault>,
        identity: Identity,
    ) -> Result<(), End> {
        if self.subscriptions.contains_key(&id) || self.requests.contains_key(&id) {
            return Err(End::closed(4409, "Subscriber for this id already exists"));
        }
        if self.farewell.is_some() {
            // Without a word, and not executed: so its client sends it again over its next connection.
            return Ok(());
        }
        let operation = operation.and_then(|operation| {
            let message = format!("The id of an operation has at most {MAX_ID} bytes.");
            if id.len() <= MAX_ID { Ok(operation) } else { Err((Code::LimitExceeded, message)) }
        });
        match self.begin(operation, identity) {
            Ok((kind, results)) => {
                let events = results.map(move |answer| Event::Result(kind, Box::new(answer)));
                let events = events.chain(stream::once(async { Event::End })).boxed();
                let goes_on = kind == OperationType::Subscription;
                if goes_on { &mut self.subscriptions } else { &mut self.requests }.insert(id, events);
                Ok(())
            }
            Err(errors) => self.send(&json!({ "type": "error", "id": id, "payload": errors })).await,
        }
    }

    /// Begins an operation, if it may be executed.
    fn begin(
        &self,
        operation: Result<Operation, Fault>,
        identity: Identity,
    ) -> Result<(OperationType, BoxStream<'static, Answer>), Value> {
        let due = Instant::now() + self.times.request;
        let refuse = |refused| {
            let (code, message) = told(refused);
            errors(code, &message)
        };
        self.served.begin(&self.person).map_err(refuse)?;
        let operation = operation.map_err(|(code, message)| {
            metrics::refusal(code.as_str());
            errors(code, &message)
        })?;
        let most = self.served.front.wire.room.operations;
        if self.subscriptions.len() + self.requests.len() >= most {
            return Err(errors(Code::LimitExceeded, &format!("At most {most} operations run on one socket.")));
        }
        let Some(place) = self.served.front.wire.requests.take() else {
            metrics::refusal(Code::Overloaded.as_str());
            return Err(errors(Code::Overloaded, OVERLOADED));
        };
        let reservation = self.served.reservation(&self.person, &self.below);
        let viewer = self.served.viewer(identity.clone(), self.person.clone());
        let accepted = operation
            .accept(&self.served, viewer, reservation, Delivery::Repeated)
            .map_err(|refused| json!(refused.response.errors))?;
        let caller = Caller { identity, person: self.person.clone(), address: self.address };
        self.served.charge(&caller, &accepted).map_err(refuse)?;
        Ok((accepted.kind, results(&self.served, accepted, due, place)))
    }

    /// Forgets an operation. A mutation goes on.
    fn forget(&mut self, id: &str) {
        self.subscriptions.remove(id);
        self.requests.remove(id);
    }

    async fn tell(&mut self, id: String, event: Event) -> Result<(), End> {
        match event {
            // A request error ends its operation, and nothing follows it.
            Event::Result(_, answer) if answer.is_request_error => {
                self.forget(&id);
                self.send(&json!({ "type": "error", "id": id, "payload": answer.response.errors })).await
            }
            Event::Result(_, answer) if answer.is_broken_off => self.finish(End::closed(1013, "Try again later")),
            Event::Result(kind, answer) => {
                metrics::event();
                let most = self.served.front.wire.room.answer;
                let encode = |payload| encode::text(&Next { kind: "next", id: &id, payload }, most);
                let mut text = encode(&answer);
                if text.is_err() && kind == OperationType::Mutation {
                    // It was executed all the same, and its answer says so.
                    text = encode(&Answer::of_stopped(kind, Stopped::TooLarge, most));
                }
                let Ok(text) = text else {
                    self.forget(&id);
                    let message = format!("A result has at most {} kB.", most / 1_024);
                    let errors = errors(Code::LimitExceeded, &message);
                    return self.send(&json!({ "type": "error", "id": id, "payload": errors })).await;
                };
                self.write(Message::Text(text.into())).await
            }
            Event::End => {
                self.forget(&id);
                self.send(&json!({ "type": "complete", "id": id })).await
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), End> {
        self.write(Message::Text(message.to_string().into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let sent = tokio::select! {
            sent = timeout(self.times.write, self.socket.send(message)) => sent.ok(),
            () = self.below.ended() => None,
        };
        if let Some(Ok(())) = sent { Ok(()) } else { Err(End::Gone) }
    }
}

/// The value of `Authorization` in the payload of `connection_init`, or among the `headers` there: some clients send it
/// under several spellings, and with nothing in it when nobody has signed in.
fn sent_token(payload: &serde_json::Map<String, Value>) -> Result<Option<&str>, End> {
    let mut sent = None;
    for (name, value) in members(payload) {
        if !name.eq_ignore_ascii_case("authorization") || value.is_null() {
            continue;
        }
        let text = value.as_str().ok_or_else(|| End::closed(4403, BAD_TOKEN))?.trim();
        if text.is_empty() {
            continue;
        }
        if sent.replace(text).is_some_and(|other| other != text) {
            return Err(End::closed(4403, "Forbidden: there are two tokens that differ"));
        }
    }
    Ok(sent)
}

/// Whether there is a token where other servers look for it: its sender does not mean to be a guest.
fn has_misnamed_token(payload: &serde_json::Map<String, Value>) -> bool {
    let is_one = |name: &str| MISNAMED.iter().any(|one| name.eq_ignore_ascii_case(one));
    members(payload).any(|(name, value)| is_one(name) && value.as_str().is_some_and(|text| !text.trim().is_empty()))
}

/// What a payload has, and what is among its `headers`.
fn members(payload: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let headers = payload.iter().filter(|(name, _)| name.eq_ignore_ascii_case("headers"));
    payload.iter().chain(headers.filter_map(|(_, headers)| headers.as_object()).flatten())
}

/// The payload of an error with one cause.
fn errors(code: Code, message: &str) -> Value {
    json!([{ "message": message, "extensions": { "code": code.as_str() } }])
}
