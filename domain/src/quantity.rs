//! Bounds of what can be counted. It must never let a sum pass the bounds silently.

use super::rejection::{Code, Rejection};

/// The largest quantity, and the largest count of anything, that the inventory keeps.
pub const MAX_QUANTITY: i32 = 1_000_000_000;

/// Checks a quantity that moves something: 1 to 1,000,000,000.
///
/// # Errors
/// `INVALID_QUANTITY` otherwise.
pub fn at_least_one(quantity: i32) -> Result<i32, Rejection> {
    within(quantity, 1)
}

/// Checks a quantity that may be nothing: 0 to 1,000,000,000.
///
/// # Errors
/// `INVALID_QUANTITY` otherwise.
pub fn at_least_zero(quantity: i32) -> Result<i32, Rejection> {
    within(quantity, 0)
}

fn within(quantity: i32, least: i32) -> Result<i32, Rejection> {
    if (least..=MAX_QUANTITY).contains(&quantity) {
        return Ok(quantity);
    }
    let message = format!("A quantity is a whole number from {least} to {MAX_QUANTITY}.");
    Err(Rejection::new(Code::InvalidQuantity, message))
}

/// Adds two counts. A rule of the inventory: nothing is ever counted beyond 1,000,000,000.
///
/// # Errors
/// `INVALID_QUANTITY` when the sum is larger than that.
pub fn sum(a: i32, b: i32) -> Result<i32, Rejection> {
    a.checked_add(b).filter(|sum| *sum <= MAX_QUANTITY).ok_or_else(|| {
        Rejection::new(Code::InvalidQuantity, format!("No more than {MAX_QUANTITY} units can be counted."))
    })
}
