//! What can be done to the shop, one file per verb: which rows a command needs, and one pure function that decides.
//!
//! Pure like `domain`: no I/O, no clock, no randomness of its own. A decision never answers with success for something
//! that it has not put into the world, and a refusal leaves the world as it was (the writer undoes what was staged).

mod adjust_stock;
mod archive_product;
mod begin_import;
mod begin_payment;
mod cancel_order;
mod cart_lines;
mod check_out;
mod create_cart;
mod create_product;
mod fill_catalogue;
mod import_row;
mod ledger;
mod play_sandbox;
mod settle_payment;
mod ship_order;
mod update_cart;
mod update_product;
mod watch_payment;

pub use adjust_stock::{AdjustStock, AdjustStockAnswer, MAX_CHANGES, Preview, StockChange};
pub use archive_product::ArchiveProduct;
pub use begin_import::{BeginImport, ImportRound};
pub use begin_payment::{BeginPayment, Begun, PayAnswer};
pub use cancel_order::CancelOrder;
pub use check_out::CheckOut;
pub use create_cart::CreateCart;
pub use create_product::{CreateProduct, NewProduct, ProductInput};
pub use fill_catalogue::FillCatalogue;
pub use import_row::{ImportRow, ImportedRow, RowResult, RowTask};
pub use play_sandbox::{CancelCharge, RecordCharge};
pub use settle_payment::{SettlePayment, Settled};
pub use ship_order::ShipOrder;
pub use update_cart::{CartChange, UpdateCart};
pub use update_product::{ProductChanges, UpdateProduct};
pub use watch_payment::{ClaimPayment, DeferPayment};

use crate::domain::Time;
use crate::domain::id::{CartId, OperationId, OrderId, PaymentId, ProductId};
use crate::domain::party::Party;
use crate::domain::payment::KeyId;
use crate::domain::random::Random;
use crate::domain::rejection::Refusal;
use crate::domain::stock::PublicStock;
use crate::writer::world::World;

/// Which rows a command needs. The writer loads the union of a whole batch, in stages: payments name their orders,
/// orders name products whose stock may be changed, carts name products that are only looked at.
#[derive(Debug, Default)]
pub struct Footprint {
    /// Idempotency keys.
    pub keys: Vec<KeyId>,
    /// Carts, with their lines and the products of those.
    pub carts: Vec<CartId>,
    /// Orders, with their items, payments and products.
    pub orders: Vec<OrderId>,
    /// Payments, with their orders and the keys they were begun under.
    pub payments: Vec<PaymentId>,
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
}

/// What is handed to a decision from outside.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time, taken after the rows were loaded.
    pub now: Time,
    /// Who does it.
    pub who: &'a Party,
    /// What those who are not staff see of counts.
    pub public_stock: PublicStock,
    /// What all log rows of this command share.
    pub operation: OperationId,
    /// The source of ids.
    pub random: &'a mut Random,
}

/// Something that can be done to the shop.
pub trait Command: Send + 'static {
    /// What is answered when it is accepted.
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
    /// The refusal, when the business does not allow it. What was staged by then is undone.
    fn decide(&self, world: &mut World, context: &mut Context<'_>) -> Result<Self::Answer, Refusal>;
}

#[cfg(test)]
mod simulation;
