//! An accepted operation, executed: one answer, or the results of a subscription one after the other, as far as the limits on
//! answers and times allow. How they are sent is the transports' business.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use crate::graphql::{ApiSchema, Budget, Stopped};
use crate::observability::metrics::{self, Open};
use crate::supervision::owned;

use super::Served;
use super::operation::{Accepted, Answer, answer};
use super::wire::Place;

/// Executes a query or a mutation, as far as its answer may be made.
///
/// # Errors
/// Why it was not executed to its end.
pub async fn execute(schema: &ApiSchema, request: Request, budget: &Budget) -> Result<Response, Stopped> {
    tokio::select! {
        biased;
        response = schema.execute(request) => Ok(response),
        stopped = budget.stopped() => Err(stopped),
    }
}

/// Counts an operation with one answer.
pub fn count(kind: OperationType) {
    metrics::request(if kind == OperationType::Mutation { "mutation" } else { "query" });
}

/// The results of an operation, one at a time: the next is worked out when the last one was taken. What has one answer is
/// answered when it is due at the latest, and keeps its place until then.
pub fn results(served: &Served, accepted: Accepted, due: Instant, place: Place) -> BoxStream<'static, Answer> {
    match accepted.kind {
        OperationType::Subscription => read(served, accepted, None).boxed(),
        OperationType::Query => {
            count(accepted.kind);
            read(served, accepted, Some((due, place))).boxed()
        }
        OperationType::Mutation => {
            count(accepted.kind);
            change(served, accepted, due, place).boxed()
        }
    }
}

/// Executes a mutation in a task of its own, which goes on when nobody waits for it any more; a shutdown waits for it.
fn change(
    served: &Served,
    accepted: Accepted,
    due: Instant,
    place: Place,
) -> impl Stream<Item = Answer> + Send + use<> {
    let Accepted { kind, request, budget, reservation, sent, span, .. } = accepted;
    let (schema, persisted, most) = (served.schema.clone(), served.persisted.clone(), served.front.wire.room.answer);
    let work = async move {
        let answer = match timeout_at(due, execute(&schema, request, &budget)).await {
            Ok(Ok(response)) => Answer { unsent: reservation.send(most), ..answer(kind, response) },
            Ok(Err(stopped)) => Answer::of_stopped(kind, stopped, most),
            Err(_) => Answer::of_late(kind),
        };
        if let Some((hash, query)) = sent.filter(|_| !answer.is_request_error) {
            persisted.remember(hash, &query);
        }
        drop(place);
        answer
    };
    let (work, open) = (served.app.tasks.spawn(work.instrument(span)), Open::operation());
    stream::once(async move {
        let answer = work.await.unwrap_or_else(|_| Answer::of_panic());
        drop(open);
        answer
    })
}

/// Executes a query, or follows a subscription. A query that came with its hash is remembered with its first result.
///
/// A task of its own does the work. If the results were worked out only as far as somebody takes them, a client that
/// stops reading would leave a query half done, and with it one of the few connections to the database.
fn read(
    served: &Served,
    accepted: Accepted,
    bounded: Option<(Instant, Place)>,
) -> impl Stream<Item = Answer> + Send + use<> {
    let Accepted { kind, request, budget, reservation, mut sent, span, .. } = accepted;
    let persisted = served.persisted.clone();
    let most = served.front.wire.room.answer;
    let (due, place) = bounded.unzip();
    let responses = served.schema.execute_stream(request);
    let answers = stream::unfold(Some((responses, place)), move |running| {
        let (budget, reservation) = (Arc::clone(&budget), Arc::clone(&reservation));
        async move {
            let (mut responses, place) = running?;
            let next = async {
                tokio::select! {
                    biased;
                    response = responses.next() => Ok(response),
                    stopped = budget.stopped() => Err(Box::new(Answer::of_stopped(kind, stopped, most))),
                }
            };
            let next = match due {
                Some(due) => timeout_at(due, next).await.unwrap_or_else(|_| Err(Box::new(Answer::of_late(kind)))),
                None => next.await,
            };
            // A query has one result, and then its place is free.
            drop(place);
            match next {
                Err(stopped) => Some((*stopped, None)),
                Ok(response) => {
                    let answer = Answer { unsent: reservation.send(most), ..answer(kind, response?) };
                    budget.renew();
                    Some((answer, Some((responses, None))))
                }
            }
        }
    });
    let answers = answers.map(move |answer| {
        if let Some((hash, query)) = sent.take_if(|_| !answer.is_request_error) {
            persisted.remember(hash, &query);
        }
        answer
    });
    ahead(Box::pin(answers), span)
}

/// The span ends with the first result: a subscription may go on for days.
fn ahead(
    mut results: impl Stream<Item = Answer> + Send + Unpin + 'static,
    span: Span,
) -> impl Stream<Item = Answer> + Send {
    // Boxed, because a channel keeps room for more than it lets wait, and thousands of these only wait.
    let (sender, receiver) = mpsc::channel::<Box<Answer>>(1);
    let mut span = Some(span);
    let work = owned(async move {
        while let Ok(place) = sender.reserve().await {
            match results.next().instrument(span.take().unwrap_or_else(Span::none)).await {
                Some(result) => place.send(Box::new(result)),
                None => break,
            }
        }
    });
    stream::unfold(Some((receiver, work, Open::operation())), |running| async move {
        let (mut receiver, work, open) = running?;
        match receiver.recv().await {
            Some(result) => Some((*result, Some((receiver, work, open)))),
            None => work.await.is_err().then(|| (Answer::of_panic(), None)),
        }
    })
}
