//! Loads the rows that a batch needs, in stages: names, carts, orders, products, stock, webhooks, each in the order of
//! ids, and locks those that may be changed in just that order, so that no two replicas wait for each other.
//!
//! It reads only inside the writer's transaction, so nothing that it locks can change before the commit.

use std::collections::{BTreeMap, BTreeSet};

use entity::{
    cart, cart_item, order, order_item, payment, payment_operation, product, sandbox_charge, sandbox_operation,
    shipment, shipment_item, stock, stock_transaction, webhook,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ModelTrait, Order, QueryFilter, QueryOrder,
    QuerySelect, Value,
};

use crate::faults::{self, Breach, Transaction};
use domain::commands::Footprint;
use domain::id::{DeliveryId, OrderId, PaymentId, PaymentOperationId, ProductId, WebhookId};
use domain::order::ShippingStatus;
use domain::payment::KeyId;
use domain::stock::Action;
use domain::world::{Tables, Unique};

use super::bulk::{MAX_IDS, among};
use super::lock_conflicts::{LockConflicts, advisory_names, key_name};
use super::postgres::advisory_lock;
use super::{keys, rows, webhooks};

/// Maximum number of rows that are read to find a free number for one slug.
const MAX_NUMBERED_SLUGS: u64 = 2_000;

/// How rows are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Not at all: the transaction is the only one that writes.
    Needless,
    /// Waiting for whoever holds them, for a short time.
    Wait,
    /// Without waiting: what somebody holds is left out, and reported as a conflict.
    Skip,
}

/// The rows of a batch.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rows.
    pub tables: Tables,
    /// What another transaction holds.
    pub conflicts: LockConflicts,
    /// The orders of the payments that commands named, held or not.
    pub orders_of_payments: BTreeMap<PaymentId, OrderId>,
    /// The keys of operations that commands named.
    pub keys_of_operations: BTreeMap<PaymentOperationId, KeyId>,
    /// The webhooks of the deliveries that commands named, held or not.
    pub webhooks_of_deliveries: BTreeMap<DeliveryId, WebhookId>,
    /// Stock records that may be changed.
    pub stocks: BTreeSet<Uuid>,
    /// Products that may be changed.
    pub catalogue: BTreeSet<Uuid>,
}

impl Loaded {
    /// Returns the orders of payments that commands named.
    pub fn orders_of(&self, payments: &[PaymentId]) -> impl Iterator<Item = OrderId> {
        payments.iter().filter_map(|id| self.orders_of_payments.get(id)).copied()
    }
}

/// Loads everything that the footprint names.
///
/// # Errors
/// When the database does not answer, when a wait for a lock is over, or when there is a row that this release cannot
/// read.
pub async fn load(tx: &Transaction, footprint: Footprint, locks: Locks) -> Result<Loaded, DbErr> {
    let loader = Loader { tx, locks };
    let mut loaded = Loaded::default();
    let mut names = advisory_names(&footprint);
    let Footprint {
        mut keys,
        carts,
        carts_with_stock,
        orders,
        orders_without_stock,
        payments,
        payments_without_stock,
        returns_of,
        operations,
        products,
        catalogue,
        seen,
        skus,
        slugs,
        charges,
        webhooks,
        all_webhooks,
        deliveries,
    } = footprint;

    // A payment never changes its order nor its key, so they are read before anything is locked.
    let named = ids(payments.iter().chain(&payments_without_stock).map(|id| id.0));
    for row in loader.plain::<payment::Entity>(payment::Column::Id, &named).await? {
        let payment = rows::payment(row)?;
        loaded.orders_of_payments.insert(payment.id, payment.order);
        names.extend(payment.key.as_ref().map(key_name));
        keys.extend(payment.key);
    }
    // Nor does an operation its key.
    let named = ids(operations.iter().map(|id| id.0));
    for row in loader.plain::<payment_operation::Entity>(payment_operation::Column::Id, &named).await? {
        let key = row.key_scope.zip(row.key).map(|(scope, key)| KeyId { scope, key });
        names.extend(key.as_ref().map(key_name));
        loaded.keys_of_operations.extend(key.clone().map(|key| (PaymentOperationId(row.id), key)));
        keys.extend(key);
    }
    let with_stock: BTreeSet<Uuid> = orders.into_iter().chain(loaded.orders_of(&payments)).map(|id| id.0).collect();
    let without_stock = orders_without_stock.into_iter().chain(loaded.orders_of(&payments_without_stock));
    let orders = ids(without_stock.map(|id| id.0).chain(with_stock.iter().copied()));
    if locks != Locks::Needless {
        loaded.conflicts.names = advisory_lock(tx, &names, locks == Locks::Skip).await?;
    }
    loader.keys(&mut loaded.tables, keys).await?;
    let mut seen: BTreeSet<Uuid> = seen.iter().map(|id| id.0).collect();
    loaded.catalogue = catalogue.iter().map(|id| id.0).collect();
    loaded.stocks = products.iter().chain(&catalogue).map(|id| id.0).collect();
    let carts_to_load = ids(carts.iter().chain(&carts_with_stock).map(|id| id.0));
    let carts_with_stock = carts_with_stock.into_iter().map(|id| id.0).collect();
    loader.carts(&mut loaded, &carts_to_load, &carts_with_stock, &mut seen).await?;
    loader.orders(&mut loaded, &orders, &with_stock).await?;
    loader.products(&mut loaded, &seen).await?;
    loader.stocks(&mut loaded, &seen).await?;
    loader.taken(&mut loaded.tables, skus, slugs).await?;
    let of_returns = ids(loaded.orders_of(&returns_of).map(|id| id.0));
    loader.shipped(&mut loaded.tables, &of_returns).await?;
    loader.charges(&mut loaded.tables, &charges).await?;
    if all_webhooks {
        for webhook in webhooks::all(tx).await? {
            loaded.tables.webhooks.load(webhook.id, webhook);
        }
    }
    loader.webhooks(&mut loaded, &webhooks, &deliveries).await?;
    Ok(loaded)
}

fn ids(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

struct Loader<'a> {
    tx: &'a Transaction,
    locks: Locks,
}

impl Loader<'_> {
    /// All rows whose column has one of these ids, in the order of ids.
    async fn plain<E: EntityTrait>(&self, column: E::Column, ids: &[Uuid]) -> Result<Vec<E::Model>, DbErr> {
        self.rows::<E>(column, ids, None).await
    }

    /// The same, locked so that nobody else changes them, and which of them somebody else holds.
    async fn locked<E: EntityTrait>(
        &self,
        column: E::Column,
        ids: &[Uuid],
        held: &mut BTreeSet<Uuid>,
        lock: LockType,
    ) -> Result<Vec<E::Model>, DbErr>
    where
        E::Model: ModelTrait<Entity = E>,
    {
        let id = |row: &E::Model| match row.get(column) {
            Value::Uuid(id) => id,
            _ => None,
        };
        let found = self.rows::<E>(column, ids, Some(lock)).await?;
        if self.locks == Locks::Skip && found.len() < ids.len() {
            let free: BTreeSet<Uuid> = found.iter().filter_map(id).collect();
            let absent: Vec<Uuid> = ids.iter().copied().filter(|id| !free.contains(id)).collect();
            held.extend(self.rows::<E>(column, &absent, None).await?.iter().filter_map(id));
        }
        Ok(found)
    }

    async fn rows<E: EntityTrait>(
        &self,
        column: E::Column,
        ids: &[Uuid],
        lock: Option<LockType>,
    ) -> Result<Vec<E::Model>, DbErr> {
        let mut found = Vec::new();
        for ids in ids.chunks(MAX_IDS) {
            let wanted = among(self.tx.get_database_backend(), column, ids);
            let query = E::find().filter(wanted).order_by(column, Self::order());
            let query = match (lock, self.locks) {
                (None, _) | (_, Locks::Needless) => query,
                (Some(lock), Locks::Wait) => query.lock(lock),
                (Some(lock), Locks::Skip) => query.lock_with_behavior(lock, LockBehavior::SkipLocked),
            };
            found.append(&mut query.all(self.tx).await?);
        }
        Ok(found)
    }

    /// The order in which rows are locked.
    fn order() -> Order {
        if faults::breaks(Breach::UnsortedLocks) && faults::is_other_time() { Order::Desc } else { Order::Asc }
    }

    async fn keys(&self, tables: &mut Tables, keys: Vec<KeyId>) -> Result<(), DbErr> {
        let wanted: BTreeSet<KeyId> = keys.into_iter().collect();
        for key in keys::find(self.tx, &wanted).await?.into_iter().map(rows::key) {
            tables.keys.load(key.id.clone(), key);
        }
        Ok(())
    }

    /// Carts with their items. The stock of the products of those that come with their stock may be changed.
    async fn carts(
        &self,
        loaded: &mut Loaded,
        ids: &[Uuid],
        with_stock: &BTreeSet<Uuid>,
        seen: &mut BTreeSet<Uuid>,
    ) -> Result<(), DbErr> {
        let Loaded { tables, conflicts, stocks, .. } = loaded;
        let carts =
            self.locked::<cart::Entity>(cart::Column::Id, ids, &mut conflicts.carts, LockType::NoKeyUpdate).await?;
        let items = self.plain::<cart_item::Entity>(cart_item::Column::CartId, ids).await?;
        seen.extend(items.iter().map(|item| item.product_id));
        stocks.extend(items.iter().filter(|item| with_stock.contains(&item.cart_id)).map(|item| item.product_id));
        let mut items = rows::group(items, |item| item.cart_id);
        for row in carts {
            let items = items.remove(&row.id).unwrap_or_default();
            let cart = rows::cart(row, items)?;
            tables.carts.load(cart.id, cart);
        }
        Ok(())
    }

    /// Orders with their items, payments and shipments. The stock of those that come with their stock may be changed.
    async fn orders(&self, loaded: &mut Loaded, ids: &[Uuid], with_stock: &BTreeSet<Uuid>) -> Result<(), DbErr> {
        let Loaded { tables, conflicts, stocks, .. } = loaded;
        let lock = LockType::NoKeyUpdate;
        let orders = if faults::breaks(Breach::NoLocks) {
            self.plain::<order::Entity>(order::Column::Id, ids).await?
        } else {
            self.locked::<order::Entity>(order::Column::Id, ids, &mut conflicts.orders, lock).await?
        };
        let ids: Vec<Uuid> = orders.iter().map(|order| order.id).collect();
        let items = self.plain::<order_item::Entity>(order_item::Column::OrderId, &ids).await?;
        stocks.extend(items.iter().filter(|item| with_stock.contains(&item.order_id)).map(|item| item.product_id));
        let mut items = rows::group(items, |item| item.order_id);
        let mut shipped = Vec::new();
        for row in orders {
            let items = items.remove(&row.id).unwrap_or_default();
            let order = rows::order(row, items)?;
            if order.shipping != ShippingStatus::Unfulfilled {
                shipped.push(order.id.0);
            }
            tables.orders.load(order.id, order);
        }
        let mut operated = Vec::new();
        for row in self.plain::<payment::Entity>(payment::Column::OrderId, &ids).await? {
            let payment = rows::payment(row)?;
            if payment.operations > 0 {
                operated.push(payment.order.0);
            }
            tables.payments.load(payment.id, payment);
        }
        self.operations(tables, operated).await?;
        self.shipments(tables, &shipped).await
    }

    /// What the sandbox has in its journal of these payments.
    async fn charges(&self, tables: &mut Tables, payments: &[PaymentId]) -> Result<(), DbErr> {
        let payments = ids(payments.iter().map(|id| id.0));
        for row in self.plain::<sandbox_charge::Entity>(sandbox_charge::Column::PaymentId, &payments).await? {
            let charge = rows::charge(&row)?;
            tables.charges.load(charge.payment, charge);
        }
        for row in self.plain::<sandbox_operation::Entity>(sandbox_operation::Column::PaymentId, &payments).await? {
            let operation = rows::charge_operation(&row)?;
            tables.charge_operations.load(operation.id, operation);
        }
        Ok(())
    }

    /// All operations on the payments of these orders.
    async fn operations(&self, tables: &mut Tables, orders: Vec<Uuid>) -> Result<(), DbErr> {
        let orders = ids(orders);
        if orders.is_empty() {
            return Ok(());
        }
        for row in self.plain::<payment_operation::Entity>(payment_operation::Column::OrderId, &orders).await? {
            let Some(payment) = tables.payments.get(&PaymentId(row.payment_id)) else { continue };
            let operation = rows::operation(row, payment.amount.currency)?;
            tables.operations.load(operation.id, operation);
        }
        Ok(())
    }

    /// How many units of each product were shipped for these orders, by the log.
    async fn shipped(&self, tables: &mut Tables, orders: &[Uuid]) -> Result<(), DbErr> {
        use stock_transaction::Column;
        for ids in orders.chunks(MAX_IDS) {
            let query = stock_transaction::Entity::find()
                .select_only()
                .columns([Column::OrderId, Column::ProductId])
                .column_as(Expr::col(Column::Quantity).sum(), "shipped")
                .filter(among(self.tx.get_database_backend(), Column::OrderId, ids))
                .filter(Column::Action.eq(Action::Ship.as_str()))
                .group_by(Column::OrderId)
                .group_by(Column::ProductId);
            let found: Vec<(Uuid, Uuid, i64)> = query.into_tuple().all(self.tx).await?;
            let shipped = found.into_iter().map(|(order, product, units)| {
                ((OrderId(order), ProductId(product)), i32::try_from(units).unwrap_or(i32::MAX))
            });
            tables.shipped.extend(shipped);
        }
        Ok(())
    }

    async fn shipments(&self, tables: &mut Tables, orders: &[Uuid]) -> Result<(), DbErr> {
        if orders.is_empty() {
            return Ok(());
        }
        let shipments = self.plain::<shipment::Entity>(shipment::Column::OrderId, orders).await?;
        let ids: Vec<Uuid> = shipments.iter().map(|shipment| shipment.id).collect();
        let items = self.plain::<shipment_item::Entity>(shipment_item::Column::ShipmentId, &ids).await?;
        let mut items = rows::group(items, |item| item.shipment_id);
        for row in shipments {
            let items = items.remove(&row.id).unwrap_or_default();
            let shipment = rows::shipment(row, items);
            tables.shipments.load(shipment.id, shipment);
        }
        Ok(())
    }

    async fn products(&self, loaded: &mut Loaded, seen: &BTreeSet<Uuid>) -> Result<(), DbErr> {
        let Loaded { tables, conflicts, stocks, catalogue, .. } = loaded;
        let (column, lock) = (product::Column::Id, LockType::NoKeyUpdate);
        let wanted = ids(catalogue.iter().copied());
        for row in self.locked::<product::Entity>(column, &wanted, &mut conflicts.catalogue, lock).await? {
            let product = rows::product(row)?;
            tables.products.load(product.id, product);
        }
        let is_loaded = |tables: &Tables, id: &Uuid| tables.products.get(&ProductId(*id)).is_some();
        let others = ids(seen.union(stocks).copied().filter(|id| !is_loaded(tables, id)));
        let others = match self.locks {
            // Rows that refer to a product wait for whoever takes it away altogether.
            Locks::Skip => {
                self.locked::<product::Entity>(column, &others, &mut conflicts.products, LockType::KeyShare).await?
            }
            Locks::Needless | Locks::Wait => self.plain::<product::Entity>(column, &others).await?,
        };
        for row in others {
            let product = rows::product(row)?;
            tables.products.load(product.id, product);
        }
        Ok(())
    }

    async fn stocks(&self, loaded: &mut Loaded, seen: &BTreeSet<Uuid>) -> Result<(), DbErr> {
        let Loaded { tables, conflicts, stocks, .. } = loaded;
        let (column, lock) = (stock::Column::ProductId, LockType::NoKeyUpdate);
        let wanted = ids(stocks.iter().copied());
        for row in self.locked::<stock::Entity>(column, &wanted, &mut conflicts.stocks, lock).await? {
            let stock = rows::stock(&row);
            tables.stocks.load(stock.product, stock);
        }
        let others = ids(seen.iter().copied().filter(|id| tables.stocks.get(&ProductId(*id)).is_none()));
        for row in self.plain::<stock::Entity>(column, &others).await? {
            let stock = rows::stock(&row);
            tables.stocks.load(stock.product, stock);
        }
        Ok(())
    }

    /// Webhooks, and deliveries with theirs. Deliveries need no lock: whoever changes one holds its webhook.
    async fn webhooks(&self, loaded: &mut Loaded, named: &[WebhookId], deliveries: &[DeliveryId]) -> Result<(), DbErr> {
        // A delivery never changes its webhook, so that is read before anything is locked.
        loaded.webhooks_of_deliveries = webhooks::of_deliveries(self.tx, deliveries).await?;
        let wanted = named.iter().chain(loaded.webhooks_of_deliveries.values()).map(|id| id.0);
        let (column, wanted, lock) = (webhook::Column::Id, ids(wanted), LockType::NoKeyUpdate);
        for row in self.locked::<webhook::Entity>(column, &wanted, &mut loaded.conflicts.webhooks, lock).await? {
            let webhook = webhooks::webhook(row)?;
            loaded.tables.webhooks.load(webhook.id, webhook);
        }
        for delivery in webhooks::deliveries(self.tx, deliveries).await? {
            loaded.tables.deliveries.load(delivery.id, delivery);
        }
        Ok(())
    }

    /// What is taken of the SKUs and slugs that somebody wants, and of the numbered forms of those slugs.
    async fn taken(&self, tables: &mut Tables, skus: Vec<String>, slugs: Vec<String>) -> Result<(), DbErr> {
        for skus in skus.chunks(MAX_IDS) {
            let query = product::Entity::find().filter(product::Column::SkuKey.is_in(skus));
            for row in query.all(self.tx).await? {
                tables.taken.load((Unique::Sku, row.sku_key), ProductId(row.id));
            }
        }
        for slug in slugs.into_iter().collect::<BTreeSet<_>>() {
            // In ASCII "." follows "-": the range holds exactly what begins with the slug and a hyphen.
            let numbered = Condition::all()
                .add(product::Column::Slug.gte(format!("{slug}-")))
                .add(product::Column::Slug.lt(format!("{slug}.")));
            let either = Condition::any().add(product::Column::Slug.eq(slug)).add(numbered);
            let query = product::Entity::find().filter(either).order_by_asc(product::Column::Slug);
            for row in query.limit(MAX_NUMBERED_SLUGS).all(self.tx).await? {
                tables.taken.load((Unique::Slug, row.slug), ProductId(row.id));
            }
        }
        Ok(())
    }
}
