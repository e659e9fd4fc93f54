//! The operations of one socket: started, answered, and removed. What they do is the schema's business.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::Message;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_stream::StreamMap;
use uuid::Uuid;

use crate::faults::{self, Point};
use crate::graphql::document::Delivery;
use crate::graphql::{Code, Stopped};
use crate::observability::metrics;

use super::super::Identity;
use super::super::caller::Caller;
use super::super::concurrency::ConcurrencyPermit;
use super::super::encode::{self, EncodeError};
use super::super::error_response::{OVERLOADED, Problem};
use super::super::execution::results;
use super::super::operation::{Answer, Operation, PreparedOperation};
use super::at_once::AtOnce;
use super::close::Close;
use super::connection::Connection;

/// Maximum length of the id of an operation, in bytes.
const MAX_ID: usize = 255;

/// What an operation yields.
pub enum Event {
    /// A result that was rendered before.
    Rendered(Arc<RawValue>),
    /// Any other result.
    Result(OperationType, Box<Answer>),
    /// There are no more results.
    End,
}

/// Operations by the ids that their client gave them.
pub type Operations = StreamMap<String, BoxStream<'static, Event>>;

/// A `next` message. Its fields keep their order.
#[derive(Serialize)]
pub struct Next<'a, T: ?Sized> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    payload: &'a T,
}

impl<'a, T: ?Sized> Next<'a, T> {
    /// Returns the message with a result of the operation with this id.
    pub const fn new(id: &'a str, payload: &'a T) -> Self {
        Self { kind: "next", id, payload }
    }
}

impl Connection {
    /// Starts an operation, or sends the errors for which it is refused.
    pub(super) async fn subscribe(
        &mut self,
        id: String,
        operation: Result<Operation, Problem>,
        identity: Identity,
    ) -> Result<(), Close> {
        faults::reach(Point::SocketReceived, Uuid::nil()).await;
        if self.subscriptions.contains_key(&id) || self.requests.contains_key(&id) {
            return Err(Close::frame(4409, "Subscriber for this id already exists"));
        }
        if self.pending_close.is_some() {
            // Not executed and not answered: so its client sends it again over its next connection.
            return Ok(());
        }
        let operation = operation.and_then(|operation| {
            let message = format!("The id of an operation has at most {MAX_ID} bytes.");
            if id.len() <= MAX_ID { Ok(operation) } else { Err(Problem::new(Code::LimitExceeded, message)) }
        });
        match self.prepare(operation, identity) {
            Ok((prepared, due, permit)) => {
                faults::reach(Point::SocketPrepared, Uuid::nil()).await;
                let kind = prepared.kind;
                let at_once = prepared.shared.is_some().then(|| self.at_once(&id));
                let results = results(&self.state, prepared, due, permit, at_once);
                let events = results.map(move |answer| match answer.rendered {
                    Some(rendered) => Event::Rendered(rendered),
                    None => Event::Result(kind, Box::new(answer)),
                });
                let events = events.chain(stream::once(async { Event::End })).boxed();
                let is_subscription = kind == OperationType::Subscription;
                if is_subscription { &mut self.subscriptions } else { &mut self.requests }.insert(id, events);
                Ok(())
            }
            Err(errors) => self.send_error(&id, &errors).await,
        }
    }

    /// Checks an operation and charges it; with it, when it is due and its permit.
    ///
    /// # Errors
    /// The errors for which it is refused.
    fn prepare(
        &self,
        operation: Result<Operation, Problem>,
        identity: Identity,
    ) -> Result<(PreparedOperation, Instant, ConcurrencyPermit), Value> {
        let due = Instant::now() + self.timeouts.request;
        let rate_limited = |error| errors(&Problem::of_rate_limit(error));
        self.state.charge_request(&self.client).map_err(rate_limited)?;
        let counted = |problem: Problem| {
            metrics::refusal(problem.code.as_str());
            errors(&problem)
        };
        let operation = operation.map_err(counted)?;
        let transport = &self.state.config.transport;
        let most = transport.sizes.operations;
        if self.subscriptions.len() + self.requests.len() >= most {
            let message = format!("At most {most} operations run on one socket.");
            return Err(errors(&Problem::new(Code::LimitExceeded, message)));
        }
        let Some(permit) = transport.requests.try_acquire() else {
            return Err(counted(Problem::new(Code::Overloaded, OVERLOADED)));
        };
        let reservation = self.state.reserve_answer(&self.client, self.tcp());
        let viewer = self.state.viewer(identity.clone(), self.client.clone());
        let prepared = operation
            .prepare(&self.state, viewer, reservation, Delivery::Repeated)
            .map_err(|refused| json!(refused.response.errors))?;
        let caller = Caller { identity, client: self.client.clone(), address: self.address };
        self.state.charge(&caller, &prepared).map_err(rate_limited)?;
        Ok((prepared, due, permit))
    }

    /// A way to write results of this operation without this task.
    fn at_once(&self, id: &str) -> AtOnce {
        AtOnce::new(Arc::clone(self.tcp()), id, self.state.config.transport.sizes.answer, self.timeouts.write)
    }

    /// Removes an operation. A mutation is finished all the same.
    pub(super) fn remove(&mut self, id: &str) {
        self.subscriptions.remove(id);
        self.requests.remove(id);
    }

    /// Sends what an operation yields.
    pub(super) async fn deliver(&mut self, id: String, event: Event) -> Result<(), Close> {
        match event {
            // A request error ends its operation, and nothing follows it.
            Event::Result(_, answer) if answer.is_request_error => {
                self.remove(&id);
                self.send_error(&id, &json!(answer.response.errors)).await
            }
            Event::Result(_, answer) if answer.is_broken_off => self.finish(Close::frame(1013, "Try again later")),
            Event::Rendered(rendered) => {
                faults::reach(Point::SocketTaken, Uuid::nil()).await;
                let text = self.encode(&id, &rendered);
                self.send_text(&id, text).await
            }
            Event::Result(kind, answer) => {
                faults::reach(Point::SocketTaken, Uuid::nil()).await;
                let text = self.encode_result(&id, kind, &answer);
                self.send_text(&id, text).await
            }
            Event::End => {
                self.remove(&id);
                self.send(&json!({ "type": "complete", "id": id })).await
            }
        }
    }

    fn encode_result(&self, id: &str, kind: OperationType, answer: &Answer) -> Result<String, EncodeError> {
        let text = self.encode(id, answer);
        if text.is_err() && kind == OperationType::Mutation {
            // It was executed all the same, and its answer says so.
            let most = self.state.config.transport.sizes.answer;
            return self.encode(id, &Answer::of_stopped(kind, Stopped::TooLarge, most));
        }
        text
    }

    fn encode(&self, id: &str, payload: &impl Serialize) -> Result<String, EncodeError> {
        encode::text(&Next::new(id, payload), self.state.config.transport.sizes.answer)
    }

    async fn send_text(&mut self, id: &str, text: Result<String, EncodeError>) -> Result<(), Close> {
        self.sent.increment(1);
        let Ok(text) = text else {
            self.remove(id);
            let most = self.state.config.transport.sizes.answer / 1_024;
            let message = format!("A result has at most {most} kB.");
            return self.send_error(id, &errors(&Problem::new(Code::LimitExceeded, message))).await;
        };
        faults::reach(Point::SocketEncoded, Uuid::nil()).await;
        self.write(Message::Text(text.into())).await
    }

    async fn send_error(&mut self, id: &str, errors: &Value) -> Result<(), Close> {
        self.send(&json!({ "type": "error", "id": id, "payload": errors })).await
    }
}

/// Returns the payload of an `error` message with one error.
fn errors(problem: &Problem) -> Value {
    json!([{ "message": problem.message, "extensions": { "code": problem.code.as_str() } }])
}
