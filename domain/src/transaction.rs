//! One row of the append-only log. A row is never changed once it is written.

use super::Time;
use super::id::{OperationId, OrderId, ProductId, StockTransactionId};
use super::stock::{Movement, Numbers};
use crate::codes;

codes! {
    /// Why stock moved.
    Reason {
        /// Goods came in.
        Received = "received",
        /// A mistake is put right.
        Correction = "correction",
        /// Somebody counted.
        Count = "count",
        /// Units broke.
        Damaged = "damaged",
        /// Units are gone.
        Lost = "lost",
        /// A customer sent units back.
        Return = "return",
        /// Units go to, or come from, a reseller.
        Reseller = "reseller",
        /// A file was imported.
        Import = "import",
        /// Anything else.
        Other = "other",
        /// The first stock of a product. Given by the system only.
        Initial = "initial",
        /// An order is being paid. Given by the system only.
        OrderPayment = "order_payment",
        /// A payment failed. Given by the system only.
        PaymentFailed = "payment_failed",
        /// A payment was cancelled at the gateway. Given by the system only.
        PaymentVoided = "payment_voided",
        /// An order was cancelled. Given by the system only.
        OrderCancelled = "order_cancelled",
        /// An order was shipped. Given by the system only.
        OrderShipped = "order_shipped",
        /// Units of a refunded item that were not shipped. Given by the system only.
        Refunded = "refunded",
    }
}

impl Reason {
    /// Whether people may give this reason; the others are the system's own.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        !matches!(
            self,
            Self::Initial
                | Self::OrderPayment
                | Self::PaymentFailed
                | Self::PaymentVoided
                | Self::OrderCancelled
                | Self::OrderShipped
                | Self::Refunded
        )
    }
}

/// One row of the log of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockTransaction {
    /// Its id.
    pub id: StockTransactionId,
    /// Whose stock moved.
    pub product: ProductId,
    /// Its number in the product's log: 1, 2, 3 … without gaps.
    pub sequence: i32,
    /// What moved.
    pub movement: Movement,
    /// The numbers right after it.
    pub after: Numbers,
    /// Why.
    pub reason: Reason,
    /// What somebody wrote about it.
    pub note: Option<String>,
    /// A document outside this system.
    pub reference: Option<String>,
    /// Who did it: as [`super::actor::Actor::log_name`] says.
    pub actor: String,
    /// The order that caused it, if one did.
    pub order: Option<OrderId>,
    /// Shared by all rows of one operation.
    pub operation: OperationId,
    /// When; never earlier than the product's previous row.
    pub created_at: Time,
}
