//! What stands at the points of a build without the feature: nothing.

use sea_orm::DbErr;
use uuid::Uuid;

use super::{Breach, Point};
use domain::world::Tables;

/// The transaction of a batch.
pub type Transaction = sea_orm::DatabaseTransaction;

/// Does nothing.
#[inline]
#[expect(clippy::unused_async, reason = "the point waits where faults can be planned")]
pub async fn reach(_: Point, _: Uuid) {}

/// Fails nothing.
#[inline]
#[expect(
    clippy::missing_errors_doc,
    clippy::unnecessary_wraps,
    reason = "the call may fail where faults can be planned"
)]
pub const fn database_call() -> Result<(), DbErr> {
    Ok(())
}

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
