//! What expires by itself: carts that nobody came back for, and orders that nobody pays. Each is looked for in an index and
//! compared again under its lock by a command, so that it does not matter how many replicas do the same, and whoever comes
//! back in between wins.

use tokio_util::sync::CancellationToken;

use super::Writer;
use crate::database::error::Error;
use crate::observability::metrics;
use crate::read::Store;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{ExpireCarts, ExpireOrders};

/// Maximum number of carts or orders in one command: those who sell wait for no more.
const MAX_EXPIRED: u64 = 100;

/// Expires all carts that nobody touched since.
///
/// # Errors
/// When the database does not answer.
pub async fn carts(
    (writer, store): (&Writer, &Store),
    untouched_since: Time,
    stop: &CancellationToken,
) -> Result<(), Error> {
    while !stop.is_cancelled() {
        let carts = store.untouched_carts(untouched_since, MAX_EXPIRED).await?;
        let is_full = carts.len() as u64 == MAX_EXPIRED;
        if carts.is_empty() {
            break;
        }
        let expired = writer.submit(&Actor::System, ExpireCarts { carts, untouched_since }).await?;
        metrics::carts_expired(expired);
        // Others may have touched all of them, or done the same; the next round looks again.
        if !is_full || expired == 0 {
            break;
        }
    }
    Ok(())
}

/// Cancels all unpaid orders that did not change since.
///
/// # Errors
/// When the database does not answer.
pub async fn orders(
    (writer, store): (&Writer, &Store),
    untouched_since: Time,
    stop: &CancellationToken,
) -> Result<(), Error> {
    while !stop.is_cancelled() {
        let orders = store.untouched_unpaid_orders(untouched_since, MAX_EXPIRED).await?;
        let is_full = orders.len() as u64 == MAX_EXPIRED;
        if orders.is_empty() {
            break;
        }
        let expired = writer.submit(&Actor::System, ExpireOrders { orders, untouched_since }).await?;
        metrics::orders_expired(expired.len());
        for order in &expired {
            tracing::info!(%order, "an unpaid order expired");
        }
        if !is_full || expired.is_empty() {
            break;
        }
    }
    Ok(())
}
