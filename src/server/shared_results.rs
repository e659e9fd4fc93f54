//! Results that many subscribers get: executed and rendered once for all of them, and written to each as they are.
//!
//! What they depend on is in the key: the document, the operation, the variables below the subscription itself, and what
//! its viewer sees of counts. It never renders anything that a single viewer sees, and keeps nothing that nobody follows.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_graphql::Request;
use async_graphql::parser::types::OperationType;
use futures_util::{FutureExt, Stream, StreamExt};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::faults::{self, Point};
use crate::graphql::document::{DocumentHash, Shareable};
use crate::graphql::{self, Budget, OneStock, Viewer};
use crate::live::stock_changes;
use crate::observability::metrics::Open;
use domain::id::ProductId;
use domain::stock::{PublicStock, Stock};

use super::ServerState;
use super::encode;
use super::operation::{Answer, PreparedOperation, answer};

/// Maximum number of products of whose stock one kind of result is kept; more begin anew.
const MAX_KEPT: usize = 4_096;

/// Kinds of results that somebody follows.
#[derive(Debug, Default)]
pub struct SharedResults(Mutex<HashMap<Kind, Weak<Renderer>>>);

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
    /// How the operation is executed: as its first subscriber sent it.
    request: Box<dyn Fn() -> Request + Send + Sync>,
    viewer: Viewer,
    kept: Mutex<HashMap<ProductId, (Stock, Arc<RawValue>)>>,
    all: Weak<SharedResults>,
}

impl SharedResults {
    /// Returns a subscription to such results. `request` makes the request that executes it.
    pub fn subscribe(
        self: &Arc<Self>,
        kind: Kind,
        shareable: Shareable,
        viewer: &Viewer,
        request: impl Fn() -> Request + Send + Sync + 'static,
    ) -> SharedSubscription {
        let mut kinds = lock(&self.0);
        let renderer = kinds.get(&kind).and_then(Weak::upgrade).unwrap_or_else(|| {
            let renderer = Arc::new(Renderer {
                kind: kind.clone(),
                request: Box::new(request),
                viewer: viewer.clone(),
                kept: Mutex::default(),
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
        let mut kinds = lock(&all.0);
        // Somebody may have begun to follow the same in between.
        if kinds.get(&self.kind).is_some_and(|renderer| renderer.strong_count() == 0) {
            kinds.remove(&self.kind);
        }
    }
}

impl Renderer {
    /// Returns the result for this state.
    async fn result(&self, state: &ServerState, stock: Stock) -> Answer {
        if let Some((kept, rendered)) = lock(&self.kept).get(&stock.product)
            && *kept == stock
        {
            return Answer::of_rendered(Arc::clone(rendered));
        }
        // Others may execute it at the same time, to the same end.
        let answer = AssertUnwindSafe(self.execute(state, stock.clone())).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Answer::of_panic());
        let is_plain = !answer.is_request_error && !answer.is_broken_off;
        let text = encode::text(&answer, state.config.transport.sizes.answer).ok();
        let Some(rendered) = text.filter(|_| is_plain).and_then(|text| RawValue::from_string(text).ok()) else {
            return answer;
        };
        let rendered = Arc::<RawValue>::from(rendered);
        faults::reach(Point::SubscriptionAnswered, Uuid::nil()).await;
        let mut kept = lock(&self.kept);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(stock.product, (stock, Arc::clone(&rendered)));
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
            response = responses.next() => answer(OperationType::Subscription, response.unwrap_or_default()),
            stopped = budget.stopped() => Answer::of_stopped(OperationType::Subscription, stopped, most),
        }
    }
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Returns the results of a subscription that shares them. They take no task: nothing is read while nobody takes them.
pub fn results(
    state: &Arc<ServerState>,
    subscription: SharedSubscription,
    prepared: PreparedOperation,
) -> impl Stream<Item = Answer> + Send + use<> {
    let SharedSubscription { products, renderer } = subscription;
    let stocks = stock_changes(state.app.store.clone(), &state.app.hub, products, renderer.kind.sees);
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these locks can leave the table half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
