//! Queries of the catalogue that many send at the same time: executed once for all of them.
//!
//! An answer is only shared with those who asked before its execution began, so that nobody is told anything older than what
//! there was when they asked. Nothing is kept: whoever comes later has it executed anew. It never shares what depends on more
//! than what is in the key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::graphql::document::DocumentHash;
use domain::stock::PublicStock;

use super::encode;
use super::operation::Answer;

/// Maximum number of executions of one query that are under way while others wait to share the next.
const MAX_RUNNING: usize = 2;

/// Maximum size of an answer that is shared, in bytes. Larger ones are executed for each client within its own memory.
const MAX_SHARED: usize = 32 * 1_024;

/// What an answer depends on besides the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alike {
    /// The document.
    pub document: DocumentHash,
    /// The name of the operation in it.
    pub operation: Option<String>,
    /// All variables, as JSON.
    pub variables: String,
    /// What the viewer sees of counts.
    pub sees: PublicStock,
    /// Whether the viewer belongs to the shop, and sees archived products.
    pub is_staff: bool,
}

/// The queries that are executed now.
#[derive(Debug, Default)]
pub struct SharedAnswers(Mutex<HashMap<Arc<Alike>, Weak<Executions>>>);

/// Executions of one query, for as long as somebody executes it or waits for it.
#[derive(Debug)]
struct Executions {
    alike: Arc<Alike>,
    all: Weak<SharedAnswers>,
    turns: Arc<Semaphore>,
    /// The answer of the execution that has not begun yet.
    next: Mutex<Option<Awaited>>,
    /// Whether its answers are small enough.
    is_shared: AtomicBool,
}

/// What those who wait for an execution are told of it.
#[derive(Debug, Clone)]
enum Told {
    /// Send this.
    Answer(Arc<RawValue>),
    /// It is not for others.
    Nothing,
}

/// What comes.
type Awaited = watch::Receiver<Option<Told>>;

/// What a client that asked is to do.
#[derive(Debug)]
pub enum Turn {
    /// Execute the query.
    Execute(Execution),
    /// Send this answer.
    Answered(Arc<RawValue>),
}

/// An execution that may begin. If it is dropped before its end, one of those who wait for its answer executes the query.
#[derive(Debug)]
pub struct Execution {
    others: Option<watch::Sender<Option<Told>>>,
    executions: Arc<Executions>,
    _turn: Option<OwnedSemaphorePermit>,
}

enum Joined {
    /// It may begin at once.
    Now(OwnedSemaphorePermit),
    /// It is the first that waits for a turn, and executes it for those who come until then.
    First(watch::Sender<Option<Told>>),
    /// Another executes it.
    Other(Awaited),
    /// Its answers are too large.
    Alone,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can leave anything half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedAnswers {
    /// Waits for a turn to execute a query, or for the answer of somebody else's execution that began after this was called.
    pub async fn turn(self: &Arc<Self>, alike: Alike) -> Turn {
        let alike = Arc::new(alike);
        loop {
            let executions = self.executions(&alike);
            let (others, turn) = match executions.join() {
                Joined::Alone => (None, None),
                Joined::Now(turn) => (None, Some(turn)),
                Joined::First(others) => {
                    let turn = Arc::clone(&executions.turns).acquire_owned().await.ok();
                    // Whoever comes from now on came after it began.
                    *lock(&executions.next) = None;
                    (Some(others), turn)
                }
                Joined::Other(mut answer) => {
                    let answered = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
                    match answered {
                        Some(Told::Answer(text)) => return Turn::Answered(text),
                        Some(Told::Nothing) => (None, None),
                        // It was dropped before its end.
                        None => continue,
                    }
                }
            };
            return Turn::Execute(Execution { others, executions, _turn: turn });
        }
    }

    fn executions(self: &Arc<Self>, alike: &Arc<Alike>) -> Arc<Executions> {
        let mut all = lock(&self.0);
        if let Some(executions) = all.get(alike).and_then(Weak::upgrade) {
            return executions;
        }
        let executions = Arc::new(Executions {
            alike: Arc::clone(alike),
            all: Arc::downgrade(self),
            turns: Arc::new(Semaphore::new(MAX_RUNNING)),
            next: Mutex::default(),
            is_shared: AtomicBool::new(true),
        });
        all.insert(Arc::clone(alike), Arc::downgrade(&executions));
        executions
    }
}

impl Executions {
    fn join(&self) -> Joined {
        if !self.is_shared.load(Ordering::Relaxed) {
            return Joined::Alone;
        }
        let mut next = lock(&self.next);
        // One whose client is gone is closed.
        if let Some(answer) = next.as_ref().filter(|answer| answer.has_changed().is_ok()) {
            return Joined::Other(answer.clone());
        }
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Joined::Now(turn);
        }
        let (others, answer) = watch::channel(None);
        *next = Some(answer);
        Joined::First(others)
    }
}

impl Drop for Executions {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let mut all = lock(&all.0);
        // Somebody may have begun the same in between.
        if all.get(&self.alike).is_some_and(|executions| executions.strong_count() == 0) {
            all.remove(&self.alike);
        }
    }
}

impl Execution {
    /// Hands the answer to those who wait for it, and returns it. Errors are not shared: they are counted for each client.
    pub fn share(mut self, answer: Answer) -> Answer {
        let Some(others) = self.others.take().filter(|others| others.receiver_count() > 0) else { return answer };
        let text = answer.response.errors.is_empty().then(|| encode::text(&answer, MAX_SHARED));
        if matches!(text, Some(Err(_))) {
            self.executions.is_shared.store(false, Ordering::Relaxed);
        }
        let text =
            text.and_then(Result::ok).and_then(|text| RawValue::from_string(text).ok()).map(Arc::<RawValue>::from);
        others.send_replace(Some(text.clone().map_or(Told::Nothing, Told::Answer)));
        text.map_or(answer, Answer::of_rendered)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use async_graphql::{Response, ServerError, Value};

    use super::*;

    fn alike(variables: &str) -> Alike {
        let variables = variables.to_owned();
        Alike { document: [7; 32], operation: None, variables, sees: PublicStock::Exact, is_staff: false }
    }

    fn data(text: &str) -> Answer {
        Answer { response: Response::new(Value::from(text)), ..Answer::of_panic() }
    }

    type Waiting = Pin<Box<dyn Future<Output = Turn>>>;

    fn ask(all: &Arc<SharedAnswers>) -> Waiting {
        let all = Arc::clone(all);
        Box::pin(async move { all.turn(alike("{}")).await })
    }

    async fn polled(waiting: &mut Waiting) -> Option<Turn> {
        poll_fn(|context| {
            Poll::Ready(match waiting.as_mut().poll(context) {
                Poll::Ready(turn) => Some(turn),
                Poll::Pending => None,
            })
        })
        .await
    }

    async fn execution(waiting: &mut Waiting) -> Execution {
        match polled(waiting).await {
            Some(Turn::Execute(execution)) => execution,
            other => panic!("not to be executed now: {other:?}"),
        }
    }

    async fn answered(waiting: &mut Waiting) -> String {
        match polled(waiting).await {
            Some(Turn::Answered(text)) => text.get().to_owned(),
            other => panic!("not answered: {other:?}"),
        }
    }

    /// As many executions as may be under way, none of them for others.
    async fn busy(all: &Arc<SharedAnswers>) -> Vec<Execution> {
        let mut running = Vec::new();
        for _ in 0..MAX_RUNNING {
            running.push(execution(&mut ask(all)).await);
        }
        running
    }

    #[tokio::test]
    async fn those_who_wait_get_one_answer_and_whoever_comes_after_its_beginning_does_not() {
        let all = Arc::default();
        let mut running = busy(&all).await;
        let (mut first, mut second, mut third) = (ask(&all), ask(&all), ask(&all));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(polled(waiting).await.is_none());
        }
        drop(running.pop());
        let begun = execution(&mut first).await;
        let mut late = ask(&all);
        assert!(polled(&mut late).await.is_none());
        begun.share(data("A"));
        assert_eq!(answered(&mut second).await, r#"{"data":"A"}"#);
        assert_eq!(answered(&mut third).await, r#"{"data":"A"}"#);
        execution(&mut late).await.share(data("B"));
    }

    #[tokio::test]
    async fn another_executes_it_when_the_first_is_gone() {
        let all = Arc::default();
        let mut running = busy(&all).await;
        let (mut first, mut second, mut third) = (ask(&all), ask(&all), ask(&all));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(polled(waiting).await.is_none());
        }
        drop(first);
        // The second learns of it and waits for a turn itself.
        assert!(polled(&mut second).await.is_none());
        assert!(polled(&mut third).await.is_none());
        drop(running.pop());
        let begun = execution(&mut second).await;
        drop(begun);
        execution(&mut third).await.share(data("C"));
    }

    #[tokio::test]
    async fn errors_and_large_answers_are_for_nobody_else() {
        let error = Answer { response: Response::from_errors(vec![ServerError::new("no", None)]), ..data("") };
        for (answer, is_shared_later) in [(error, true), (data(&"x".repeat(MAX_SHARED)), false)] {
            let all = Arc::default();
            let mut running = busy(&all).await;
            let (mut first, mut second) = (ask(&all), ask(&all));
            assert!(polled(&mut first).await.is_none() && polled(&mut second).await.is_none());
            drop(running.pop());
            execution(&mut first).await.share(answer);
            let _own = execution(&mut second).await;
            let _running = busy_again(&all, is_shared_later).await;
        }
    }

    async fn busy_again(all: &Arc<SharedAnswers>, is_shared: bool) -> Vec<Execution> {
        let mut running = vec![execution(&mut ask(all)).await];
        let mut next = ask(all);
        match polled(&mut next).await {
            None => assert!(is_shared),
            Some(Turn::Execute(own)) => {
                assert!(!is_shared);
                running.push(own);
            }
            Some(answered) => panic!("{answered:?}"),
        }
        running
    }

    #[tokio::test]
    async fn nothing_is_left_behind() {
        let all: Arc<SharedAnswers> = Arc::default();
        let running = busy(&all).await;
        let mut waiting = ask(&all);
        assert!(polled(&mut waiting).await.is_none());
        drop((running, waiting));
        assert!(lock(&all.0).is_empty());
        let other = all.turn(alike(r#"{"first":1}"#)).await;
        assert!(matches!(other, Turn::Execute(_)));
    }
}
