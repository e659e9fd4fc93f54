//! What the server looks for by itself: payments whose outcome is open, and keys that an import was given before. It only
//! finds them; what becomes of them is decided by commands.

use entity::{idempotency_key, payment};
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::Time;
use crate::domain::id::PaymentId;
use crate::domain::payment::Status;
use crate::error::Error;
use crate::writer::world::KeyRecord;

use super::product::escaped;
use super::{Store, rows};

impl Store {
    /// Open payments that recovery may look at now, the longest due first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_payments(&self, now: Time, limit: u64) -> Result<Vec<PaymentId>, Error> {
        let open = Status::ALL.iter().filter(|status| status.is_open()).map(|status| status.word());
        let query = payment::Entity::find()
            .filter(payment::Column::Status.is_in(open))
            .filter(payment::Column::LookAt.lte(now))
            .filter(payment::Column::LeasedUntil.lte(now))
            .order_by_asc(payment::Column::LookAt)
            .limit(limit);
        Ok(query.all(&self.db).await?.into_iter().map(|row| PaymentId(row.id)).collect())
    }

    /// What is kept under these keys. Callers bound them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keys(&self, scope: &str, keys: &[String]) -> Result<Vec<KeyRecord>, Error> {
        let query = idempotency_key::Entity::find()
            .filter(idempotency_key::Column::Scope.eq(scope))
            .filter(idempotency_key::Column::Key.is_in(keys));
        Ok(query.all(&self.db).await?.into_iter().map(rows::key).collect())
    }

    /// Whether there is a key of this scope, not older than `since`, that is the prefix and then a number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_numbered_keys(&self, scope: &str, prefix: &str, since: Time) -> Result<bool, Error> {
        let like = |rest: &str| LikeExpr::new(format!("{}{rest}", escaped(prefix))).escape('\\');
        let key = || Expr::col(idempotency_key::Column::Key);
        let query = idempotency_key::Entity::find()
            .filter(idempotency_key::Column::Scope.eq(scope))
            .filter(idempotency_key::Column::CreatedAt.gte(since))
            .filter(key().like(like("%")))
            .filter(key().not_like(like("%/%")));
        Ok(query.one(&self.db).await?.is_some())
    }
}
