//! Loaders: what many fields of one request ask for is read at once, and with what other operations ask for at the same
//! time. They remember nothing: each read begins after all who share it have asked.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::parser::types::OperationType;
use async_graphql::runtime::{Timer, TokioSpawner};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::yield_now;

use crate::database::error::Error;
use crate::live::Coalesced;
use crate::read::Store;
use domain::Time;
use domain::cart::Cart;
use domain::demand::Demand;
use domain::id::{
    CartId, DeliveryId, OrderId, OrderItemId, PaymentId, PaymentOperationId, ProductId, ShipmentId, StockId,
    StockTransactionId, WebhookId,
};
use domain::order::OrderRecord;
use domain::product::ProductRecord;
use domain::stock::{Numbers, Stock};
use domain::transaction::StockTransaction;
use domain::webhook::{Delivery, Webhook};

use super::error::failure;

/// Most keys that are read at once.
const MAX_BATCH: usize = 1_000;

/// Reads for loaders.
pub struct Loaders {
    store: Store,
    /// What operations of different clients read together: a statement for many, as the writer commits once for many. Each
    /// read begins after all who share it have asked.
    shared: Option<Arc<SharedReads>>,
}

impl Loaders {
    /// Loaders for one request.
    pub fn of(store: Store, shared: Option<Arc<SharedReads>>) -> DataLoader<Self> {
        DataLoader::new(Self { store, shared }, TokioSpawner::current(), Turn)
            .delay(Duration::ZERO)
            .max_batch_size(MAX_BATCH)
    }
}

/// How long a loader waits for more keys: until whatever is ready has had its turn. The timer of the runtime would wait for
/// its next tick, a millisecond, at each level of a query.
#[derive(Debug)]
struct Turn;

impl Timer for Turn {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        yield_now().boxed()
    }
}

/// One thing by its key, `None` when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn load<K>(context: &Context<'_>, key: K) -> async_graphql::Result<Option<<Loaders as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Loaders: Loader<K, Error = Arc<Error>>,
{
    context.data_unchecked::<DataLoader<Loaders>>().load_one(key).await.map_err(|error| told(context, &error))
}

/// Many things by their keys.
///
/// # Errors
/// When the database does not answer.
pub async fn load_many<K>(
    context: &Context<'_>,
    keys: impl IntoIterator<Item = K>,
) -> async_graphql::Result<HashMap<K, <Loaders as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Loaders: Loader<K, Error = Arc<Error>>,
{
    context.data_unchecked::<DataLoader<Loaders>>().load_many(keys).await.map_err(|error| told(context, &error))
}

/// A failure to read as a client is told of it. In a mutation something may have happened before: that nothing was
/// executed would not be true.
pub fn told(context: &Context<'_>, error: &Error) -> async_graphql::Error {
    let is_mutation = context.query_env.operation.node.ty == OperationType::Mutation;
    match error {
        Error::Unavailable if is_mutation => failure(&Error::TimedOut),
        error => failure(error),
    }
}

/// The numbers of a product at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumbersAt(pub ProductId, pub Time);

/// The demand for a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DemandOf(pub ProductId);

/// The order that a cart became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderOfCart(pub CartId);

/// The order that an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderOfItem(pub OrderItemId);

/// The order that a payment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderOfPayment(pub PaymentId);

/// The order that an operation on a payment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderOfOperation(pub PaymentOperationId);

/// The order that a shipment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderOfShipment(pub ShipmentId);

macro_rules! loads {
    ($($name:ident: $key:ty => $value:ty, $read:expr, $entries:expr;)+) => {
        /// Reads that operations share.
        #[derive(Debug, Default)]
        pub struct SharedReads {
            $($name: Coalesced<$key, $value>,)+
        }

        $(
            impl Loader<$key> for Loaders {
                type Value = $value;
                type Error = Arc<Error>;

                async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Arc<Error>> {
                    let own = async || {
                        let found = $read(&self.store, keys).await.map_err(Arc::new)?;
                        Ok(found.into_iter().flat_map($entries).collect())
                    };
                    let Some(shared) = &self.shared else { return own().await };
                    let store = self.store.clone();
                    let read = move |keys: Vec<$key>| {
                        let store = store.clone();
                        async move { Ok($read(&store, &keys).await?.into_iter().flat_map($entries).collect()) }
                    };
                    let all = match shared.$name.load(keys.iter().copied(), read).await {
                        // A row that cannot be read fails those who ask for it, and nobody else.
                        Err(error) if matches!(*error, Error::Failure(_)) => return own().await,
                        found => found?,
                    };
                    Ok(keys.iter().filter_map(|key| Some((*key, all.get(key)?.clone()))).collect())
                }
            }
        )+
    };
}

loads! {
    products: ProductId => ProductRecord, Store::products, |record: ProductRecord| Some((record.product.id, record));
    stocks: StockId => Stock, stocks, |stock: Stock| Some((stock.product.into(), stock));
    demands: DemandOf => Demand, demands, Some;
    numbers_at: NumbersAt => Numbers, numbers_at, Some;
    transactions: StockTransactionId => StockTransaction, Store::transactions, |row: StockTransaction| Some((row.id, row));
    carts: CartId => Cart, Store::carts, |cart: Cart| Some((cart.id, cart));
    orders: OrderId => Arc<OrderRecord>, Store::orders, |record: OrderRecord| Some((record.order.id, Arc::new(record)));
    webhooks: WebhookId => Webhook, Store::webhooks_by_id, |webhook: Webhook| Some((webhook.id, webhook));
    deliveries: DeliveryId => Delivery, Store::deliveries_by_id, |delivery: Delivery| Some((delivery.id, delivery));
    orders_of_carts: OrderOfCart => Arc<OrderRecord>, orders_of_carts, |record: OrderRecord| {
        Some((OrderOfCart(record.order.cart), Arc::new(record)))
    };
    orders_of_items: OrderOfItem => Arc<OrderRecord>, orders_of_items, |record| {
        parts(record, |record| record.order.items.iter().map(|item| OrderOfItem(item.id)).collect())
    };
    orders_of_payments: OrderOfPayment => Arc<OrderRecord>, orders_of_payments, |record| {
        parts(record, |record| record.payments.iter().map(|payment| OrderOfPayment(payment.id)).collect())
    };
    orders_of_operations: OrderOfOperation => Arc<OrderRecord>, orders_of_operations, |record| {
        parts(record, |record| record.operations.iter().map(|operation| OrderOfOperation(operation.id)).collect())
    };
    orders_of_shipments: OrderOfShipment => Arc<OrderRecord>, orders_of_shipments, |record| {
        parts(record, |record| record.shipments.iter().map(|shipment| OrderOfShipment(shipment.id)).collect())
    };
}

/// An order under the key of each of its parts.
fn parts<K>(record: OrderRecord, keys: impl Fn(&OrderRecord) -> Vec<K>) -> Vec<(K, Arc<OrderRecord>)> {
    let record = Arc::new(record);
    keys(&record).into_iter().map(|key| (key, Arc::clone(&record))).collect()
}

async fn stocks(store: &Store, keys: &[StockId]) -> Result<Vec<Stock>, Error> {
    store.stocks(&keys.iter().map(|key| ProductId::from(*key)).collect::<Vec<_>>()).await
}

async fn demands(store: &Store, keys: &[DemandOf]) -> Result<Vec<(DemandOf, Demand)>, Error> {
    let found = store.demand(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await?;
    Ok(found.into_iter().map(|(product, demand)| (DemandOf(product), demand)).collect())
}

async fn numbers_at(store: &Store, keys: &[NumbersAt]) -> Result<Vec<(NumbersAt, Numbers)>, Error> {
    let moments: Vec<_> = keys.iter().map(|NumbersAt(product, time)| (*product, *time)).collect();
    let found = store.numbers_at(&moments).await?;
    Ok(found.into_iter().map(|((product, time), numbers)| (NumbersAt(product, time), numbers)).collect())
}

async fn orders_of_carts(store: &Store, keys: &[OrderOfCart]) -> Result<Vec<OrderRecord>, Error> {
    store.orders_of_carts(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await
}

async fn orders_of_items(store: &Store, keys: &[OrderOfItem]) -> Result<Vec<OrderRecord>, Error> {
    store.orders_of_items(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await
}

async fn orders_of_payments(store: &Store, keys: &[OrderOfPayment]) -> Result<Vec<OrderRecord>, Error> {
    store.orders_of_payments(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await
}

async fn orders_of_operations(store: &Store, keys: &[OrderOfOperation]) -> Result<Vec<OrderRecord>, Error> {
    store.orders_of_operations(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await
}

async fn orders_of_shipments(store: &Store, keys: &[OrderOfShipment]) -> Result<Vec<OrderRecord>, Error> {
    store.orders_of_shipments(&keys.iter().map(|key| key.0).collect::<Vec<_>>()).await
}
