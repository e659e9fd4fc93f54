//! Promises that are broken on purpose, so that the checker can be seen to find it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Breach;
use domain::order::PaymentStatus;
use domain::world::Tables;

static TIMES: AtomicUsize = AtomicUsize::new(0);

static BREACH: Mutex<Option<Breach>> = Mutex::new(None);

/// Breaks this promise from now on.
pub fn plan_breach(breach: Breach) {
    *BREACH.lock().unwrap_or_else(PoisonError::into_inner) = Some(breach);
}

/// Whether this promise is to be broken.
#[must_use]
pub fn breaks(breach: Breach) -> bool {
    *BREACH.lock().unwrap_or_else(PoisonError::into_inner) == Some(breach)
}

/// Every other time.
#[must_use]
pub fn is_other_time() -> bool {
    TIMES.fetch_add(1, Ordering::Relaxed) % 2 == 1
}

/// Breaks what a batch is about to save: an order whose units were released goes on holding them, so that whoever releases
/// what it holds does it again.
pub fn change(tables: &mut Tables) {
    if !breaks(Breach::ReleaseTwice) {
        return;
    }
    let released: Vec<_> = tables
        .log
        .rows()
        .iter()
        .filter(|row| row.movement.action == domain::stock::Action::Deallocate)
        .filter_map(|row| Some((row.order?, row.product, row.movement.quantity)))
        .collect();
    for (order, product, quantity) in released {
        let Some(order) = tables.orders.edit(&order) else { continue };
        if order.payment == PaymentStatus::Unpaid {
            for item in order.items.iter_mut().filter(|item| item.product == product) {
                item.allocated = quantity;
            }
        }
        tables.orders.keep();
    }
}
