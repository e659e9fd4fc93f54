//! The part of the shop that a batch works on: the loaded rows, and what its commands changed.
//!
//! Pure: it never loads or saves anything itself. A command sees the changes of those before it in the batch, and none
//! of those that were refused.

use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::cart::Cart;
use crate::domain::id::{CartId, OrderId, PaymentId, ProductId, ShipmentId};
use crate::domain::order::Order;
use crate::domain::party::Party;
use crate::domain::payment::{KeyId, Payment};
use crate::domain::product::Product;
use crate::domain::rejection::Rejection;
use crate::domain::sandbox::Charge;
use crate::domain::shipment::Shipment;
use crate::domain::stock::Stock;
use crate::domain::transaction::StockTransaction;

use super::table::Table;

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub id: KeyId,
    /// The mutation that it came with.
    pub mutation: String,
    /// Of the input that it came with.
    pub fingerprint: String,
    /// The attempt to pay that it began.
    pub payment: Option<PaymentId>,
    /// What was answered, as JSON; `None` while the attempt is under way.
    pub answer: Option<String>,
    /// When it came first.
    pub created_at: Time,
}

/// Rows that are only ever added.
#[derive(Debug, Default)]
pub struct Log {
    kept: Vec<StockTransaction>,
    staged: Vec<StockTransaction>,
}

impl Log {
    /// Adds a row.
    pub fn push(&mut self, row: StockTransaction) {
        self.staged.push(row);
    }

    /// The rows that the batch adds, in order.
    #[must_use]
    pub fn rows(&self) -> &[StockTransaction] {
        &self.kept
    }
}

/// What is taken already, so that two products never share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unique {
    /// A SKU, by its key.
    Sku,
    /// A slug.
    Slug,
}

/// The part of the shop that a batch works on.
#[derive(Debug, Default)]
pub struct World {
    /// Products of the catalogue.
    pub products: Table<ProductId, Product>,
    /// SKUs and slugs that are taken, and by whom.
    pub taken: Table<(Unique, String), ProductId>,
    /// Stock records, by product.
    pub stocks: Table<ProductId, Stock>,
    /// The log's new rows.
    pub log: Log,
    /// Carts with their lines.
    pub carts: Table<CartId, Cart>,
    /// Orders with their items.
    pub orders: Table<OrderId, Order>,
    /// All payments of those orders.
    pub payments: Table<PaymentId, Payment>,
    /// New shipments.
    pub shipments: Table<ShipmentId, Shipment>,
    /// Idempotency keys.
    pub keys: Table<KeyId, KeyRecord>,
    /// The sandbox's journal.
    pub charges: Table<PaymentId, Charge>,
}

impl World {
    /// The product, or the refusal that there is none.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn product(&self, id: ProductId) -> Result<&Product, Rejection> {
        self.products.get(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// The stock record, or the refusal that there is none.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn stock(&self, id: ProductId) -> Result<&Stock, Rejection> {
        self.stocks.get(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// The cart, or the refusal that for this party there is none.
    ///
    /// # Errors
    /// `NOT_FOUND`, in the same words whether it never was or is somebody else's.
    pub fn cart(&self, id: CartId, who: &Party) -> Result<&Cart, Rejection> {
        let usable = self.carts.get(&id).filter(|cart| who.may_use(cart.owner.as_deref()));
        usable.ok_or_else(|| Rejection::not_found("cart"))
    }

    /// The order, or the refusal that for this party there is none.
    ///
    /// # Errors
    /// `NOT_FOUND`, in the same words whether it never was or is somebody else's.
    pub fn order(&self, id: OrderId, who: &Party) -> Result<&Order, Rejection> {
        let usable = self.orders.get(&id).filter(|order| who.may_use(order.owner.as_deref()));
        usable.ok_or_else(|| Rejection::not_found("order"))
    }

    /// The payment of this order whose outcome is open, if there is one.
    #[must_use]
    pub fn open_payment(&self, order: OrderId) -> Option<&Payment> {
        self.payments.rows().map(|(_, payment)| payment).find(|p| p.order == order && p.status.is_open())
    }

    /// Whether the batch has anything to save.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let Self { products, taken: _, stocks, log, carts, orders, payments, shipments, keys, charges } = self;
        !log.kept.is_empty()
            || products.has_changes()
            || stocks.has_changes()
            || carts.has_changes()
            || orders.has_changes()
            || payments.has_changes()
            || shipments.has_changes()
            || keys.has_changes()
            || charges.has_changes()
    }

    /// Makes what the current command staged part of the batch.
    pub fn keep(&mut self) {
        self.log.kept.append(&mut self.log.staged);
        self.products.keep();
        self.taken.keep();
        self.stocks.keep();
        self.carts.keep();
        self.orders.keep();
        self.payments.keep();
        self.shipments.keep();
        self.keys.keep();
        self.charges.keep();
    }

    /// Forgets what the current command staged.
    pub fn undo(&mut self) {
        self.log.staged.clear();
        self.products.undo();
        self.taken.undo();
        self.stocks.undo();
        self.carts.undo();
        self.orders.undo();
        self.payments.undo();
        self.shipments.undo();
        self.keys.undo();
        self.charges.undo();
    }
}
