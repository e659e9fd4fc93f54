//! Reads payments: those that recovery has to poll, their orders, and the sandbox's journal.

use std::time::Duration;

use entity::{payment, payment_operation, sandbox_charge};
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::error::Error;
use crate::database::rows;
use domain::Time;
use domain::id::{PaymentId, PaymentOperationId};
use domain::order::OrderRecord;
use domain::payment::Status;
use domain::payment_operation::Status as Running;
use domain::sandbox::Charge;

use super::Store;
use super::order::parents;

impl Store {
    /// Open payments that recovery may look at now, the longest due first; among them those whose turn lies further ahead
    /// than the longest lease, because a clock was wrong.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_payments(&self, now: Time, longest: Duration, limit: u64) -> Result<Vec<PaymentId>, Error> {
        let open = Status::ALL.iter().filter(|status| status.is_open()).map(|status| status.as_str());
        let is_over = |column: payment::Column| column.lte(now).or(column.gt(now + longest));
        let query = payment::Entity::find()
            .filter(payment::Column::Status.is_in(open))
            .filter(is_over(payment::Column::LookAt))
            .filter(is_over(payment::Column::LeasedUntil))
            .order_by_asc(payment::Column::LookAt)
            .limit(limit);
        Ok(query.all(&self.db).await?.into_iter().map(|row| PaymentId(row.id)).collect())
    }

    /// Operations that recovery may repeat now, with their payments, as for payments.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_operations(
        &self,
        now: Time,
        longest: Duration,
        limit: u64,
    ) -> Result<Vec<(PaymentOperationId, PaymentId)>, Error> {
        use payment_operation::Column;
        let is_over = |column: Column| column.lte(now).or(column.gt(now + longest));
        let query = payment_operation::Entity::find()
            .filter(Column::Status.eq(Running::InProgress.as_str()))
            .filter(is_over(Column::LookAt))
            .filter(is_over(Column::LeasedUntil))
            .order_by_asc(Column::LookAt)
            .limit(limit);
        let found = query.all(&self.db).await?;
        Ok(found.into_iter().map(|row| (PaymentOperationId(row.id), PaymentId(row.payment_id))).collect())
    }

    /// The orders that these operations on payments belong to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_operations(&self, operations: &[PaymentOperationId]) -> Result<Vec<OrderRecord>, Error> {
        use payment_operation::Column;
        let ids = operations.iter().map(|id| id.0);
        self.records(parents::<payment_operation::Entity>(Column::OrderId, Column::Id, ids)).await
    }

    /// The orders that these payments belong to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_payments(&self, payments: &[PaymentId]) -> Result<Vec<OrderRecord>, Error> {
        let ids = payments.iter().map(|id| id.0);
        self.records(parents::<payment::Entity>(payment::Column::OrderId, payment::Column::Id, ids)).await
    }

    /// What the sandbox has in its journal under this key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn charge(&self, payment: PaymentId) -> Result<Option<Charge>, Error> {
        let found = sandbox_charge::Entity::find_by_id(payment.0).one(&self.db).await?;
        Ok(found.as_ref().map(rows::charge).transpose()?)
    }
}
