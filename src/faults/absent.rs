//! What stands at the points of a build without the feature: nothing.

use sea_orm::{DbErr, Statement};
use uuid::Uuid;

use super::{Breach, Point};
use domain::world::Tables;

/// The transaction of a batch.
pub type Transaction = sea_orm::DatabaseTransaction;

/// The transaction as it is.
#[inline]
#[must_use]
pub const fn transaction(transaction: Transaction) -> Transaction {
    transaction
}

/// Does nothing.
#[inline]
pub async fn reach(_: Point, _: Uuid) {}

/// Fails nothing.
#[inline]
#[expect(clippy::missing_errors_doc, reason = "it has none")]
pub const fn database_call() -> Result<(), DbErr> {
    Ok(())
}

/// Keeps nothing.
#[inline]
pub const fn record(_: &Statement) {}

/// Keeps every promise.
#[inline]
#[must_use]
pub const fn breaks(_: Breach) -> bool {
    false
}

/// Changes nothing.
#[inline]
pub const fn change(_: &mut Tables) {}

/// Goes right.
#[inline]
#[must_use]
pub const fn jumped(now: domain::Time) -> domain::Time {
    now
}

/// Never.
#[inline]
#[must_use]
pub const fn is_other_time() -> bool {
    false
}
