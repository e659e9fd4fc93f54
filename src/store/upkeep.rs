//! What the server looks for by itself: payments whose outcome is open, carts and keys whose time is over. It only
//! finds them; what becomes of them is decided by commands.

use entity::{cart, idempotency_key, payment};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::Time;
use crate::domain::id::{CartId, PaymentId};
use crate::domain::payment::{KeyId, Status};
use crate::error::Error;
use crate::writer::world::KeyRecord;

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

    /// Open carts that nobody touched since.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn untouched_carts(&self, since: Time, limit: u64) -> Result<Vec<CartId>, Error> {
        let query = cart::Entity::find()
            .filter(cart::Column::Status.eq(crate::domain::cart::Status::Open.word()))
            .filter(cart::Column::UpdatedAt.lt(since))
            .order_by_asc(cart::Column::UpdatedAt)
            .limit(limit);
        Ok(query.all(&self.db).await?.into_iter().map(|row| CartId(row.id)).collect())
    }

    /// Answered idempotency keys that are older than this.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn old_keys(&self, before: Time, limit: u64) -> Result<Vec<KeyId>, Error> {
        let query = idempotency_key::Entity::find()
            .filter(idempotency_key::Column::Answer.is_not_null())
            .filter(idempotency_key::Column::CreatedAt.lt(before))
            .order_by_asc(idempotency_key::Column::CreatedAt)
            .limit(limit);
        let found = query.all(&self.db).await?;
        Ok(found.into_iter().map(|row| KeyId { scope: row.scope, key: row.key }).collect())
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
}
