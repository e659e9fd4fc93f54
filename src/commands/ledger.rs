//! The one place where stock moves and the log gets its row. It never does one without the other.

use crate::domain::id::{OrderId, ProductId, StockTransactionId};
use crate::domain::order::Order;
use crate::domain::rejection::Rejection;
use crate::domain::stock::{Action, Holder, Stock};
use crate::domain::transaction::{Reason, StockTransaction};
use crate::writer::world::World;

use super::Context;

/// Why stock moves, and what the log says about it.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The reason.
    pub reason: Reason,
    /// The order that causes it.
    pub order: Option<OrderId>,
    /// What somebody wrote about it.
    pub note: Option<String>,
    /// A document outside this system.
    pub reference: Option<String>,
}

impl Cause {
    /// An order causes it.
    pub const fn order(reason: Reason, order: OrderId) -> Self {
        Self { reason, order: Some(order), note: None, reference: None }
    }

    /// Nothing but the reason itself.
    pub const fn plain(reason: Reason) -> Self {
        Self { reason, order: None, note: None, reference: None }
    }
}

/// Moves units of one product and writes the row of the log. `None` when nothing would change.
///
/// # Errors
/// Whatever [`crate::domain::stock::Stock::apply`] refuses; `NOT_FOUND` for an unknown product.
pub fn move_stock(
    world: &mut World,
    context: &mut Context<'_>,
    product: ProductId,
    (action, quantity, holder): (Action, i32, Holder),
    cause: &Cause,
) -> Result<Option<StockTransactionId>, Rejection> {
    let stock = world.stocks.edit(&product).ok_or_else(|| Rejection::not_found("product"))?;
    let apply = |stock: &mut Stock| stock.apply(action, quantity, holder);
    let Some(movement) = stock.change(context.now, context.public_stock, apply)? else {
        return Ok(None);
    };
    let id = StockTransactionId(context.random.ordered_uuid(context.now));
    world.log.push(StockTransaction {
        id,
        product,
        sequence: stock.sequence,
        movement,
        after: stock.numbers,
        reason: cause.reason,
        note: cause.note.clone(),
        reference: cause.reference.clone(),
        actor: context.who.actor().into_owned(),
        order: cause.order,
        operation: context.operation,
        created_at: stock.updated_at,
    });
    Ok(Some(id))
}

/// Allocates every item of an order whose product is managed now. A rule of the inventory: all items or none; the
/// refusal of one undoes the others, because the writer undoes what a refused command staged.
///
/// # Errors
/// `INSUFFICIENT_STOCK`, naming nothing.
pub fn allocate_items(world: &mut World, context: &mut Context<'_>, order: &mut Order) -> Result<(), Rejection> {
    let cause = Cause::order(Reason::OrderPayment, order.id);
    for item in &mut order.items {
        if world.stock(item.product)?.managed {
            move_stock(world, context, item.product, (Action::Allocate, item.quantity, Holder::Order), &cause)?;
            item.allocated = item.quantity;
        }
    }
    Ok(())
}

/// Frees exactly what the items of an order hold, by their own record.
///
/// # Errors
/// Only when the stock does not hold what the items say, which `verify` would report as well.
pub fn release_items(
    world: &mut World,
    context: &mut Context<'_>,
    order: &mut Order,
    cause: &Cause,
) -> Result<(), Rejection> {
    for item in order.items.iter_mut().filter(|item| item.allocated > 0) {
        move_stock(world, context, item.product, (Action::Deallocate, item.allocated, Holder::Order), cause)?;
        item.allocated = 0;
    }
    Ok(())
}
