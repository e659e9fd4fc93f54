//! Executes prepared operations: one answer, or the results of a subscription one after the other, within the limits on
//! answers and times. How they are sent is the transports' business.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::faults::{self, Point};
use crate::graphql::{ApiSchema, Budget, Stopped};
use crate::observability::metrics::{self, Open};
use crate::supervision::owned;

use super::ServerState;
use super::concurrency::ConcurrencyPermit;
use super::operation::{Answer, PreparedOperation, answer};
use super::shared_results;
use super::socket::AtOnce;

/// Executes a query or a mutation, as far as its answer fits its budget.
///
/// # Errors
/// Why it was stopped.
pub async fn execute(schema: &ApiSchema, request: Request, budget: &Budget) -> Result<Response, Stopped> {
    tokio::select! {
        biased;
        response = schema.execute(request) => Ok(response),
        stopped = budget.stopped() => Err(stopped),
    }
}

/// Counts a query or a mutation.
pub fn count(kind: OperationType) {
    metrics::request(if kind == OperationType::Mutation { "mutation" } else { "query" });
}

/// Returns the results of an operation: each is computed when the one before was taken. A query or a mutation is answered
/// when it is due at the latest, and holds its permit until then. Results that are shared are written at once where there is
/// a way for that, and do not come from the stream.
pub fn results(
    state: &Arc<ServerState>,
    mut prepared: PreparedOperation,
    due: Instant,
    permit: ConcurrencyPermit,
    at_once: Option<AtOnce>,
) -> BoxStream<'static, Answer> {
    match prepared.kind {
        OperationType::Subscription => match prepared.shared.take() {
            Some(shared) => shared_results::results(state, shared, prepared, at_once).boxed(),
            None => query_results(state, prepared, None).boxed(),
        },
        OperationType::Query => {
            count(prepared.kind);
            query_results(state, prepared, Some((due, permit))).boxed()
        }
        OperationType::Mutation => {
            count(prepared.kind);
            mutation_result(state, prepared, due, permit).boxed()
        }
    }
}

/// Executes a mutation in a task of its own, which goes on when nobody waits for it any more; a shutdown waits for it.
fn mutation_result(
    state: &Arc<ServerState>,
    prepared: PreparedOperation,
    due: Instant,
    permit: ConcurrencyPermit,
) -> impl Stream<Item = Answer> + Send + use<> {
    let PreparedOperation { kind, request, budget, reservation, sent, span, .. } = prepared;
    let shared = Arc::clone(state);
    let work = async move {
        let most = shared.config.transport.sizes.answer;
        let answer = match timeout_at(due, execute(&shared.schema, request, &budget)).await {
            Ok(Ok(response)) => Answer { unsent: reservation.send(most), ..answer(kind, response) },
            Ok(Err(stopped)) => Answer::of_stopped(kind, stopped, most),
            Err(_) => Answer::of_timeout(kind),
        };
        if let Some((hash, query)) = sent.filter(|_| !answer.is_request_error) {
            shared.persisted.remember(hash, &query);
        }
        drop(permit);
        answer
    };
    let (work, open) = (state.app.tasks.spawn(work.instrument(span)), Open::operation());
    stream::once(async move {
        let answer = work.await.unwrap_or_else(|_| Answer::of_panic());
        drop(open);
        answer
    })
}

/// Executes a query, or follows a subscription. A query that came with its hash is remembered with its first result.
///
/// It runs in a task of its own: if results were computed only as somebody takes them, a client that stops reading would
/// leave a query half executed, and hold one of the few connections to the database.
fn query_results(
    state: &Arc<ServerState>,
    prepared: PreparedOperation,
    bounded: Option<(Instant, ConcurrencyPermit)>,
) -> impl Stream<Item = Answer> + Send + use<> {
    let PreparedOperation { kind, request, budget, reservation, mut sent, span, .. } = prepared;
    let shared = Arc::clone(state);
    let most = state.config.transport.sizes.answer;
    let (due, permit) = bounded.unzip();
    let responses = state.schema.execute_stream(request);
    let answers = stream::unfold(Some((responses, permit)), move |running| {
        let (budget, reservation) = (Arc::clone(&budget), Arc::clone(&reservation));
        async move {
            let (mut responses, permit) = running?;
            let next = async {
                tokio::select! {
                    biased;
                    response = responses.next() => Ok(response),
                    stopped = budget.stopped() => Err(Box::new(Answer::of_stopped(kind, stopped, most))),
                }
            };
            let next = match due {
                Some(due) => timeout_at(due, next).await.unwrap_or_else(|_| Err(Box::new(Answer::of_timeout(kind)))),
                None => next.await,
            };
            // A query has one result, and then its permit is free.
            drop(permit);
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
            shared.persisted.remember(hash, &query);
        }
        answer
    });
    in_task(kind, Box::pin(answers), span)
}

/// Computes results in a task, one ahead of what is taken. The span ends with the first result: a subscription may go on
/// for days.
fn in_task(
    kind: OperationType,
    mut results: impl Stream<Item = Answer> + Send + Unpin + 'static,
    span: Span,
) -> impl Stream<Item = Answer> + Send {
    // Boxed, because a channel allocates more slots than it has capacity, and thousands of these only wait.
    let (sender, receiver) = mpsc::channel::<Box<Answer>>(1);
    let mut span = Some(span);
    let is_followed = kind == OperationType::Subscription;
    let work = owned(async move {
        if is_followed {
            faults::reach(Point::SubscriptionBegun, Uuid::nil()).await;
        }
        while let Ok(slot) = sender.reserve().await {
            match results.next().instrument(span.take().unwrap_or_else(Span::none)).await {
                Some(result) => {
                    if is_followed {
                        faults::reach(Point::SubscriptionAnswered, Uuid::nil()).await;
                    }
                    slot.send(Box::new(result));
                }
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
