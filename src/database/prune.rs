//! Deletes what is over: idempotency keys after their time, carts a while after they expired, and what replicas have told each
//! other; and merges what batches added to the demand. A statement takes a bounded number of rows, so that whoever sells never
//! waits for more than one of them.
//!
//! On PostgreSQL it has a connection of its own and leaves out what somebody else holds; on SQLite the writer runs it
//! between two batches, for there is only one connection that writes. No command decides about any of this: nothing that
//! is deleted here can be bought, paid or replayed any more.

use std::collections::HashMap;
use std::time::Duration;

use entity::{cart, cart_item, idempotency_key, webhook_delivery};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect,
};

use super::postgres::{merge_demand, prune_changes, recount_demand};
use domain::Time;
use domain::cart::Status;

/// Maximum number of rows in one statement that the writer runs between two batches: twice as many as a batch has
/// commands, so that rows go faster than they come.
pub const MAX_BETWEEN_BATCHES: u64 = 512;

/// Maximum number of rows in one statement that nobody waits for.
const MAX_BESIDE_BATCHES: u64 = 2_000;

/// What is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Expired carts that nobody touched since, with their items. Carts that became orders stay.
    DeleteCarts {
        /// Touched last before this.
        untouched_since: Time,
    },
    /// Idempotency keys. One whose payment is still open is kept, however old.
    DeleteKeys {
        /// Made before this.
        created_before: Time,
    },
    /// Deliveries to outgoing webhooks, whatever became of them: none is tried for as long.
    DeleteDeliveries {
        /// Recorded before this.
        created_before: Time,
    },
    /// What replicas told each other (PostgreSQL).
    DeleteChanges {
        /// Longer ago than this, by the database's own clock.
        older_than: Duration,
    },
    /// What batches added to the demand for products: it is merged (PostgreSQL).
    MergeDemand,
    /// What a release that does not count has written into carts and orders: it is added to the demand (PostgreSQL).
    RecountDemand,
}

/// What one statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// How many rows it took.
    pub rows: u64,
    /// Whether there may be more.
    pub is_more: bool,
}

impl Prune {
    /// Takes a bounded number of rows.
    ///
    /// # Errors
    /// When the database does not answer, or the role may not.
    pub async fn run(self, db: &DatabaseConnection) -> Result<Pruned, DbErr> {
        let is_shared = db.get_database_backend() == DbBackend::Postgres;
        let most = if is_shared { MAX_BESIDE_BATCHES } else { MAX_BETWEEN_BATCHES };
        let (rows, most) = match self {
            Self::DeleteCarts { untouched_since } => return delete_carts(db, untouched_since, most).await,
            Self::DeleteKeys { created_before } => (delete_keys(db, created_before, most).await?, most),
            Self::DeleteDeliveries { created_before } => (delete_deliveries(db, created_before, most).await?, most),
            Self::DeleteChanges { older_than } if is_shared => (prune_changes(db, older_than, most).await?, most),
            Self::MergeDemand if is_shared => (merge_demand(db, most).await?, most),
            Self::RecountDemand if is_shared => (recount_demand(db).await.map(|()| 0)?, most),
            Self::DeleteChanges { .. } | Self::MergeDemand | Self::RecountDemand => (0, most),
        };
        Ok(Pruned { rows, is_more: rows >= most })
    }
}

/// An expired cart stays one, so nobody puts anything into it between the statements. A cart has many items or none, so
/// carts are taken until they and their items are twice as many rows as are taken of anything else.
async fn delete_carts(db: &DatabaseConnection, untouched_since: Time, most: u64) -> Result<Pruned, DbErr> {
    let old = cart::Entity::find()
        .select_only()
        .column(cart::Column::Id)
        .filter(cart::Column::Status.eq(Status::Expired.as_str()))
        .filter(cart::Column::UpdatedAt.lt(untouched_since))
        .order_by_asc(cart::Column::UpdatedAt)
        .limit(most);
    let old: Vec<Uuid> = old.into_tuple().all(db).await?;
    let items = cart_item::Entity::find()
        .select_only()
        .column(cart_item::Column::CartId)
        .column_as(cart_item::Column::ProductId.count(), "items")
        .filter(cart_item::Column::CartId.is_in(old.iter().copied()))
        .group_by(cart_item::Column::CartId);
    let items: HashMap<Uuid, i64> = items.into_tuple::<(Uuid, i64)>().all(db).await?.into_iter().collect();
    let mut rows = 0;
    let fits = |id: &Uuid| {
        let is_first = rows == 0;
        rows += 1 + items.get(id).copied().unwrap_or_default().unsigned_abs();
        is_first || rows <= 2 * most
    };
    let taken: Vec<Uuid> = old.iter().copied().take_while(fits).collect();
    let (count, is_more) = (taken.len() as u64, taken.len() < old.len() || old.len() as u64 == most);
    if count > 0 {
        let of_carts = cart_item::Column::CartId.is_in(taken.iter().copied());
        cart_item::Entity::delete_many().filter(of_carts).exec(db).await?;
        cart::Entity::delete_many().filter(cart::Column::Id.is_in(taken)).exec(db).await?;
    }
    Ok(Pruned { rows: count, is_more })
}

async fn delete_keys(db: &DatabaseConnection, created_before: Time, most: u64) -> Result<u64, DbErr> {
    use idempotency_key::Column;
    let old = Query::select()
        .columns([Column::Scope, Column::Key])
        .from(idempotency_key::Entity)
        .and_where(Column::Answer.is_not_null())
        .and_where(Column::CreatedAt.lt(created_before))
        .order_by(Column::CreatedAt, Order::Asc)
        .limit(most)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    let pair = Expr::tuple([Expr::col(Column::Scope), Expr::col(Column::Key)]);
    Ok(idempotency_key::Entity::delete_many().filter(pair.in_subquery(old)).exec(db).await?.rows_affected)
}

async fn delete_deliveries(db: &DatabaseConnection, created_before: Time, most: u64) -> Result<u64, DbErr> {
    use webhook_delivery::Column;
    let old = Query::select()
        .column(Column::Position)
        .from(webhook_delivery::Entity)
        .and_where(Column::CreatedAt.lt(created_before))
        .order_by(Column::CreatedAt, Order::Asc)
        .limit(most)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    let deleted = webhook_delivery::Entity::delete_many().filter(Expr::col(Column::Position).in_subquery(old));
    Ok(deleted.exec(db).await?.rows_affected)
}
