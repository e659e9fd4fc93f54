//! What can be done to the shop, one file per verb: which rows a command needs, and one pure function that decides.
//!
//! Pure: no I/O, no clock, no randomness of its own. A decision never answers with success for something that it has not
//! put into the world, and a rejection leaves the world as it was (whoever runs the batch undoes what was staged).

mod adjust_stock;
mod advance_webhook;
mod archive_product;
mod begin_import;
mod begin_payment;
mod cancel_order;
mod capture_payment;
mod cart_items;
mod check_out;
mod create_cart;
mod create_product;
mod create_webhook;
mod delete_webhook;
mod deliver;
mod end_hold;
mod expire_carts;
mod expire_orders;
mod fail_refund;
mod fill_catalogue;
mod import_row;
mod ledger;
mod operation;
mod recover_operation;
mod recover_payment;
mod refund_payment;
mod repeat_delivery;
mod sandbox;
mod settle_operation;
mod settle_payment;
mod ship_order;
mod update_cart;
mod update_product;
mod update_webhook;
mod void_payment;

pub use adjust_stock::{AdjustStock, AdjustedRows, AdjustedStock, MAX_CHANGES, Preview, StockChange};
pub use advance_webhook::{AdvanceWebhook, StockEvent};
pub use archive_product::ArchiveProduct;
pub use begin_import::{BeginImport, ImportRound};
pub use begin_payment::{BeginPayment, Begun};
pub use cancel_order::CancelOrder;
pub use capture_payment::CapturePayment;
pub use check_out::CheckOut;
pub use create_cart::CreateCart;
pub use create_product::{CreateProduct, NewProduct, ProductInput};
pub use create_webhook::CreateWebhook;
pub use delete_webhook::DeleteWebhook;
pub use deliver::{ClaimWebhook, RecordAttempt, ReleaseWebhook};
pub use end_hold::EndHold;
pub use expire_carts::ExpireCarts;
pub use expire_orders::ExpireOrders;
pub use fail_refund::FailRefund;
pub use fill_catalogue::FillCatalogue;
pub use import_row::{ImportRow, ImportedRow, RowResult, RowTask};
pub use operation::{BegunOperation, OperationRequest, operation_in_progress};
pub use recover_operation::{ClaimOperation, DeferOperation};
pub use recover_payment::{ClaimPayment, DeferPayment, GiveUpPayment};
pub use refund_payment::RefundPayment;
pub use repeat_delivery::RepeatDelivery;
pub use sandbox::{CancelCharge, OperateCharge, RecordCharge};
pub use settle_operation::{OperationOutcome, SettleOperation, SettledOperation};
pub use settle_payment::{Paid, PayAnswer, SettlePayment, Settled};
pub use ship_order::{ItemQuantity, ShipOrder};
pub use update_cart::{CartChange, UpdateCart};
pub use update_product::{ProductChanges, UpdateProduct};
pub use update_webhook::UpdateWebhook;
pub use void_payment::VoidPayment;

use crate::Time;
use crate::actor::Actor;
use crate::id::{CartId, DeliveryId, OperationId, OrderId, PaymentId, PaymentOperationId, ProductId, WebhookId};
use crate::payment::KeyId;
use crate::random::Random;
use crate::rejection::Rejections;
use crate::stock::PublicStock;
use crate::world::World;

/// Which rows a command needs. The writer loads the union of a whole batch, in stages: payments name their orders,
/// orders name products whose stock may be changed, carts name products that are only looked at.
#[derive(Debug, Default)]
pub struct Footprint {
    /// Idempotency keys.
    pub keys: Vec<KeyId>,
    /// Carts, with their items and the products of those.
    pub carts: Vec<CartId>,
    /// The same, and the stock of the products may be changed.
    pub carts_with_stock: Vec<CartId>,
    /// Orders, with their items, payments and shipments, and the stock of their products, which may be changed.
    pub orders: Vec<OrderId>,
    /// The same without the stock: nobody who holds a product has to be waited for.
    pub orders_without_stock: Vec<OrderId>,
    /// Payments, with their orders as above, and the keys under which they were begun.
    pub payments: Vec<PaymentId>,
    /// The same without the stock.
    pub payments_without_stock: Vec<PaymentId>,
    /// Payments of whose orders it is looked up in the log how many units were shipped.
    pub returns_of: Vec<PaymentId>,
    /// Operations on payments that are named as well: the keys under which they were begun.
    pub operations: Vec<PaymentOperationId>,
    /// Products whose stock may be changed, with their stock.
    pub products: Vec<ProductId>,
    /// Products that may themselves be changed, with their stock, which may be, too.
    pub catalogue: Vec<ProductId>,
    /// Products that are only looked at, with their stock: nobody has to wait for them.
    pub seen: Vec<ProductId>,
    /// Keys of SKUs that the command wants to give away.
    pub skus: Vec<String>,
    /// Slugs that the command wants to give away; those that number them are loaded too.
    pub slugs: Vec<String>,
    /// Charges in the sandbox's journal.
    pub charges: Vec<PaymentId>,
    /// Outgoing webhooks, which may be changed. Whoever changes a delivery names its webhook.
    pub webhooks: Vec<WebhookId>,
    /// All outgoing webhooks, to be counted: nobody else makes one meanwhile.
    pub all_webhooks: bool,
    /// Deliveries, with their webhooks, all of which may be changed.
    pub deliveries: Vec<DeliveryId>,
}

impl Footprint {
    /// Adds what another command needs.
    pub fn absorb(&mut self, other: Self) {
        let Self {
            keys,
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
        } = other;
        self.keys.extend(keys);
        self.carts.extend(carts);
        self.carts_with_stock.extend(carts_with_stock);
        self.orders.extend(orders);
        self.orders_without_stock.extend(orders_without_stock);
        self.payments.extend(payments);
        self.payments_without_stock.extend(payments_without_stock);
        self.returns_of.extend(returns_of);
        self.operations.extend(operations);
        self.products.extend(products);
        self.catalogue.extend(catalogue);
        self.seen.extend(seen);
        self.skus.extend(skus);
        self.slugs.extend(slugs);
        self.charges.extend(charges);
        self.webhooks.extend(webhooks);
        self.all_webhooks |= all_webhooks;
        self.deliveries.extend(deliveries);
    }
}

/// What is handed to a decision from outside.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time, taken after the rows were loaded.
    pub now: Time,
    /// Who does it.
    pub actor: &'a Actor,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// What all log rows of this command share.
    pub operation: OperationId,
    /// The source of ids.
    pub random: &'a mut Random,
}

/// Something that can be done to the shop.
pub trait Command: Send + 'static {
    /// What it returns when it is accepted: the things that it changed, as it left them in the serial order of commands.
    /// It is answered after the commit. A later command of the same batch may have changed them again by then.
    type Answer: Send + 'static;

    /// The rows it needs.
    fn footprint(&self) -> Footprint;

    /// About how many rows it writes, as far as its input tells: the bound of a batch, not a promise.
    fn rows(&self) -> usize {
        1
    }

    /// Decides, and stages what changes.
    ///
    /// # Errors
    /// Why the business does not allow it. What was staged by then is undone.
    fn decide(&self, world: &mut World<'_>, context: &mut Context<'_>) -> Result<Self::Answer, Rejections>;
}

#[cfg(test)]
mod holding;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod operating_simulation;
#[cfg(test)]
mod paying;
#[cfg(test)]
mod refunding;
#[cfg(test)]
mod simulation;
