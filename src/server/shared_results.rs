//! Results that many subscribers get: executed and rendered once for all of them, and written to each as they are.
//!
//! What they depend on is in the key: the document, the operation, the variables below the subscription itself, and what
//! its viewer sees of counts. It never renders anything that a single viewer sees, and what it keeps is bounded in bytes.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_graphql::Request;
use async_graphql::parser::types::OperationType;
use futures_util::{FutureExt, Stream, StreamExt};
use moka::sync::Cache;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::faults::{self, Point};
use crate::graphql::document::{DocumentHash, Shareable};
use crate::graphql::{self, Budget, OneStock, Viewer};
use crate::live::{Direct, stock_changes};
use crate::observability::metrics::Open;
use domain::id::ProductId;
use domain::stock::{PublicStock, Stock};

use super::ServerState;
use super::encode;
use super::operation::{Answer, PreparedOperation, answer};
use super::socket::AtOnce;

/// Maximum size of all results that are kept, in bytes.
const MAX_KEPT: u64 = 32 * 1_024 * 1_024;

/// What a result that is kept takes besides its text, in bytes.
const ENTRY_SIZE: usize = 512;

/// Results that subscriptions share.
#[derive(Debug)]
pub struct SharedResults {
    /// Kinds of results that somebody follows.
    kinds: Mutex<HashMap<Kind, Weak<Renderer>>>,
    /// The newest result of each kind and product, those that were used last.
    kept: Cache<(u64, ProductId), Arc<Kept>>,
    next: AtomicU64,
}

/// A result, and the state that it is of.
#[derive(Debug)]
struct Kept {
    stock: Stock,
    rendered: Arc<RawValue>,
}

/// What a result depends on besides the stock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The document.
    pub document: DocumentHash,
    /// The name of the operation in it.
    pub operation: Option<String>,
    /// The variables below the subscription, as JSON.
    pub variables: String,
    /// What the viewer sees of counts.
    pub sees: PublicStock,
}

/// A subscription that shares its results.
#[derive(Debug)]
pub struct SharedSubscription {
    products: Vec<ProductId>,
    renderer: Arc<Renderer>,
}

/// Renders results of one kind.
pub struct Renderer {
    kind: Kind,
    /// What tells it apart from others, for as long as the process lives.
    number: u64,
    /// How the operation is executed: as its first subscriber sent it.
    request: Box<dyn Fn() -> Request + Send + Sync>,
    viewer: Viewer,
    /// The newest result: nearly always the one that everybody is woken for.
    last: Mutex<Option<Arc<Kept>>>,
    all: Weak<SharedResults>,
}

impl Default for SharedResults {
    fn default() -> Self {
        let weigh = |_: &(u64, ProductId), kept: &Arc<Kept>| {
            u32::try_from(ENTRY_SIZE + kept.rendered.get().len()).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(MAX_KEPT).weigher(weigh).build();
        Self { kinds: Mutex::default(), kept, next: AtomicU64::new(0) }
    }
}

impl SharedResults {
    fn kinds(&self) -> MutexGuard<'_, HashMap<Kind, Weak<Renderer>>> {
        // Nothing that holds this lock can leave the table half changed.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a subscription to such results. `request` makes the request that executes it.
    pub fn subscribe(
        self: &Arc<Self>,
        kind: Kind,
        shareable: Shareable,
        viewer: &Viewer,
        request: impl Fn() -> Request + Send + Sync + 'static,
    ) -> SharedSubscription {
        let mut kinds = self.kinds();
        let renderer = kinds.get(&kind).and_then(Weak::upgrade).unwrap_or_else(|| {
            let renderer = Arc::new(Renderer {
                kind: kind.clone(),
                request: Box::new(request),
                number: self.next.fetch_add(1, Ordering::Relaxed),
                viewer: viewer.clone(),
                last: Mutex::default(),
                all: Arc::downgrade(self),
            });
            kinds.insert(kind, Arc::downgrade(&renderer));
            renderer
        });
        SharedSubscription { products: shareable.products, renderer }
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let mut kinds = all.kinds();
        // Somebody may have begun to follow the same in between.
        if kinds.get(&self.kind).is_some_and(|renderer| renderer.strong_count() == 0) {
            kinds.remove(&self.kind);
        }
    }
}

impl Renderer {
    fn last(&self) -> MutexGuard<'_, Option<Arc<Kept>>> {
        // Nothing that holds this lock can leave it half changed.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the result for this state, if there is one.
    fn kept(&self, stock: &Stock) -> Option<Arc<RawValue>> {
        if let Some(kept) = self.last().as_ref().filter(|kept| kept.stock == *stock) {
            return Some(Arc::clone(&kept.rendered));
        }
        let kept = self.all.upgrade()?.kept.get(&(self.number, stock.product))?;
        let rendered = (kept.stock == *stock).then(|| Arc::clone(&kept.rendered))?;
        *self.last() = Some(kept);
        Some(rendered)
    }

    /// Returns the result for this state, if there is one without waiting: executing it does not wait, as the state is given.
    fn result_now(&self, state: &ServerState, stock: &Stock) -> Option<Arc<RawValue>> {
        self.kept(stock).or_else(|| self.result(state, stock.clone()).now_or_never()?.rendered)
    }

    /// Returns the result for this state.
    async fn result(&self, state: &ServerState, stock: Stock) -> Answer {
        if let Some(rendered) = self.kept(&stock) {
            return Answer::of_rendered(rendered);
        }
        // Others may execute it at the same time, to the same end.
        let answer = AssertUnwindSafe(self.execute(state, stock.clone())).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Answer::of_panic());
        let text = encode::text(&answer, state.config.transport.sizes.answer).ok();
        let text = text.filter(|_| answer.response.errors.is_empty());
        let Some(rendered) = text.and_then(|text| RawValue::from_string(text).ok()) else { return answer };
        let rendered = Arc::<RawValue>::from(rendered);
        faults::reach(Point::SubscriptionAnswered, Uuid::nil()).await;
        let key = (self.number, stock.product);
        let kept = Arc::new(Kept { stock, rendered: Arc::clone(&rendered) });
        *self.last() = Some(Arc::clone(&kept));
        state.shared_results.kept.insert(key, kept);
        Answer::of_rendered(rendered)
    }

    async fn execute(&self, state: &ServerState, stock: Stock) -> Answer {
        let most = state.config.transport.sizes.answer;
        // A record is small: it needs no memory that would have to be asked for.
        let budget = Arc::new(Budget::new(most, |_| Ok(())));
        let request = graphql::prepare(&state.app, (self.request)(), (self.viewer.clone(), Arc::clone(&budget)), None);
        let mut responses = state.schema.execute_stream(request.data(OneStock(stock)));
        tokio::select! {
            biased;
            response = responses.next() => match response {
                Some(response) => answer(OperationType::Subscription, response),
                // One state has one result.
                None => Answer::of_panic(),
            },
            stopped = budget.stopped() => Answer::of_stopped(OperationType::Subscription, stopped, most),
        }
    }
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Returns the results of a subscription that shares them. They take no task: nothing is read while nobody takes them. While
/// they are waited for they are written at once, where there is a way for that.
pub fn results(
    state: &Arc<ServerState>,
    subscription: SharedSubscription,
    prepared: PreparedOperation,
    at_once: Option<AtOnce>,
) -> impl Stream<Item = Answer> + Send + use<> {
    let SharedSubscription { products, renderer } = subscription;
    let direct = at_once.map(|at_once| {
        let (state, renderer) = (Arc::clone(state), Arc::clone(&renderer));
        Direct::new(move |stock| renderer.result_now(&state, stock).is_some_and(|rendered| at_once.write(&rendered)))
    });
    let stocks = stock_changes(state.app.store.clone(), &state.app.hub, products, renderer.kind.sees, direct);
    let (state, mut sent, open) = (Arc::clone(state), prepared.sent, Open::operation());
    stocks.then(move |stock| {
        let _ = &open;
        let (state, renderer, sent) = (Arc::clone(&state), Arc::clone(&renderer), sent.take());
        async move {
            let answer = renderer.result(&state, stock).await;
            if let Some((hash, query)) = sent.filter(|_| !answer.is_request_error) {
                state.persisted.remember(hash, &query);
            }
            answer
        }
    })
}
