//! GraphQL over server-sent events, distinct connections mode: one operation per connection, its results as `next`, its end
//! as `complete`; a comment comes before them all. What is wrong with the operation is a result, too, because a client of events cannot read anything else.
//!
//! As on a socket, nothing is queued: the next result is asked for when the last one is on its way. A shutdown, the end
//! of a token, or a restore of older data ends a subscription without `complete`, so that clients come back; a query or a
//! mutation is answered first.

use async_graphql::parser::types::OperationType;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::graphql::{Code, Stopped};
use crate::observability::metrics;

use super::answer_memory::UnsentAnswer;
use super::caller::Caller;
use super::http::accepts;
use super::operation::{Accepted, Answer};
use super::refusal::{full, refuse, too_many_sockets, unauthorized};
use super::wire::Place;
use super::{Served, encode, execution};

/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// What nginx, and others like it, look at to know whether they may gather an answer.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether a client wants events: it accepts them, and either nothing else that we have or its operation is a
/// subscription. Some clients name every media type that they know with every request.
pub fn are_wanted(headers: &HeaderMap, kind: Option<OperationType>) -> bool {
    let takes_json =
        || ["application/json", "application/graphql-response+json"].iter().any(|one| accepts(headers, one));
    accepts(headers, EVENTS) && (kind == Some(OperationType::Subscription) || !takes_json())
}

/// The results of an operation, or what is wrong with it, as they come.
pub fn stream(
    served: &Served,
    headers: &HeaderMap,
    caller: Caller,
    (accepted, due, place_in_flight): (Result<Accepted, Box<Answer>>, Instant, Place),
) -> Response {
    if !served.origins.may_stay(headers) {
        return refuse(StatusCode::FORBIDDEN, Code::Forbidden, "Pages of this origin are not allowed here.");
    }
    if caller.identity.is_over(served.app.clock.now()) {
        return unauthorized("This token has expired.");
    }
    let Some(place) = served.front.wire.sockets.take() else {
        return full("There are too many open sockets. Nothing was executed; try again soon.");
    };
    let seat = match served.seat(&caller.person) {
        Ok(seat) => seat,
        Err(most) => return too_many_sockets(&caller.person, most),
    };
    let every = served.front.wire.times.comment;
    let goes_on = accepted.as_ref().is_ok_and(|accepted| accepted.kind == OperationType::Subscription);
    // Without `complete`, so that the client comes back.
    let broken_off = CancellationToken::new();
    let over = {
        let (served, broken_off) = (served.clone(), broken_off.clone());
        let mut replaced = served.app.hub.watch_replaced();
        async move {
            if !goes_on {
                // What has one answer is answered before the stream ends; that is never later than it is due.
                return std::future::pending().await;
            }
            tokio::select! {
                _ = replaced.changed() => {}
                () = broken_off.cancelled() => {}
                () = served.stop.cancelled() => {}
                () = served.expiry(Some(&caller.identity)) => {}
            }
        }
    };
    let end = stream::once(async { Event::default().event("complete").data("null") });
    let most = served.front.wire.room.answer;
    // Who asks for an event has taken the one before, and gives its memory back before it waits for the next.
    let results = match accepted {
        Err(answer) => stream::once(async { *answer }).boxed(),
        Ok(accepted) => execution::results(served, accepted, due, place_in_flight),
    };
    let taken = (results, None::<UnsentAnswer>);
    let events = stream::unfold(taken, move |(mut results, last)| {
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
    });
    // At once, so that a client knows that the stream is open although nothing may come for long.
    let begin = stream::once(async { Event::default().comment("") });
    let events = begin.chain(events).chain(end).take_until(Box::pin(over)).map(move |event| {
        // The place and the seat are free again when the connection is gone.
        let _ = (&place, &seat);
        Ok::<_, std::convert::Infallible>(event)
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(every)).into_response();
    // No proxy may keep events, change them, or gather them before it passes them on.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    response.headers_mut().insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

fn next(answer: &Answer, most: usize) -> Event {
    metrics::event();
    let text = encode::text(answer, most).or_else(|_| {
        let too_large = Answer::of_stopped(OperationType::Subscription, Stopped::TooLarge, most);
        encode::text(&too_large, most)
    });
    Event::default().event("next").data(text.unwrap_or_default())
}
