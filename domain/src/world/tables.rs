//! The rows that a batch has in memory, a table per kind, and what its commands changed. For whoever runs the batch:
//! load, then for each command a [`World`], then keep or undo.
//!
//! Pure: it never loads or saves anything itself. Keeping, undoing and saving name every table, so that a
//! forgotten one does not compile; loading follows the [`Footprint`](crate::commands::Footprint).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cart::Cart;
use crate::id::{CartId, DeliveryId, OrderId, PaymentId, PaymentOperationId, ProductId, ShipmentId, WebhookId};
use crate::order::Order;
use crate::payment::{KeyId, Payment};
use crate::payment_operation::PaymentOperation;
use crate::product::Product;
use crate::sandbox::{Charge, ChargeOperation};
use crate::shipment::Shipment;
use crate::stock::{Action, Stock};
use crate::transaction::StockTransaction;
use crate::webhook::{Delivery, Webhook};

use super::idempotency::KeyRecord;
use super::{Table, World};

/// Rows that are only ever added.
#[derive(Debug, Default)]
pub struct Log {
    kept: Vec<StockTransaction>,
    staged: Vec<StockTransaction>,
}

impl Log {
    pub(super) fn push(&mut self, row: StockTransaction) {
        self.staged.push(row);
    }

    fn keep(&mut self) {
        self.kept.append(&mut self.staged);
    }

    fn undo(&mut self) {
        self.staged.clear();
    }

    /// Returns how many units of a product the batch has shipped for an order.
    pub(super) fn shipped(&self, order: OrderId, product: ProductId) -> i32 {
        let of_both = |row: &&StockTransaction| row.order == Some(order) && row.product == product;
        let rows = self.kept.iter().chain(&self.staged).filter(of_both);
        rows.filter(|row| row.movement.action == Action::Ship).map(|row| row.movement.quantity).sum()
    }

    /// Returns the rows that the batch adds, in order.
    #[must_use]
    pub fn rows(&self) -> &[StockTransaction] {
        &self.kept
    }
}

/// What no two products share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unique {
    /// A SKU, by its key.
    Sku,
    /// A slug.
    Slug,
}

/// The rows of a batch, by kind.
#[derive(Debug, Default)]
pub struct Tables {
    /// Products of the catalogue.
    pub products: Table<ProductId, Product>,
    /// SKUs and slugs that are taken, and by which product. Saved as part of the products.
    pub taken: Table<(Unique, String), ProductId>,
    /// Stock records, by product.
    pub stocks: Table<ProductId, Stock>,
    /// New rows of the log.
    pub log: Log,
    /// Carts with their items.
    pub carts: Table<CartId, Cart>,
    /// Orders with their items.
    pub orders: Table<OrderId, Order>,
    /// All payments of those orders.
    pub payments: Table<PaymentId, Payment>,
    /// All shipments of those orders.
    pub shipments: Table<ShipmentId, Shipment>,
    /// Operations on those payments.
    pub operations: Table<PaymentOperationId, PaymentOperation>,
    /// Units that the log says were shipped before this batch, by order and product, where a command wants to know. Never saved.
    pub shipped: BTreeMap<(OrderId, ProductId), i32>,
    /// Idempotency keys.
    pub keys: Table<KeyId, KeyRecord>,
    /// Charges in the sandbox's journal.
    pub charges: Table<PaymentId, Charge>,
    /// Captures and refunds in the sandbox's journal.
    pub charge_operations: Table<PaymentOperationId, ChargeOperation>,
    /// Outgoing webhooks.
    pub webhooks: Table<WebhookId, Webhook>,
    /// Deliveries to outgoing webhooks. New ones are saved in the order of their ids.
    pub deliveries: Table<DeliveryId, Delivery>,
}

impl Tables {
    /// Returns the view for the next command.
    pub const fn world(&mut self) -> World<'_> {
        World::of(self)
    }

    /// Returns whether the batch has anything to save.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let Self {
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
        } = self;
        !log.kept.is_empty()
            || products.has_changes()
            || stocks.has_changes()
            || carts.has_changes()
            || orders.has_changes()
            || payments.has_changes()
            || shipments.has_changes()
            || operations.has_changes()
            || keys.has_changes()
            || charges.has_changes()
            || charge_operations.has_changes()
            || webhooks.has_changes()
            || deliveries.has_changes()
    }

    /// Makes what the last command staged part of the batch.
    pub fn keep(&mut self) {
        let Self {
            products,
            taken,
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
        } = self;
        log.keep();
        products.keep();
        taken.keep();
        stocks.keep();
        carts.keep();
        orders.keep();
        payments.keep();
        shipments.keep();
        operations.keep();
        keys.keep();
        charges.keep();
        charge_operations.keep();
        webhooks.keep();
        deliveries.keep();
    }

    /// Forgets what the last command staged.
    pub fn undo(&mut self) {
        let Self {
            products,
            taken,
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
        } = self;
        log.undo();
        products.undo();
        taken.undo();
        stocks.undo();
        carts.undo();
        orders.undo();
        payments.undo();
        shipments.undo();
        operations.undo();
        keys.undo();
        charges.undo();
        charge_operations.undo();
        webhooks.undo();
        deliveries.undo();
    }
}
