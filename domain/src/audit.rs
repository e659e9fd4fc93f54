//! What must always be true, as functions that say what is not: the log folds to the stock, and orders hold what the
//! log says they hold.
//!
//! Used by `verify` on a whole database and by the simulation after every step. It only compares; it repairs nothing.

use std::collections::BTreeMap;

use super::id::ProductId;
use super::order::{Order, PaymentStatus, ShippingStatus, Status};
use super::payment::{Payment, Status as Attempt};
use super::payment_operation::{Kind, PaymentOperation, Status as Operated};
use super::stock::{Action, Movement, Numbers, Stock};
use super::transaction::StockTransaction;

/// What a comparison needs of a row of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEntry {
    /// The product whose stock moved.
    pub product: ProductId,
    /// Its number in the product's log.
    pub sequence: i32,
    /// What moved.
    pub action: Action,
    /// Change of total.
    pub total_delta: i32,
    /// Change of allocated.
    pub allocated_delta: i32,
    /// The numbers right after it.
    pub after: Numbers,
}

impl From<&StockTransaction> for LogEntry {
    fn from(row: &StockTransaction) -> Self {
        let Movement { action, total_delta, allocated_delta, .. } = row.movement;
        let (product, sequence, after) = (row.product, row.sequence, row.after);
        Self { product, sequence, action, total_delta, allocated_delta, after }
    }
}

/// The log of one product, folded row by row.
#[derive(Debug, Default)]
pub struct Fold {
    numbers: Option<Numbers>,
    sequence: i32,
    differences: Vec<String>,
}

impl Fold {
    /// Takes the next row, in order of `sequence`.
    pub fn push(&mut self, row: LogEntry) {
        let (sequence, product) = (row.sequence, row.product);
        if sequence != self.sequence + 1 {
            self.differences.push(format!("{product}: row {} of the log is followed by row {sequence}", self.sequence));
        }
        if (row.action == Action::Create) != (sequence == 1) {
            self.differences.push(format!("{product}: row {sequence} is {}", row.action.as_str()));
        }
        let before = self.numbers.unwrap_or(Numbers { total: 0, allocated: 0 });
        let after = Numbers {
            total: before.total.saturating_add(row.total_delta),
            allocated: before.allocated.saturating_add(row.allocated_delta),
        };
        if after != row.after {
            self.differences
                .push(format!("{product}: row {sequence} says {}, but the log adds up to {after}", row.after));
        }
        if after.allocated < 0 || after.available() < 0 {
            self.differences.push(format!("{product}: after row {sequence} there are {after}"));
        }
        self.numbers = Some(after);
        self.sequence = sequence;
    }

    /// Compares with the stock record, and with what the items of orders hold. Says what differs.
    #[must_use]
    pub fn compare(mut self, stock: &Stock, held_by_orders: i64) -> Vec<String> {
        let product = stock.product;
        let numbers = self.numbers.unwrap_or(Numbers { total: 0, allocated: 0 });
        let mut differ = |difference| self.differences.push(difference);
        if numbers != stock.numbers {
            differ(format!("{product}: the stock says {}, the log adds up to {numbers}", stock.numbers));
        }
        if self.sequence != stock.sequence {
            differ(format!("{product}: the stock counts {} rows, the log has {}", stock.sequence, self.sequence));
        }
        if stock.managed && stock.sequence == 0 {
            differ(format!("{product}: stock is managed, but the log has no first row"));
        }
        let Numbers { total, allocated } = stock.numbers;
        if allocated < 0 || allocated > total || stock.manually_allocated < 0 || stock.manually_allocated > allocated {
            differ(format!("{product}: total {total}, allocated {allocated}, by hand {}", stock.manually_allocated));
        }
        if i64::from(allocated) != held_by_orders + i64::from(stock.manually_allocated) {
            differ(format!(
                "{product}: {allocated} are allocated, but orders hold {held_by_orders} and {} are reserved by hand",
                stock.manually_allocated
            ));
        }
        self.differences
    }
}

/// Compares an order with its payments and with its rows of the log, given in order of `sequence` per product.
#[must_use]
pub fn compare_order(order: &Order, payments: &[&Payment], log: &[LogEntry]) -> Vec<String> {
    let mut differences = compare_states(order, payments);
    let mut of_product = BTreeMap::<ProductId, (i64, i64, i64)>::new();
    for row in log {
        let (held, shipped, returned) = of_product.entry(row.product).or_default();
        if row.action == Action::Allocate && *shipped > 0 {
            differences.push(format!("{}: allocated again after it was shipped", order.id));
        }
        *held += i64::from(row.allocated_delta);
        if row.action == Action::Increment {
            *returned += i64::from(row.total_delta);
        } else {
            *shipped -= i64::from(row.total_delta);
        }
        if *held < 0 {
            differences.push(format!("{}: more of {} was released than it held", order.id, row.product));
        }
    }
    for item in &order.items {
        let (held, shipped, returned) = of_product.remove(&item.product).unwrap_or_default();
        if held != i64::from(item.allocated) {
            differences.push(format!("{}: {} holds {}, the log says {held}", order.id, item.id, item.allocated));
        }
        // What was not managed when it was paid leaves without a row.
        if shipped != 0 && shipped != i64::from(item.shipped) {
            differences.push(format!("{}: {} shipped {}, the log says {shipped}", order.id, item.id, item.shipped));
        }
        if returned > shipped {
            differences.push(format!("{}: more of {} came back than was shipped", order.id, item.id));
        }
        if returned != i64::from(item.returned) {
            let (item, says) = (item.id, item.returned);
            differences.push(format!("{}: of {item} {says} came back, the log says {returned}", order.id));
        }
        if item.allocated < 0 || item.allocated + item.shipped + item.cancelled > item.quantity {
            differences.push(format!("{}: {} has more units than were ordered", order.id, item.id));
        }
    }
    if let Some(product) = of_product.keys().next() {
        differences.push(format!("{}: the log moves {product}, which it has no item of", order.id));
    }
    differences
}

fn compare_states(order: &Order, payments: &[&Payment]) -> Vec<String> {
    let mut differences = Vec::new();
    let open = payments.iter().filter(|payment| payment.status.is_open()).count();
    let succeeded = payments.iter().filter(|payment| payment.status == Attempt::Succeeded).count();
    let authorized = payments.iter().filter(|payment| payment.status == Attempt::Authorized).count();
    let right = match order.payment {
        PaymentStatus::Unpaid => (0, 0, 0),
        PaymentStatus::InProgress => (1, 0, 0),
        PaymentStatus::Authorized => (0, 0, 1),
        PaymentStatus::Paid | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => (0, 1, 0),
    };
    if (open, succeeded, authorized) != right {
        let (state, also) = (order.payment.as_str(), if authorized == 0 { "" } else { ", and authorized ones" });
        differences.push(format!("{}: is {state} with {open} open and {succeeded} succeeded payments{also}", order.id));
    }
    if (order.status == Status::Processing) != (order.payment == PaymentStatus::Authorized) {
        let (status, payment) = (order.status.as_str(), order.payment.as_str());
        differences.push(format!("{}: is {status} and {payment}", order.id));
    }
    let may_hold = order.payment != PaymentStatus::Unpaid
        && order.status != Status::Cancelled
        && order.shipping != ShippingStatus::Fulfilled;
    if !may_hold && order.items.iter().any(|item| item.allocated > 0) {
        differences.push(format!("{}: holds units, but it is unpaid, cancelled or shipped", order.id));
    }
    differences
}

/// Compares the payments of an order with the operations on them.
#[must_use]
pub fn compare_operations(order: &Order, payments: &[&Payment], operations: &[&PaymentOperation]) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |difference| differences.push(difference);
    for payment in payments {
        let of_payment = || operations.iter().filter(|operation| operation.payment == payment.id);
        let refunds = |states: &[Operated]| -> i64 {
            let refunds = of_payment().filter(|operation| operation.kind == Kind::Refund);
            refunds.filter(|refund| states.contains(&refund.status)).map(|refund| refund.amount.amount).sum()
        };
        let (begun, done) = (refunds(&[Operated::InProgress, Operated::Succeeded]), refunds(&[Operated::Succeeded]));
        let (id, says, amount) = (payment.id, payment.refunded, payment.amount.amount);
        if begun != says || begun > amount {
            differ(format!("{id}: {says} of {amount} are refunded, its refunds add up to {begun}"));
        }
        if of_payment().filter(|operation| operation.is_running()).count() > 1 {
            differ(format!("{id}: more than one operation is running"));
        }
        if usize::try_from(payment.operations) != Ok(of_payment().count()) {
            differ(format!("{id}: counts {} operations, there are {}", payment.operations, of_payment().count()));
        }
        let right = match done {
            0 => PaymentStatus::Paid,
            done if done < amount => PaymentStatus::PartiallyRefunded,
            _ => PaymentStatus::Refunded,
        };
        if payment.status == Attempt::Succeeded && order.payment != right {
            let state = order.payment.as_str();
            differ(format!("{}: is {state}, and {done} of {amount} were refunded", order.id));
        }
    }
    differences
}
