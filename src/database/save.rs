//! Saves what a batch changed with a few statements of many rows each: new rows whole, of rows that were there only the
//! columns that can change, parents before children; and for replicas, what changed. It never writes a row that was only
//! looked at.

use std::collections::BTreeSet;

use entity::{
    cart, cart_item, idempotency_key, order, order_item, payment, payment_operation, product, sandbox_charge,
    sandbox_operation, shipment, shipment_item, stock, stock_transaction, webhook, webhook_delivery,
};
use sea_orm::DbErr;
use sea_orm::prelude::Uuid;

use crate::faults::Transaction;
use domain::cart::Cart;
use domain::id::{CartId, DeliveryId, OrderId, PaymentOperationId, WebhookId};
use domain::order::Order;
use domain::payment_operation::PaymentOperation;
use domain::webhook::{Delivery, Webhook};
use domain::world::{Table, Tables};

use super::bulk::{Bulk, MAX_IDS};
use super::commit_token::Token;
use super::demand;
use super::load::Loaded;
use super::rows;
use super::webhooks::{OF_DELIVERY, OF_WEBHOOK, delivery_row, webhook_row};

/// What can change of a product.
const OF_PRODUCT: [product::Column; 10] = {
    use product::Column as C;
    [
        C::Sku,
        C::SkuKey,
        C::Slug,
        C::Name,
        C::NameKey,
        C::Description,
        C::PriceAmount,
        C::PriceCurrency,
        C::Status,
        C::UpdatedAt,
    ]
};

/// What can change of a stock record.
const OF_STOCK: [stock::Column; 11] = {
    use stock::Column as C;
    [
        C::Managed,
        C::LowStockThreshold,
        C::Total,
        C::Allocated,
        C::ByHand,
        C::Held,
        C::Sequence,
        C::Version,
        C::UpdatedAt,
        C::ShownVersion,
        C::ShownAt,
    ]
};

/// What can change of a cart.
const OF_CART: [cart::Column; 3] = [cart::Column::Status, cart::Column::Owner, cart::Column::UpdatedAt];

/// What can change of an order.
const OF_ORDER: [order::Column; 8] = {
    use order::Column as C;
    [C::Status, C::Payment, C::Shipping, C::CancelReason, C::CancelNote, C::HeldUntil, C::Version, C::UpdatedAt]
};

/// What can change of a line of an order.
const OF_ORDER_ITEM: [order_item::Column; 4] = {
    use order_item::Column as C;
    [C::Allocated, C::Shipped, C::Cancelled, C::Returned]
};

/// What can change of a payment.
const OF_PAYMENT: [payment::Column; 14] = {
    use payment::Column as C;
    [
        C::Status,
        C::Reference,
        C::DeclineReason,
        C::DeclineCode,
        C::ActionKind,
        C::ActionUrl,
        C::ActionSecret,
        C::ActionExpiresAt,
        C::LeasedUntil,
        C::LookAt,
        C::Looks,
        C::Refunded,
        C::Operations,
        C::UpdatedAt,
    ]
};

/// What can change of an operation.
const OF_OPERATION: [payment_operation::Column; 7] = {
    use payment_operation::Column as C;
    [C::Status, C::Reference, C::FailureReason, C::LeasedUntil, C::LookAt, C::Looks, C::UpdatedAt]
};

/// What can change of an idempotency key.
const OF_KEY: [idempotency_key::Column; 5] = {
    use idempotency_key::Column as C;
    [C::Mutation, C::Fingerprint, C::PaymentId, C::Answer, C::CreatedAt]
};

/// What can change of a charge of the sandbox.
const OF_CHARGE: [sandbox_charge::Column; 4] = {
    use sandbox_charge::Column as C;
    [C::Fate, C::DueAt, C::Amount, C::Requests]
};

/// What can change of an operation of the sandbox.
const OF_CHARGE_OPERATION: [sandbox_operation::Column; 1] = [sandbox_operation::Column::Requests];

/// Saves everything that changed, and the commit token.
///
/// # Errors
/// When the database does not answer, or refuses a row that breaks one of its constraints; when a command changed what
/// its footprint does not name.
pub async fn save(tx: &Transaction, loaded: &Loaded, token: Token) -> Result<(), DbErr> {
    // What is taken is saved with the products that have it.
    let Tables {
        products,
        taken: _,
        stocks,
        log,
        carts,
        orders,
        payments,
        shipments,
        operations,
        shipped: _,
        keys,
        charges,
        charge_operations,
        webhooks,
        deliveries,
    } = &loaded.tables;
    must_be_locked(stocks.changed_keys().map(|id| id.0), &loaded.stocks)?;
    must_be_locked(products.changed_keys().map(|id| id.0), &loaded.catalogue)?;
    let mut bulk = Bulk::new(tx);
    bulk.update::<product::Entity>(&OF_PRODUCT, products.updated().map(|(_, now)| rows::product_row(now))).await?;
    // A new product may take what another gave up.
    if updates_and_makes(products) {
        bulk.send().await?;
    }
    bulk.insert::<product::Entity>(products.made().map(rows::product_row)).await?;
    bulk.update::<stock::Entity>(&OF_STOCK, stocks.updated().map(|(_, now)| rows::stock_row(now))).await?;
    bulk.insert::<stock::Entity>(stocks.made().map(rows::stock_row)).await?;
    save_carts(&mut bulk, carts).await?;
    save_orders(&mut bulk, orders).await?;
    demand::save(&mut bulk, &loaded.tables, token.new).await?;
    bulk.update::<payment::Entity>(&OF_PAYMENT, payments.updated().map(|(_, now)| rows::payment_row(now))).await?;
    // An order has one payment at a time.
    if updates_and_makes(payments) {
        bulk.send().await?;
    }
    bulk.insert::<payment::Entity>(payments.made().map(rows::payment_row)).await?;
    save_operations(&mut bulk, operations).await?;
    // A shipment never changes.
    let (shipments, items): (Vec<_>, Vec<_>) = shipments.made().map(rows::shipment_rows).unzip();
    bulk.insert::<shipment::Entity>(shipments).await?;
    bulk.insert::<shipment_item::Entity>(items.into_iter().flatten()).await?;
    bulk.insert::<stock_transaction::Entity>(log.rows().iter().map(rows::transaction_row)).await?;
    // What deletes old keys asks nobody.
    let changed: Vec<_> = keys.changes().map(rows::key_row).collect::<Result<_, _>>()?;
    bulk.put::<idempotency_key::Entity>(&OF_KEY, changed).await?;
    bulk.update::<sandbox_charge::Entity>(&OF_CHARGE, charges.updated().map(|(_, now)| rows::charge_row(now))).await?;
    bulk.insert::<sandbox_charge::Entity>(charges.made().map(rows::charge_row)).await?;
    let (changed, made) = (charge_operations.updated().map(|(_, now)| now), charge_operations.made());
    bulk.update::<sandbox_operation::Entity>(&OF_CHARGE_OPERATION, changed.map(rows::charge_operation_row)).await?;
    bulk.insert::<sandbox_operation::Entity>(made.map(rows::charge_operation_row)).await?;
    save_webhooks(&mut bulk, webhooks, deliveries).await?;
    let stocks = stocks.changes().map(|stock| ("stock", stock.product.0, stock.version));
    let orders = orders.changes().map(|order| ("order", order.id.0, order.version));
    bulk.finish(&stocks.chain(orders).collect::<Vec<_>>(), token).await
}

/// Deliveries are added in the order of their ids, which numbers those of one thing as they happened.
async fn save_webhooks(
    bulk: &mut Bulk<'_>,
    webhooks: &Table<WebhookId, Webhook>,
    deliveries: &Table<DeliveryId, Delivery>,
) -> Result<(), DbErr> {
    let gone: Vec<Uuid> = webhooks.removed().map(|id| id.0).collect();
    for ids in gone.chunks(MAX_IDS) {
        bulk.delete::<webhook::Entity>(webhook::Column::Id, ids).await?;
    }
    let gone: Vec<Uuid> = deliveries.removed().map(|id| id.0).collect();
    for ids in gone.chunks(MAX_IDS) {
        bulk.delete::<webhook_delivery::Entity>(webhook_delivery::Column::Id, ids).await?;
    }
    bulk.update::<webhook::Entity>(&OF_WEBHOOK, webhooks.updated().map(|(_, now)| webhook_row(now))).await?;
    bulk.insert::<webhook::Entity>(webhooks.made().map(webhook_row)).await?;
    let changed = deliveries.updated().map(|(_, now)| delivery_row(now));
    bulk.update::<webhook_delivery::Entity>(&OF_DELIVERY, changed).await?;
    bulk.insert::<webhook_delivery::Entity>(deliveries.made().map(delivery_row)).await
}

/// Whether rows of a table change and others are new: together these may take a unique value from those.
fn updates_and_makes<K: Ord + Clone, V: Clone + PartialEq>(table: &Table<K, V>) -> bool {
    table.updated().next().is_some() && table.made().next().is_some()
}

/// A payment has one running operation at a time.
async fn save_operations(
    bulk: &mut Bulk<'_>,
    operations: &Table<PaymentOperationId, PaymentOperation>,
) -> Result<(), DbErr> {
    let changed: Vec<_> = operations.updated().map(|(_, now)| rows::operation_row(now)).collect::<Result<_, _>>()?;
    bulk.update::<payment_operation::Entity>(&OF_OPERATION, changed).await?;
    if updates_and_makes(operations) {
        bulk.send().await?;
    }
    let made: Vec<_> = operations.made().map(rows::operation_row).collect::<Result<_, _>>()?;
    bulk.insert::<payment_operation::Entity>(made).await
}

/// A cart whose items changed is written with all of them, which may be fewer than before.
async fn save_carts(bulk: &mut Bulk<'_>, carts: &Table<CartId, Cart>) -> Result<(), DbErr> {
    let (mut changed, mut emptied, mut filled) = (Vec::new(), Vec::new(), Vec::new());
    for (before, now) in carts.updated() {
        let (row, items) = rows::cart_rows(now);
        if before.items != now.items {
            emptied.push(row.id);
            filled.extend(items);
        }
        changed.push(row);
    }
    let (made, items): (Vec<_>, Vec<_>) = carts.made().map(rows::cart_rows).unzip();
    filled.extend(items.into_iter().flatten());
    bulk.update::<cart::Entity>(&OF_CART, changed).await?;
    bulk.insert::<cart::Entity>(made).await?;
    for ids in emptied.chunks(MAX_IDS) {
        bulk.delete::<cart_item::Entity>(cart_item::Column::CartId, ids).await?;
    }
    bulk.insert::<cart_item::Entity>(filled).await
}

/// Of an order that was there, only the lines that changed are written. Their number never does.
async fn save_orders(bulk: &mut Bulk<'_>, orders: &Table<OrderId, Order>) -> Result<(), DbErr> {
    let (mut changed, mut changed_items) = (Vec::new(), Vec::new());
    for (before, now) in orders.updated() {
        let (row, items) = rows::order_rows(now);
        let pairs = items.into_iter().zip(before.items.iter().zip(&now.items));
        changed_items.extend(pairs.filter(|(_, (before, now))| before != now).map(|(row, _)| row));
        changed.push(row);
    }
    let (made, items): (Vec<_>, Vec<_>) = orders.made().map(rows::order_rows).unzip();
    bulk.update::<order::Entity>(&OF_ORDER, changed).await?;
    bulk.insert::<order::Entity>(made).await?;
    bulk.update::<order_item::Entity>(&OF_ORDER_ITEM, changed_items).await?;
    bulk.insert::<order_item::Entity>(items.into_iter().flatten()).await
}

/// A row that was not locked may have been changed by another replica since it was read.
fn must_be_locked(mut changed: impl Iterator<Item = Uuid>, locked: &BTreeSet<Uuid>) -> Result<(), DbErr> {
    match changed.find(|id| !locked.contains(id)) {
        None => Ok(()),
        Some(id) => Err(DbErr::Custom(format!("a command changed {id}, which its footprint only looks at"))),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::EntityTrait;

    use super::*;

    /// What never changes of a row, so that nobody forgets a column that is added.
    #[test]
    fn every_column_is_written_or_stands_here() {
        fn left_out<E: EntityTrait>(written: &[E::Column]) -> Vec<String> {
            use sea_orm::{IdenStatic, Iterable};
            let is_written = |column: &E::Column| written.iter().any(|one| one.as_str() == column.as_str());
            E::Column::iter().filter(|column| !is_written(column)).map(|column| column.as_str().to_owned()).collect()
        }
        assert_eq!(left_out::<product::Entity>(&OF_PRODUCT), ["id", "created_at"]);
        assert_eq!(left_out::<stock::Entity>(&OF_STOCK), ["product_id"]);
        assert_eq!(left_out::<entity::stock_demand::Entity>(&demand::OF_DEMAND), ["product_id", "batch"]);
        assert_eq!(left_out::<cart::Entity>(&OF_CART), ["id", "created_at"]);
        let order = ["id", "number", "cart_id", "owner", "customer_name", "customer_email", "total_amount"];
        assert_eq!(left_out::<order::Entity>(&OF_ORDER), [&order[..], &["total_currency", "placed_at"]].concat());
        let item = ["id", "order_id", "line", "product_id", "sku", "name", "unit_amount", "quantity"];
        assert_eq!(left_out::<order_item::Entity>(&OF_ORDER_ITEM), item);
        let payment = ["id", "order_id", "gateway", "method", "amount", "currency", "key_scope", "key", "created_at"];
        assert_eq!(left_out::<payment::Entity>(&OF_PAYMENT), payment);
        let operation = ["id", "order_id", "payment_id", "kind", "amount", "restock", "actor", "key_scope", "key"];
        assert_eq!(left_out::<payment_operation::Entity>(&OF_OPERATION), [&operation[..], &["created_at"]].concat());
        assert_eq!(left_out::<idempotency_key::Entity>(&OF_KEY), ["scope", "key"]);
        assert_eq!(left_out::<sandbox_charge::Entity>(&OF_CHARGE), ["payment_id", "token", "created_at"]);
        assert_eq!(left_out::<webhook::Entity>(&OF_WEBHOOK), ["id", "secret", "created_at"]);
        let delivery = ["position", "id", "webhook_id", "event", "thing", "data", "created_at"];
        assert_eq!(left_out::<webhook_delivery::Entity>(&OF_DELIVERY), delivery);
    }
}
