//! The one place where stock moves and the log gets its row. It never does one without the other.

use crate::Time;
use crate::id::{OrderId, ProductId, StockTransactionId};
use crate::order::Order;
use crate::rejection::Rejection;
use crate::stock::{Action, Holder, Movement, Stock};
use crate::transaction::{Reason, StockTransaction};
use crate::world::World;

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

/// A movement of one product's stock.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// Which product.
    pub product: ProductId,
    /// What happens to its numbers.
    pub action: Action,
    /// How many units.
    pub quantity: i32,
    /// Who holds what is allocated.
    pub holder: Holder,
}

impl Move {
    /// Returns a movement of units that an order holds, or will hold.
    pub const fn of_order(product: ProductId, action: Action, quantity: i32) -> Self {
        Self { product, action, quantity, holder: Holder::Order }
    }

    /// Applies the movement to a stock record. `None` when nothing would change.
    ///
    /// # Errors
    /// Whatever [`Stock::apply`] rejects.
    pub fn apply(self, stock: &mut Stock, context: &Context<'_>) -> Result<Option<Movement>, Rejection> {
        let apply = |stock: &mut Stock| stock.apply(self.action, self.quantity, self.holder);
        stock.change(context.now, context.public_stock, apply)
    }
}

/// Moves units of one product and writes the row of the log, which it returns; `None` when nothing would change.
///
/// # Errors
/// Whatever [`Stock::apply`] rejects; `NOT_FOUND` for an unknown product.
pub fn move_stock(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    movement: Move,
    cause: &Cause,
) -> Result<Option<StockTransaction>, Rejection> {
    let product = movement.product;
    let stock = world.edit_stock(product)?;
    let Some(movement) = movement.apply(stock, context)? else {
        return Ok(None);
    };
    let row = StockTransaction {
        id: StockTransactionId(context.random.ordered_uuid(context.now)),
        product,
        sequence: stock.sequence,
        movement,
        after: stock.numbers,
        reason: cause.reason,
        note: cause.note.clone(),
        reference: cause.reference.clone(),
        actor: context.actor.log_name().into_owned(),
        order: cause.order,
        operation: context.operation,
        created_at: stock.updated_at,
    };
    world.append(row.clone());
    Ok(Some(row))
}

/// Allocates what the items of an order do not hold yet and whose product is managed now. A rule of the inventory: all items or
/// none; the rejection of one undoes the others, because whoever runs the batch undoes what a rejected command staged.
///
/// # Errors
/// `INSUFFICIENT_STOCK`, naming nothing.
pub fn allocate_items(world: &mut World<'_>, context: &mut Context<'_>, order: &mut Order) -> Result<(), Rejection> {
    allocate(world, context, order, Holder::Order, Reason::OrderPayment)
}

/// Allocates for a holder what the items do not hold yet and whose product is managed now.
fn allocate(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    order: &mut Order,
    holder: Holder,
    reason: Reason,
) -> Result<(), Rejection> {
    let cause = Cause::order(reason, order.id);
    for item in &mut order.items {
        let missing = item.quantity - item.allocated;
        if missing > 0 && world.stock(item.product)?.managed {
            let movement = Move::of_order(item.product, Action::Allocate, missing);
            move_stock(world, context, Move { holder, ..movement }, &cause)?;
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
    world: &mut World<'_>,
    context: &mut Context<'_>,
    order: &mut Order,
    cause: &Cause,
) -> Result<(), Rejection> {
    let holder = if order.is_holding() { Holder::Hold } else { Holder::Order };
    for item in order.items.iter_mut().filter(|item| item.allocated > 0) {
        let movement = Move::of_order(item.product, Action::Deallocate, item.allocated);
        move_stock(world, context, Move { holder, ..movement }, cause)?;
        item.allocated = 0;
    }
    order.held_until = None;
    Ok(())
}

/// Holds every item of an order whose product is managed now, until a deadline. A rule of the inventory: all items or none.
///
/// # Errors
/// `INSUFFICIENT_STOCK`, naming nothing.
pub fn hold_items(
    world: &mut World<'_>,
    context: &mut Context<'_>,
    order: &mut Order,
    until: Time,
) -> Result<(), Rejection> {
    allocate(world, context, order, Holder::Hold, Reason::Hold)?;
    order.held_until = Some(until);
    Ok(())
}

/// Turns what an unpaid order holds into units of an order that is being paid. There is no row of the log: no number that can
/// be bought changes, and nobody else can have the units in between.
///
/// # Errors
/// Only when the stock does not hold what the items say, which `verify` would report as well.
pub fn pay_for_held_items(world: &mut World<'_>, context: &Context<'_>, order: &Order) -> Result<(), Rejection> {
    if order.is_holding() { turn_into_hold(world, context, order, -1) } else { Ok(()) }
}

/// Turns what an order has allocated back into a hold, when paying it has failed.
///
/// # Errors
/// Only when the stock does not hold what the items say, which `verify` would report as well.
pub fn hold_items_again(world: &mut World<'_>, context: &Context<'_>, order: &Order) -> Result<(), Rejection> {
    turn_into_hold(world, context, order, 1)
}

fn turn_into_hold(
    world: &mut World<'_>,
    context: &Context<'_>,
    order: &Order,
    direction: i32,
) -> Result<(), Rejection> {
    for item in order.items.iter().filter(|item| item.allocated > 0) {
        let turn = |stock: &mut Stock| stock.turn_into_hold(direction * item.allocated);
        world.edit_stock(item.product)?.change(context.now, context.public_stock, turn)?;
    }
    Ok(())
}
