//! An accepted operation, executed: one answer, or the results of a subscription one after the other, as far as the limits on
//! answers and times allow. How they are sent is the transports' business.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use crate::graphql::{Budget, Stopped};
use crate::telemetry::Open;

use super::Served;
use super::operation::{Accepted, Answer, answer};

/// Executes a query or a mutation, as far as its answer may be made.
///
/// # Errors
/// Why it was not executed to its end.
pub async fn execute(served: &Served, request: Request, budget: &Budget) -> Result<Response, Stopped> {
    tokio::select! {
        biased;
        response = served.schema.execute(request) => Ok(response),
        stopped = budget.stopped() => Err(stopped),
    }
}

/// The results of an operation, one at a time: the next is worked out when the last one was taken. A query that came with
/// its hash is remembered with its first result.
///
/// A task of its own does the work. If the results were worked out only as far as somebody takes them, a client that
/// stops reading would leave a query half done, and with it one of the few connections to the database.
pub fn results(served: &Served, accepted: Accepted) -> impl Stream<Item = Answer> + Send + use<> {
    let Accepted { kind, request, budget, reservation, mut sent, span, .. } = accepted;
    let persisted = served.persisted.clone();
    let (most, time) = (served.front.wire.room.answer, served.front.wire.times.request);
    // A subscription waits for as long as it likes, and a query for no longer than over HTTP.
    let due = (kind != OperationType::Subscription).then(|| Instant::now() + time);
    let responses = served.schema.execute_stream(request);
    let answers = stream::unfold(Some(responses), move |responses| {
        let (budget, reservation) = (Arc::clone(&budget), Arc::clone(&reservation));
        async move {
            let mut responses = responses?;
            let next = async {
                tokio::select! {
                    biased;
                    response = responses.next() => Ok(response),
                    stopped = budget.stopped() => Err(Box::new(Answer::of_stopped(kind, stopped, most))),
                }
            };
            let next = match due {
                Some(due) => timeout_at(due, next).await.unwrap_or_else(|_| Err(Box::new(Answer::of_late()))),
                None => next.await,
            };
            match next {
                Err(stopped) => Some((*stopped, None)),
                Ok(response) => {
                    let answer = Answer { unsent: reservation.send(most), ..answer(kind, response?) };
                    budget.renew();
                    Some((answer, Some(responses)))
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
    let work = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok(place) = sender.reserve().await {
            match results.next().instrument(span.take().unwrap_or_else(Span::none)).await {
                Some(result) => place.send(Box::new(result)),
                None => break,
            }
        }
    }));
    stream::unfold((receiver, work, Open::operation()), |(mut receiver, work, open)| async move {
        let result = receiver.recv().await?;
        Some((*result, (receiver, work, open)))
    })
}
