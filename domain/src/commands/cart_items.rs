//! What can be bought: the one rule that the cart, the check-out and the payment share. It only looks; it takes nothing.

use std::collections::BTreeMap;

use crate::cart::Cart;
use crate::id::ProductId;
use crate::money::Money;
use crate::product::{Product, Status};
use crate::rejection::{Code, Rejection};
use crate::world::World;

/// Refuses a product that is off sale.
///
/// # Errors
/// `PRODUCT_UNAVAILABLE`.
pub fn must_be_for_sale(product: &Product) -> Result<(), Rejection> {
    if product.status == Status::Active {
        return Ok(());
    }
    Err(Rejection::new(Code::ProductUnavailable, "This product is no longer for sale."))
}

/// Refuses when more of a product is wanted than is available. A rule of the inventory: demand is summed per product
/// over all items before it is compared, and the refusal names neither the product nor the count.
///
/// # Errors
/// `INSUFFICIENT_STOCK`; `NOT_FOUND` for an unknown product.
pub fn must_be_available(
    world: &World<'_>,
    wanted: impl IntoIterator<Item = (ProductId, i32)>,
) -> Result<(), Rejection> {
    let mut demand = BTreeMap::<ProductId, i64>::new();
    for (product, quantity) in wanted {
        *demand.entry(product).or_default() += i64::from(quantity);
    }
    for (product, quantity) in demand {
        if !world.stock(product)?.can_sell(quantity) {
            return Err(Rejection::insufficient_stock());
        }
    }
    Ok(())
}

/// What the cart costs now; `None` while it is empty.
///
/// # Errors
/// `CURRENCY_MISMATCH` for more than one currency, `AMOUNT_TOO_LARGE` when the sum leaves its range.
pub fn subtotal(world: &World<'_>, cart: &Cart) -> Result<Option<Money>, Rejection> {
    let mut sum = None;
    for item in &cart.items {
        let price = world.product(item.product)?.price.times(item.quantity)?;
        sum = Some(sum.map_or(Ok(price), |sum: Money| sum.plus(price))?);
    }
    Ok(sum)
}
