//! What commands decide on: the loaded rows of a batch, seen through [`World`], which offers only what a command may do.
//!
//! A command sees the changes of those before it in the batch, and none of those that were refused. It can never load,
//! keep or undo anything itself: that belongs to whoever runs the batch and holds the [`Tables`].

pub mod idempotency;
mod table;
mod tables;

use crate::Time;
use crate::actor::Actor;
use crate::cart::Cart;
use crate::id::{CartId, DeliveryId, OrderId, PaymentId, PaymentOperationId, ProductId, WebhookId};
use crate::order::{Order, OrderRecord};
use crate::payment::{self, KeyId, Payment};
use crate::payment_operation::{Kind, PaymentOperation};
use crate::product::{Product, ProductRecord};
use crate::rejection::Rejection;
use crate::sandbox::{Charge, ChargeOperation};
use crate::shipment::Shipment;
use crate::stock::Stock;
use crate::transaction::StockTransaction;
use crate::webhook::{Delivery, Webhook};

use idempotency::KeyRecord;

pub use table::Table;
pub use tables::{Log, Tables, Unique};

/// The shop as one command sees and changes it. What it changes is staged until the batch keeps or undoes it.
#[derive(Debug)]
pub struct World<'a> {
    tables: &'a mut Tables,
}

impl<'a> World<'a> {
    pub(super) const fn of(tables: &'a mut Tables) -> Self {
        Self { tables }
    }
}

/// The catalogue.
impl World<'_> {
    /// Returns a product.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn product(&self, id: ProductId) -> Result<&Product, Rejection> {
        self.tables.products.get(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// Returns a product to be changed.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn edit_product(&mut self, id: ProductId) -> Result<&mut Product, Rejection> {
        self.tables.products.edit(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// Stages a product, new or changed.
    pub fn put_product(&mut self, product: Product) {
        self.tables.products.put(product.id, product);
    }

    /// Returns a product with its stock record.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn product_record(&self, id: ProductId) -> Result<ProductRecord, Rejection> {
        Ok(ProductRecord { product: self.product(id)?.clone(), stock: self.tables.stocks.get(&id).cloned() })
    }

    /// Returns the product that has this SKU key or slug.
    #[must_use]
    pub fn owner_of(&self, unique: Unique, value: &str) -> Option<ProductId> {
        self.tables.taken.get(&(unique, value.to_owned())).copied()
    }

    /// Stages that a product takes a SKU key or slug.
    pub fn take(&mut self, unique: Unique, value: String, by: ProductId) {
        self.tables.taken.put((unique, value), by);
    }

    /// Stages that a SKU key or slug is free again.
    pub fn give_up(&mut self, unique: Unique, value: String) {
        self.tables.taken.remove(&(unique, value));
    }
}

/// Stock and its log.
impl World<'_> {
    /// Returns the stock record of a product.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn stock(&self, id: ProductId) -> Result<&Stock, Rejection> {
        self.tables.stocks.get(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// Returns the stock record of a product to be changed.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn edit_stock(&mut self, id: ProductId) -> Result<&mut Stock, Rejection> {
        self.tables.stocks.edit(&id).ok_or_else(|| Rejection::not_found("product"))
    }

    /// Stages the stock record of a product that is being made.
    pub fn put_stock(&mut self, stock: Stock) {
        self.tables.stocks.put(stock.product, stock);
    }

    /// Stages a row of the log. Only the ledger does, together with the movement that the row is about.
    pub fn append(&mut self, row: StockTransaction) {
        self.tables.log.push(row);
    }
}

/// Carts and orders, with what belongs to them. To anybody else, other people's do not exist.
impl World<'_> {
    /// Returns a cart.
    ///
    /// # Errors
    /// `NOT_FOUND`, in the same words whether it never was or belongs to somebody else.
    pub fn cart(&self, id: CartId, actor: &Actor) -> Result<&Cart, Rejection> {
        let usable = self.tables.carts.get(&id).filter(|cart| actor.may_use(cart.owner.as_deref()));
        usable.ok_or_else(|| Rejection::not_found("cart"))
    }

    /// Stages a cart, new or changed.
    pub fn put_cart(&mut self, cart: Cart) {
        self.tables.carts.put(cart.id, cart);
    }

    /// Returns an order.
    ///
    /// # Errors
    /// `NOT_FOUND`, in the same words whether it never was or belongs to somebody else.
    pub fn order(&self, id: OrderId, actor: &Actor) -> Result<&Order, Rejection> {
        let usable = self.tables.orders.get(&id).filter(|order| actor.may_use(order.owner.as_deref()));
        usable.ok_or_else(|| Rejection::not_found("order"))
    }

    /// Returns an order with its payments and shipments, as they are staged now.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn order_record(&self, id: OrderId) -> Result<OrderRecord, Rejection> {
        let Tables { orders, payments, shipments, operations, .. } = &*self.tables;
        let order = orders.get(&id).ok_or_else(|| Rejection::not_found("order"))?.clone();
        let payments = payments.rows().map(|(_, payment)| payment).filter(|payment| payment.order == id);
        let shipments = shipments.rows().map(|(_, shipment)| shipment).filter(|shipment| shipment.order == id);
        let operations = operations.rows().map(|(_, operation)| operation).filter(|operation| operation.order == id);
        let (payments, shipments) = (payments.cloned().collect(), shipments.cloned().collect());
        Ok(OrderRecord::new(order, payments, shipments, operations.cloned().collect()))
    }

    /// Stages an order, new or changed.
    pub fn put_order(&mut self, order: Order) {
        self.tables.orders.put(order.id, order);
    }

    /// Returns a payment.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn payment(&self, id: PaymentId) -> Result<&Payment, Rejection> {
        self.tables.payments.get(&id).ok_or_else(|| Rejection::not_found("payment"))
    }

    /// Returns a payment to be changed.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn edit_payment(&mut self, id: PaymentId) -> Result<&mut Payment, Rejection> {
        self.tables.payments.edit(&id).ok_or_else(|| Rejection::not_found("payment"))
    }

    /// Returns whether the authorization of an order's payment is being voided: it may be released at any moment.
    #[must_use]
    pub fn is_being_voided(&self, order: OrderId) -> bool {
        let is_authorized = |id: &PaymentId| {
            self.tables.payments.get(id).is_some_and(|payment| payment.status == payment::Status::Authorized)
        };
        let mut operations = self.tables.operations.rows().map(|(_, operation)| operation);
        operations.any(|operation| {
            operation.order == order
                && operation.kind == Kind::Void
                && operation.is_running()
                && is_authorized(&operation.payment)
        })
    }

    /// Returns the operation that was begun with this key on a payment, if it is over.
    #[must_use]
    pub fn ended_operation(&self, payment: PaymentId, key: &KeyId) -> Option<&PaymentOperation> {
        let mut operations = self.tables.operations.rows().map(|(_, operation)| operation);
        operations.find(|operation| {
            operation.payment == payment && operation.key.as_ref() == Some(key) && !operation.is_running()
        })
    }

    /// Stages a payment, new or changed.
    pub fn put_payment(&mut self, payment: Payment) {
        self.tables.payments.put(payment.id, payment);
    }

    /// Returns the payment of this order whose outcome is open, if there is one.
    #[must_use]
    pub fn open_payment(&self, order: OrderId) -> Option<&Payment> {
        let mut payments = self.tables.payments.rows().map(|(_, payment)| payment);
        payments.find(|payment| payment.order == order && payment.status.is_open())
    }

    /// Returns an operation on a payment.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn operation(&self, id: PaymentOperationId) -> Result<&PaymentOperation, Rejection> {
        self.tables.operations.get(&id).ok_or_else(|| Rejection::not_found("operation on a payment"))
    }

    /// Returns the operation on this payment whose outcome is open, if there is one.
    #[must_use]
    pub fn running_operation(&self, payment: PaymentId) -> Option<&PaymentOperation> {
        let mut operations = self.tables.operations.rows().map(|(_, operation)| operation);
        operations.find(|operation| operation.payment == payment && operation.is_running())
    }

    /// Whether there was an operation of this kind on this payment.
    #[must_use]
    pub fn has_operation(&self, payment: PaymentId, kind: Kind) -> bool {
        let mut operations = self.tables.operations.rows().map(|(_, operation)| operation);
        operations.any(|operation| operation.payment == payment && operation.kind == kind)
    }

    /// Stages an operation on a payment, new or changed.
    pub fn put_operation(&mut self, operation: PaymentOperation) {
        self.tables.operations.put(operation.id, operation);
    }

    /// Marks an order as changed at this moment.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn touch_order(&mut self, id: OrderId, now: Time) -> Result<(), Rejection> {
        self.tables.orders.edit(&id).ok_or_else(|| Rejection::not_found("order"))?.touch(now);
        Ok(())
    }

    /// Returns how many units of a product were taken out of stock for an order, by the log. Units of a product that was not
    /// managed when the order was paid are none of them.
    #[must_use]
    pub fn shipped_units(&self, order: OrderId, product: ProductId) -> i32 {
        let before = self.tables.shipped.get(&(order, product)).copied().unwrap_or_default();
        before.saturating_add(self.tables.log.shipped(order, product))
    }

    /// Stages a new shipment.
    pub fn put_shipment(&mut self, shipment: Shipment) {
        self.tables.shipments.put(shipment.id, shipment);
    }
}

/// Idempotency keys.
impl World<'_> {
    /// Returns what a key stands for, if it came before.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&KeyRecord> {
        self.tables.keys.get(id)
    }

    /// Returns the record of a key to be changed, if there is one.
    pub fn edit_key(&mut self, id: &KeyId) -> Option<&mut KeyRecord> {
        self.tables.keys.edit(id)
    }

    /// Stages the record of a key, new or instead of an earlier one.
    pub fn put_key(&mut self, record: KeyRecord) {
        self.tables.keys.put(record.id.clone(), record);
    }
}

/// The journal of the sandbox gateway.
impl World<'_> {
    /// Returns what the sandbox was asked to charge under this key.
    #[must_use]
    pub fn charge(&self, payment: PaymentId) -> Option<&Charge> {
        self.tables.charges.get(&payment)
    }

    /// Stages a charge, new or changed.
    pub fn put_charge(&mut self, charge: Charge) {
        self.tables.charges.put(charge.payment, charge);
    }

    /// Returns everything that the sandbox was asked to capture and to refund of a charge.
    pub fn charge_operations(&self, payment: PaymentId) -> impl Iterator<Item = &ChargeOperation> {
        let operations = self.tables.charge_operations.rows().map(|(_, operation)| operation);
        operations.filter(move |operation| operation.payment == payment)
    }

    /// Stages an operation on a charge, new or changed.
    pub fn put_charge_operation(&mut self, operation: ChargeOperation) {
        self.tables.charge_operations.put(operation.id, operation);
    }
}

/// Outgoing webhooks and what is delivered to them.
impl World<'_> {
    /// Returns the number of webhooks, if all of them are loaded.
    #[must_use]
    pub fn webhook_count(&self) -> usize {
        self.tables.webhooks.rows().count()
    }

    /// Returns a webhook.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn webhook(&self, id: WebhookId) -> Result<&Webhook, Rejection> {
        self.tables.webhooks.get(&id).ok_or_else(|| Rejection::not_found("webhook"))
    }

    /// Stages a webhook, new or changed.
    pub fn put_webhook(&mut self, webhook: Webhook) {
        self.tables.webhooks.put(webhook.id, webhook);
    }

    /// Stages that a webhook is gone.
    pub fn remove_webhook(&mut self, id: WebhookId) {
        self.tables.webhooks.remove(&id);
    }

    /// Returns a delivery.
    ///
    /// # Errors
    /// `NOT_FOUND`.
    pub fn delivery(&self, id: DeliveryId) -> Result<&Delivery, Rejection> {
        self.tables.deliveries.get(&id).ok_or_else(|| Rejection::not_found("delivery"))
    }

    /// Stages a delivery, new or changed.
    pub fn put_delivery(&mut self, delivery: Delivery) {
        self.tables.deliveries.put(delivery.id, delivery);
    }

    /// Stages that a delivery is gone.
    pub fn remove_delivery(&mut self, id: DeliveryId) {
        self.tables.deliveries.remove(&id);
    }
}
