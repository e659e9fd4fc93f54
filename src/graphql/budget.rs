//! What one answer may take while it is made: bytes of keys and text, and a fixed number for each field. Resolvers charge
//! what they really have; what is worked out in advance (`document::cost`) knows neither the rows of a list nor texts.
//!
//! An operation that takes more is not resolved any further: nothing of it goes on, and whoever executes it is told.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{Context, ContextSelectionSet, Guard, OutputType, Positioned, ServerResult, Value};
use tokio::sync::Notify;
use tokio::task::coop::{consume_budget, has_budget_remaining};

/// What each field costs besides its key and its text, in bytes.
const FIELD_SIZE: usize = 32;

/// So many charges count as one step of the task, after some of which it lets others go first.
const CHARGES_PER_STEP: usize = 64;

/// How much more memory is asked for at least when there is not enough, in bytes. Most answers never need any.
const LEAST_MORE: usize = 4 * 1_024;

/// Why an answer is not made to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It would be larger than an answer may be.
    TooLarge,
    /// Too much that its client asked for before has not been sent yet.
    ClientIsFull,
    /// The same of all clients together.
    ServerIsFull,
}

/// Asks for so many bytes more.
type Reserve = Box<dyn Fn(usize) -> Result<(), Stopped> + Send + Sync>;

/// What is left for one answer.
pub struct Budget {
    /// Maximum size of an answer, in bytes.
    most: usize,
    used: AtomicUsize,
    charges: AtomicUsize,
    reserved: AtomicUsize,
    reserve: Reserve,
    stopped: Mutex<Option<Stopped>>,
    stop: Notify,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("most", &self.most).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Budget {
    /// A budget of at most so many bytes. `reserve` is asked for memory when an answer needs more than it has.
    pub fn new(most: usize, reserve: impl Fn(usize) -> Result<(), Stopped> + Send + Sync + 'static) -> Self {
        Self {
            most,
            used: AtomicUsize::new(0),
            charges: AtomicUsize::new(0),
            reserved: AtomicUsize::new(LEAST_MORE),
            reserve: Box::new(reserve),
            stopped: Mutex::new(None),
            stop: Notify::new(),
        }
    }

    /// Begins anew, for the next result of a subscription.
    pub fn renew(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.used.store(0, Ordering::Relaxed);
        self.reserved.store(LEAST_MORE, Ordering::Relaxed);
    }

    /// Waits until the answer takes more than it may, and says why.
    pub async fn stopped(&self) -> Stopped {
        loop {
            let stopped = *self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            match stopped {
                Some(stopped) => return stopped,
                None => self.stop.notified().await,
            }
        }
    }

    /// Charges so many bytes. It never returns when there are not as many left: whoever executes the operation drops it.
    async fn charge(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if let Err(stopped) = self.cover(used) {
            *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopped);
            self.stop.notify_one();
            return std::future::pending().await;
        }
        // What is resolved without a database would otherwise hold its thread to the end, past every deadline.
        if self.charges.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHARGES_PER_STEP) && has_budget_remaining() {
            consume_budget().await;
        }
        poll_fn(|context| {
            if has_budget_remaining() {
                return Poll::Ready(());
            }
            // Woken at once, not after the poll as the runtime would do it: a long list of futures goes on to its end
            // unless some of them are.
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn cover(&self, used: usize) -> Result<(), Stopped> {
        if used > self.most {
            return Err(Stopped::TooLarge);
        }
        let reserved = self.reserved.load(Ordering::Relaxed);
        if used <= reserved {
            return Ok(());
        }
        // A fourth more each time, so that it is not asked for often.
        let more = (used - reserved).max(reserved / 4).max(LEAST_MORE);
        self.reserved.fetch_add(more, Ordering::Relaxed);
        (self.reserve)(more)
    }
}

/// Charges each field of an object.
pub struct Charged;

impl Guard for Charged {
    async fn check(&self, context: &Context<'_>) -> async_graphql::Result<()> {
        if let Some(budget) = context.data_opt::<Arc<Budget>>() {
            budget.charge(FIELD_SIZE + context.item.node.response_key().node.len()).await;
        }
        Ok(())
    }
}

/// A text that is charged where it is put into an answer. To clients it is a `String`.
#[derive(Debug, Clone)]
pub struct Text<T>(pub T);

impl<T: AsRef<str> + Send + Sync> OutputType for Text<T> {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        let text = self.0.as_ref();
        if let Some(budget) = context.data_opt::<Arc<Budget>>() {
            budget.charge(text.len()).await;
        }
        Ok(Value::String(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema};
    use tokio::time::timeout;

    use super::*;

    struct Row;

    #[Object(guard = "Charged")]
    impl Row {
        async fn name(&self) -> Text<&'static str> {
            Text("a name")
        }

        async fn rows(&self) -> Vec<Row> {
            (0..10).map(|_| Row).collect()
        }
    }

    struct Rows;

    #[Object]
    impl Rows {
        async fn rows(&self) -> Vec<Row> {
            (0..1_000).map(|_| Row).collect()
        }
    }

    /// A query for rows, with this budget.
    async fn execute(query: &str, budget: &Arc<Budget>) -> Option<Value> {
        let schema = Schema::new(Rows, EmptyMutation, EmptySubscription);
        tokio::select! {
            response = schema.execute(Request::new(query).data(Arc::clone(budget))) => Some(response.data),
            stopped = budget.stopped() => {
                assert_eq!(stopped, Stopped::TooLarge);
                None
            }
        }
    }

    #[tokio::test]
    async fn fields_and_texts_are_charged_exactly() {
        let size = 1_000 * (FIELD_SIZE + "n".len() + "a name".len());
        let budget = |most| Arc::new(Budget::new(most, |_| Ok(())));
        assert!(execute("{ rows { n: name } }", &budget(size)).await.is_some());
        assert!(execute("{ rows { n: name } }", &budget(size - 1)).await.is_none());
        let again = budget(size);
        for _ in 0..3 {
            assert!(execute("{ rows { n: name } }", &again).await.is_some());
            again.renew();
        }
    }

    #[tokio::test]
    async fn memory_is_asked_for_as_it_is_needed() {
        let reserved = Arc::new(AtomicUsize::new(0));
        let more = Arc::clone(&reserved);
        let budget = Budget::new(usize::MAX, move |bytes| {
            more.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        });
        budget.charge(LEAST_MORE).await;
        assert_eq!(reserved.load(Ordering::Relaxed), 0, "what is small needs none");
        budget.charge(1).await;
        assert_eq!(reserved.load(Ordering::Relaxed), LEAST_MORE);
        budget.charge(1_000_000).await;
        assert!((1_000_001..1_300_000).contains(&(reserved.load(Ordering::Relaxed) + LEAST_MORE)));
    }

    /// Nothing here waits for anything, and still the time that is over is seen.
    #[tokio::test]
    async fn a_deadline_holds_for_what_never_waits() {
        let budget = Arc::new(Budget::new(usize::MAX, |_| Ok(())));
        let query = "{ rows { rows { name name name name name name } } }";
        assert!(timeout(Duration::ZERO, execute(query, &budget)).await.is_err());
        assert!(budget.used.load(Ordering::Relaxed) < 60_000 * FIELD_SIZE, "it was left long before its end");
        assert!(execute("{ rows { rows { name } } }", &budget).await.is_some());
    }
}
