//! Reads idempotency keys, for imports that go on.

use entity::idempotency_key;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::database::error::Error;
use crate::database::rows;
use domain::Time;
use domain::world::idempotency::KeyRecord;

use super::Store;
use super::product::escaped;

impl Store {
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
