//! The log of stock transactions, in pages.

use entity::stock_transaction::{self, Column};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use serde::{Deserialize, Serialize};

use crate::database::error::Error;
use domain::Time;
use domain::id::{OrderId, ProductId, StockTransactionId};
use domain::stock::Action;
use domain::transaction::{Reason, StockTransaction};

use super::page::{Page, PageRequest, Sorted, moment, page, restrict};
use crate::database::rows;

use super::Store;

/// Which rows are wanted; `None` wants all.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Of any of these products.
    pub products: Option<Vec<ProductId>>,
    /// Caused by this order.
    pub order: Option<OrderId>,
    /// Any of these.
    pub actions: Option<Vec<Action>>,
    /// Any of these.
    pub reasons: Option<Vec<Reason>>,
    /// At this moment or later.
    pub since: Option<Time>,
    /// At this moment or earlier.
    pub until: Option<Time>,
}

/// A place in the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCursor(#[serde(deserialize_with = "moment")] Time, ProductId, i32);

impl LogCursor {
    /// The place of this row.
    #[must_use]
    pub const fn of(row: &StockTransaction) -> Self {
        Self(row.created_at, row.product, row.sequence)
    }
}

impl Store {
    /// These rows, in any order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transactions(&self, ids: &[StockTransactionId]) -> Result<Vec<StockTransaction>, Error> {
        let found = self.rows_by::<stock_transaction::Entity>(Column::Id, ids.iter().map(|id| id.0)).await?;
        Ok(found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?)
    }

    /// Rows, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transaction_page(
        &self,
        filter: &LogFilter,
        request: &PageRequest<LogCursor>,
    ) -> Result<Page<StockTransaction>, Error> {
        let sorted = Sorted { columns: &[Column::CreatedAt, Column::ProductId, Column::Sequence], order: false };
        let key = |cursor: &LogCursor| vec![cursor.0.into(), cursor.1.0.into(), cursor.2.into()];
        let found = restrict(filtered(filter), sorted, request, key).all(&self.db).await?;
        Ok(page(found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?, request))
    }
}

/// The rows that a filter takes.
pub fn filtered(filter: &LogFilter) -> Select<stock_transaction::Entity> {
    let mut query = stock_transaction::Entity::find();
    if let Some(products) = &filter.products {
        query = query.filter(Column::ProductId.is_in(products.iter().map(|id| id.0)));
    }
    if let Some(order) = filter.order {
        query = query.filter(Column::OrderId.eq(order.0));
    }
    if let Some(actions) = &filter.actions {
        query = query.filter(Column::Action.is_in(actions.iter().map(|action| action.as_str())));
    }
    if let Some(reasons) = &filter.reasons {
        query = query.filter(Column::Reason.is_in(reasons.iter().map(|reason| reason.as_str())));
    }
    if let Some(since) = filter.since {
        query = query.filter(Column::CreatedAt.gte(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::CreatedAt.lte(until));
    }
    query
}
