//! An order from check-out to its end. Its states are told in three words: order, payment and shipping.
//!
//! A rule of the inventory: what is released or shipped goes by what the items hold (`allocated`), never by whether
//! the product is managed now; and allocated + shipped + cancelled never exceed the quantity of an item.

use super::Time;
use super::id::{CartId, OrderId, OrderItemId, PaymentId, ProductId};
use super::money::Money;
use super::payment::Payment;
use super::payment_operation::PaymentOperation;
use super::rejection::{Code, Rejection};
use super::shipment::Shipment;
use crate::codes;

codes! {
    /// The order as a whole.
    Status {
        /// Not paid.
        Incomplete = "incomplete",
        /// The money is authorized and not captured.
        Processing = "processing",
        /// Paid.
        Complete = "complete",
        /// For good.
        Cancelled = "cancelled",
    }
}

codes! {
    /// The money.
    PaymentStatus {
        /// Nothing was taken; it can be paid.
        Unpaid = "unpaid",
        /// Units are allocated and the gateway has not answered for certain.
        InProgress = "in_progress",
        /// The money is reserved and can be captured.
        Authorized = "authorized",
        /// The money is taken.
        Paid = "paid",
        /// A part of the money was sent back.
        PartiallyRefunded = "partially_refunded",
        /// All of the money was sent back.
        Refunded = "refunded",
    }
}

codes! {
    /// The goods.
    ShippingStatus {
        /// Nothing has left the warehouse.
        Unfulfilled = "unfulfilled",
        /// Some of it has.
        PartiallyFulfilled = "partially_fulfilled",
        /// Nothing is left to ship.
        Fulfilled = "fulfilled",
    }
}

codes! {
    /// Why an order was cancelled.
    CancelReason {
        /// Somebody asked for it.
        Requested = "requested",
        /// It was not paid in time.
        Expired = "expired",
        /// It is not genuine.
        Fraud = "fraud",
        /// Anything else.
        Other = "other",
    }
}

/// Who the order is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// At most 200 characters.
    pub name: Option<String>,
    /// At most 254 characters.
    pub email: String,
}

/// A line of an order. Name, SKU and price are those of the moment of check-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: OrderItemId,
    /// What is bought.
    pub product: ProductId,
    /// SKU at check-out.
    pub sku: String,
    /// Name at check-out.
    pub name: String,
    /// Price at check-out.
    pub unit_price: Money,
    /// Units that were ordered.
    pub quantity: i32,
    /// Units that the warehouse holds for this item now.
    pub allocated: i32,
    /// Units that have left the warehouse.
    pub shipped: i32,
    /// Units that never will.
    pub cancelled: i32,
    /// Shipped units that came back into stock.
    pub returned: i32,
}

impl Item {
    /// Units that can still be shipped.
    #[must_use]
    pub const fn left_to_ship(&self) -> i32 {
        self.quantity - self.shipped - self.cancelled
    }
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id: for a guest, the only key to it.
    pub id: OrderId,
    /// Short, human-readable, unique.
    pub number: String,
    /// The order as a whole.
    pub status: Status,
    /// The money.
    pub payment: PaymentStatus,
    /// The goods.
    pub shipping: ShippingStatus,
    /// The cart it was.
    pub cart: CartId,
    /// Whose it is; `None` for a guest's.
    pub owner: Option<String>,
    /// Who it is for.
    pub customer: Option<Customer>,
    /// At most 100.
    pub items: Vec<Item>,
    /// The sum of the items at check-out: what is charged.
    pub total: Money,
    /// Why it was cancelled, when it was.
    pub cancel_reason: Option<CancelReason>,
    /// What somebody wrote about cancelling it.
    pub cancel_note: Option<String>,
    /// Until when it holds units without being paid. While it is being paid: until when it holds them again if that fails.
    pub held_until: Option<Time>,
    /// Rises with every change.
    pub version: i32,
    /// When it was checked out.
    pub placed_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Order {
    /// Refuses unless a payment may begin.
    ///
    /// # Errors
    /// `INVALID_STATE` when it is cancelled, authorized or paid, `PAYMENT_IN_PROGRESS` while another attempt runs.
    pub fn must_be_payable(&self) -> Result<(), Rejection> {
        self.must_not_be_cancelled()?;
        match self.payment {
            PaymentStatus::Unpaid => Ok(()),
            PaymentStatus::InProgress => Err(payment_in_progress()),
            PaymentStatus::Authorized => {
                Err(Rejection::invalid_state("The payment of the order is authorized already."))
            }
            PaymentStatus::Paid | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => {
                Err(Rejection::invalid_state("The order is paid already."))
            }
        }
    }

    /// Refuses unless the order may be cancelled.
    ///
    /// # Errors
    /// `INVALID_STATE` when it is cancelled, shipped or authorized, `PAYMENT_IN_PROGRESS` while its payment's outcome is open.
    pub fn must_be_cancellable(&self) -> Result<(), Rejection> {
        self.must_not_be_cancelled()?;
        if self.shipping == ShippingStatus::Fulfilled {
            return Err(Rejection::invalid_state("The order is shipped already."));
        }
        match self.payment {
            PaymentStatus::InProgress => Err(payment_in_progress()),
            PaymentStatus::Authorized => {
                Err(Rejection::invalid_state("The payment of the order is authorized: void it first."))
            }
            PaymentStatus::Unpaid
            | PaymentStatus::Paid
            | PaymentStatus::PartiallyRefunded
            | PaymentStatus::Refunded => Ok(()),
        }
    }

    /// Refuses unless the order may be shipped.
    ///
    /// # Errors
    /// `INVALID_STATE` when it is cancelled, not paid, refunded, or when nothing is left to ship.
    pub fn must_be_shippable(&self) -> Result<(), Rejection> {
        self.must_not_be_cancelled()?;
        match self.payment {
            PaymentStatus::Authorized | PaymentStatus::Paid | PaymentStatus::PartiallyRefunded => {}
            PaymentStatus::Unpaid | PaymentStatus::InProgress => {
                return Err(Rejection::invalid_state("The order is not paid."));
            }
            PaymentStatus::Refunded => return Err(Rejection::invalid_state("The order was refunded.")),
        }
        if self.shipping == ShippingStatus::Fulfilled {
            return Err(Rejection::invalid_state("The order is shipped already."));
        }
        if self.items.iter().all(|item| item.left_to_ship() == 0) {
            return Err(Rejection::invalid_state("Nothing of the order is left to ship."));
        }
        Ok(())
    }

    /// Whether it holds units for a time although it is not paid.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.payment == PaymentStatus::Unpaid && self.held_until.is_some()
    }

    fn must_not_be_cancelled(&self) -> Result<(), Rejection> {
        if self.status == Status::Cancelled {
            return Err(Rejection::invalid_state("The order is cancelled."));
        }
        Ok(())
    }

    /// Cancels the order for good: what has not been shipped never will be. Its items hold nothing any more.
    pub fn cancel(&mut self, reason: CancelReason, note: Option<String>) {
        for item in &mut self.items {
            item.cancelled = item.quantity - item.shipped;
        }
        self.status = Status::Cancelled;
        self.cancel_reason = Some(reason);
        self.cancel_note = note;
        self.held_until = None;
    }

    /// Tells how much of the goods has left, by the units of the items.
    #[must_use]
    pub fn shipped_so_far(&self) -> ShippingStatus {
        if self.items.iter().all(|item| item.shipped == 0) {
            ShippingStatus::Unfulfilled
        } else if self.items.iter().all(|item| item.left_to_ship() == 0) {
            ShippingStatus::Fulfilled
        } else {
            ShippingStatus::PartiallyFulfilled
        }
    }

    /// Marks a change at this moment.
    pub fn touch(&mut self, now: Time) {
        self.version = self.version.saturating_add(1);
        self.updated_at = self.updated_at.max(now);
    }
}

/// An order with its payments, their operations, and its shipments, all as they stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The order with its items.
    pub order: Order,
    /// All payments, oldest first.
    pub payments: Vec<Payment>,
    /// All shipments, oldest first.
    pub shipments: Vec<Shipment>,
    /// All operations on its payments, oldest first.
    pub operations: Vec<PaymentOperation>,
}

impl OrderRecord {
    /// Puts an order together with its payments, shipments and operations, which may come in any order.
    #[must_use]
    pub fn new(
        order: Order,
        mut payments: Vec<Payment>,
        mut shipments: Vec<Shipment>,
        mut operations: Vec<PaymentOperation>,
    ) -> Self {
        payments.sort_by_key(|payment| (payment.created_at, payment.id));
        shipments.sort_by_key(|shipment| (shipment.shipped_at, shipment.id));
        operations.sort_by_key(|operation| (operation.created_at, operation.id));
        Self { order, payments, shipments, operations }
    }

    /// Returns one of its payments.
    #[must_use]
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.iter().find(|payment| payment.id == id)
    }
}

impl From<&OrderRecord> for OrderId {
    fn from(record: &OrderRecord) -> Self {
        record.order.id
    }
}

/// Another attempt to pay is under way.
#[must_use]
pub fn payment_in_progress() -> Rejection {
    Rejection::new(Code::PaymentInProgress, "A payment of this order is in progress.")
}
