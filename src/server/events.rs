//! GraphQL over server-sent events, distinct connections mode: one operation per connection, its results as `next`, its end
//! as `complete`, after a first comment. A refused operation is a result, too: clients of events cannot read anything else.
//!
//! As on a socket, nothing is queued: the next result is requested when the last one is on its way. A shutdown, the expiry
//! of a token, or a restore of older data ends a subscription without `complete`, so that clients reconnect; a query or a
//! mutation is answered first.

use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::graphql::{Code, Stopped};
use crate::observability::metrics;

use super::answer_memory::UnsentAnswer;
use super::auth::Identity;
use super::caller::Caller;
use super::concurrency::ConcurrencyPermit;
use super::error_response::{error_response, overloaded, too_many_sockets, unauthorized};
use super::negotiation::accepts;
use super::operation::{Answer, PreparedOperation};
use super::{ServerState, encode, execution};

/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// The header that tells nginx and similar proxies not to buffer a response.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What the events come from.
pub struct Source {
    /// The operation, or the answer that says why it is refused.
    pub outcome: Result<PreparedOperation, Box<Answer>>,
    /// When a query or a mutation is due.
    pub due: Instant,
    /// Its permit among the requests in flight.
    pub permit: ConcurrencyPermit,
}

/// Returns whether a client wants events: it accepts them, and either nothing else that the server has or its operation is
/// a subscription. Some clients name every media type that they know with every request.
pub fn are_wanted(headers: &HeaderMap, kind: Option<OperationType>) -> bool {
    let accepts_json =
        || ["application/json", "application/graphql-response+json"].iter().any(|one| accepts(headers, one));
    accepts(headers, EVENTS) && (kind == Some(OperationType::Subscription) || !accepts_json())
}

/// Returns the response that streams the results of an operation, or what is wrong with it.
pub fn stream(state: &Arc<ServerState>, headers: &HeaderMap, caller: Caller, source: Source) -> Response {
    if !state.origins.may_connect(headers) {
        let message = "Pages of this origin are not allowed here.";
        return error_response(StatusCode::FORBIDDEN, Code::Forbidden, message);
    }
    if caller.identity.is_expired(state.app.clock.now()) {
        return unauthorized("This token has expired.");
    }
    let Some(permit) = state.config.transport.sockets.try_acquire() else {
        return overloaded("There are too many open sockets. Nothing was executed; try again soon.");
    };
    let client_permit = match state.acquire_socket(&caller.client) {
        Ok(permit) => permit,
        Err(most) => return too_many_sockets(&caller.client, most),
    };
    let Source { outcome, due, permit: request_permit } = source;
    let is_subscription = outcome.as_ref().is_ok_and(|prepared| prepared.kind == OperationType::Subscription);
    // Cancelled when a subscription ends without `complete`, so that the client reconnects.
    let broken_off = CancellationToken::new();
    let over = ended(Arc::clone(state), caller.identity, is_subscription, broken_off.clone());
    let results = match outcome {
        Err(answer) => stream::once(async { *answer }).boxed(),
        Ok(prepared) => execution::results(state, prepared, due, request_permit, None),
    };
    let most = state.config.transport.sizes.answer;
    // At once, so that a client knows that the stream is open although there may be no result for long.
    let first = stream::once(async { Event::default().comment("") });
    let complete = stream::once(async { Event::default().event("complete").data("null") });
    let events = first.chain(events(results, most, broken_off)).chain(complete).take_until(Box::pin(over));
    let events = events.map(move |event| {
        // Released when the connection is gone.
        let _ = (&permit, &client_permit);
        Ok::<_, Infallible>(event)
    });
    let keep_alive = KeepAlive::new().interval(state.config.transport.timeouts.comment);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // No proxy may store events, change them, or buffer them.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    response.headers_mut().insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Returns a future that waits until a subscription has to end without `complete`. A query or a mutation is answered first, when it is due at the
/// latest, so for those it waits for ever.
fn ended(
    state: Arc<ServerState>,
    identity: Identity,
    is_subscription: bool,
    broken_off: CancellationToken,
) -> impl Future<Output = ()> + Send {
    // Subscribed to here and not in the future, so that nothing is missed before it is first polled.
    let mut replaced = state.app.hub.watch_data_replaced();
    async move {
        if !is_subscription {
            return std::future::pending().await;
        }
        tokio::select! {
            _ = replaced.changed() => {}
            () = broken_off.cancelled() => {}
            () = state.stop.cancelled() => {}
            () = state.expiry(Some(&identity)) => {}
        }
    }
}

/// Returns the events of these results. Whoever asks for an event has sent the one before, whose memory is released before
/// the next is awaited.
fn events(
    results: BoxStream<'static, Answer>,
    most: usize,
    broken_off: CancellationToken,
) -> impl Stream<Item = Event> + Send {
    stream::unfold((results, None::<UnsentAnswer>), move |(mut results, last)| {
        let broken_off = broken_off.clone();
        async move {
            drop(last);
            let mut answer = results.next().await?;
            if answer.is_broken_off {
                broken_off.cancel();
                return std::future::pending().await;
            }
            let last = answer.unsent.take();
            Some((next(&answer, most), (results, last)))
        }
    })
}

/// Returns the event with this answer.
fn next(answer: &Answer, most: usize) -> Event {
    metrics::events().increment(1);
    let text = encode::text(answer, most).or_else(|_| {
        let too_large = Answer::of_stopped(OperationType::Subscription, Stopped::TooLarge, most);
        encode::text(&too_large, most)
    });
    Event::default().event("next").data(text.unwrap_or_default())
}
