//! What subscribers follow. Each stream registers first, then reads the present state, then follows: no gap, and never
//! the same or an older version twice.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::Stream;
use uuid::Uuid;

use crate::database::error::Error;
use crate::faults::{self, Point};
use crate::read::Store;
use domain::actor::Actor;
use domain::id::{OrderId, ProductId};
use domain::order::OrderRecord;
use domain::stock::{PublicStock, Stock};
use domain::transaction::StockTransaction;

use super::inbox::Direct;
use super::{Coalesced, Hub};

pub use crate::read::{LogFilter, LogPosition};

/// How long a subscription waits before it reads again after the database did not answer.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Most log rows that a subscription reads at once while it keeps up.
const LOG_PAGE: u64 = 100;

/// Most log rows that it reads at once while it is behind.
const MAX_LOG_PAGE: u64 = 2_000;

/// The stock of each product now, in the order asked for, then newer states as they come, as somebody sees them: whoever
/// sees capped counts hears nothing while what they see stays. Unknown products are skipped. What `direct` can tell at once
/// while the stream waits is told so and does not come from the stream.
pub fn stock_changes(
    store: Store,
    hub: &Hub,
    products: Vec<ProductId>,
    sees: PublicStock,
    direct: Option<Direct<Stock>>,
) -> impl Stream<Item = Stock> + Send + use<> {
    let (key, reads) = (key(&products), hub.stock_reads());
    let mut watch = hub.watch_stocks(&products, sees);
    async_stream::stream! {
        faults::reach(Point::StockRegistered, key).await;
        let known = retry_until_read(|| stocks_for_all(&store, &reads, &products)).await;
        faults::reach(Point::StockRead, key).await;
        let mut found = Vec::<Stock>::new();
        for stock in products.iter().filter_map(|id| known.get(id)) {
            if found.iter().all(|earlier| earlier.product != stock.product) {
                found.push(stock.clone());
            }
        }
        drop(known);
        watch.begin(found.iter().map(|stock| (stock.product, stock.version_for(sees).0)).collect());
        faults::reach(Point::SubscriptionYielding, key).await;
        for stock in found {
            yield stock;
        }
        watch.tell_by(direct);
        loop {
            let (_, (_, stock)) = watch.next().await;
            yield Stock::clone(&stock);
        }
    }
}

/// An order now, then whenever anything of it changes; `None` when for this actor there is none.
///
/// # Errors
/// Whatever reading it for the first time gives.
pub async fn order_changes(
    store: Store,
    hub: &Hub,
    id: OrderId,
    who: &Actor,
) -> Result<Option<impl Stream<Item = OrderRecord> + Send + use<>>, Error> {
    let (mut watch, reads) = (hub.watch_order(id), hub.order_reads());
    let usable = |record: &OrderRecord| who.may_use(record.order.owner.as_deref());
    faults::reach(Point::OrderRegistered, id.0).await;
    let Some(first) = store.order(id).await?.filter(usable) else {
        return Ok(None);
    };
    faults::reach(Point::OrderRead, id.0).await;
    Ok(Some(async_stream::stream! {
        let mut version = first.order.version;
        faults::reach(Point::SubscriptionYielding, id.0).await;
        yield first;
        loop {
            watch.next().await;
            let record = retry_until_read(|| order_for_all(&store, &reads, id)).await;
            if let Some(record) = record.filter(|record| record.order.version > version) {
                version = record.order.version;
                yield record;
            }
        }
    }))
}

/// Stock records, read once for all who begin to follow some of them at the same time.
async fn stocks_for_all(
    store: &Store,
    reads: &Coalesced<ProductId, Stock>,
    products: &[ProductId],
) -> Result<Arc<HashMap<ProductId, Stock>>, Arc<Error>> {
    let store = store.clone();
    let read = move |ids: Vec<ProductId>| {
        let store = store.clone();
        async move { Ok(store.stocks(&ids).await?.into_iter().map(|stock| (stock.product, stock)).collect()) }
    };
    reads.load(products.iter().copied(), read).await
}

/// An order, read once for all who were woken by the same change.
async fn order_for_all(
    store: &Store,
    reads: &Coalesced<OrderId, OrderRecord>,
    id: OrderId,
) -> Result<Option<OrderRecord>, Arc<Error>> {
    let store = store.clone();
    let read = move |ids: Vec<OrderId>| {
        let store = store.clone();
        async move { Ok(store.orders(&ids).await?.into_iter().map(|record| (record.order.id, record)).collect()) }
    };
    Ok(reads.load([id], read).await?.get(&id).cloned())
}

/// Every row of the log after a place, none merged, with the place of each, by the page.
pub fn log_tail(
    store: Store,
    hub: &Hub,
    filter: LogFilter,
    after: LogPosition,
) -> impl Stream<Item = Vec<(LogPosition, StockTransaction)>> + Send + use<> {
    let mut woken = hub.watch_log();
    let key = key(filter.products.as_deref().unwrap_or_default());
    async_stream::stream! {
        let (mut place, mut limit) = (after, LOG_PAGE);
        loop {
            // Marked before reading: what is added while we read wakes us again.
            woken.mark_unchanged();
            faults::reach(Point::LogRegistered, key).await;
            loop {
                let found = retry_until_read(|| store.log_after(&filter, &place, limit)).await;
                faults::reach(Point::LogRead, key).await;
                let is_full = u64::try_from(found.rows.len()).is_ok_and(|count| count >= limit);
                limit = if is_full { MAX_LOG_PAGE } else { LOG_PAGE };
                if !found.rows.is_empty() {
                    faults::reach(Point::SubscriptionYielding, key).await;
                    yield found.rows;
                }
                place = found.next;
                if found.is_end {
                    break;
                }
            }
            if woken.changed().await.is_err() {
                break;
            }
        }
    }
}

/// The key at points that are reached for these products.
fn key(products: &[ProductId]) -> Uuid {
    products.first().map_or_else(Uuid::nil, |product| product.0)
}

/// Reads until the database answers: a subscription outlives an absence of the database.
async fn retry_until_read<T, E: Display, F: Future<Output = Result<T, E>>>(read: impl Fn() -> F) -> T {
    loop {
        // What a query needs while it runs is not kept by everybody who only waits for the next change.
        match Box::pin(read()).await {
            Ok(value) => return value,
            Err(error) => tracing::warn!(%error, "a subscription could not read; it tries again"),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
