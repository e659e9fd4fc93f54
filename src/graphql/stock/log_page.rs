//! What the rows of one page of the live log refer to: read at once when the first of them is asked for it, so that a
//! follower who asks for the product of each row costs one query per page.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::Loader;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::database::error::Error;
use crate::graphql::loaders::{Loaders, load, load_many};
use domain::id::{OrderId, ProductId};
use domain::order::OrderRecord;
use domain::product::ProductRecord;
use domain::transaction::StockTransaction;

/// After so long each is read by itself: a slow reader is not told an old state.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The products and orders of one page.
#[derive(Debug)]
pub struct LogPage {
    products: Together<ProductId, ProductRecord>,
    orders: Together<OrderId, Arc<OrderRecord>>,
}

impl LogPage {
    /// What these rows refer to. Nothing is read yet.
    pub fn of<'a>(rows: impl Iterator<Item = &'a StockTransaction> + Clone) -> Self {
        Self {
            products: Together::new(rows.clone().map(|row| row.product)),
            orders: Together::new(rows.filter_map(|row| row.order)),
        }
    }

    /// A product, `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn product(&self, context: &Context<'_>, id: ProductId) -> async_graphql::Result<Option<ProductRecord>> {
        self.products.get(context, id).await
    }

    /// An order, whoever may see it; `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order(&self, context: &Context<'_>, id: OrderId) -> async_graphql::Result<Option<Arc<OrderRecord>>> {
        self.orders.get(context, id).await
    }
}

/// Things of one kind that are read together.
#[derive(Debug)]
struct Together<K, V> {
    keys: Vec<K>,
    found: Mutex<Option<(Instant, HashMap<K, V>)>>,
}

impl<K, V> Together<K, V>
where
    K: Send + Sync + Hash + Eq + Ord + Copy + 'static,
    V: Clone + Send + Sync + 'static,
    Loaders: Loader<K, Value = V, Error = Arc<Error>>,
{
    fn new(keys: impl Iterator<Item = K>) -> Self {
        let mut keys: Vec<K> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        Self { keys, found: Mutex::new(None) }
    }

    async fn get(&self, context: &Context<'_>, key: K) -> async_graphql::Result<Option<V>> {
        let mut found = self.found.lock().await;
        if let Some((at, things)) = &*found {
            if at.elapsed() < MAX_AGE {
                return Ok(things.get(&key).cloned());
            }
            // Its reader is slow: what comes next is read one by one, and nothing of what it has been sent already.
            return load(context, key).await;
        }
        let at = Instant::now();
        let things = load_many(context, self.keys.iter().copied()).await?;
        let thing = things.get(&key).cloned();
        *found = Some((at, things));
        Ok(thing)
    }
}
