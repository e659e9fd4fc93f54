//! The log of stock transactions. It is only ever read in pages.

use entity::stock_transaction::{self, Column};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::id::{OrderId, ProductId, StockTransactionId};
use crate::domain::stock::Action;
use crate::domain::transaction::{Reason, StockTransaction};
use crate::error::Error;

use super::page::{Page, PageRequest, Sorted, page, restrict};
use super::{Store, rows};

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
pub struct LogCursor(Time, ProductId, i32);

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

    /// Rows that were written after a position, in the order of writing, with their positions.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transactions_after(
        &self,
        filter: &LogFilter,
        position: i64,
        limit: u64,
    ) -> Result<Vec<(i64, StockTransaction)>, Error> {
        let query = filtered(filter).filter(Column::Position.gt(position)).order_by_asc(Column::Position);
        let found = query.limit(limit).all(&self.db).await?;
        let with_position = found.into_iter().map(|row| Ok((row.position, rows::transaction(row)?)));
        with_position.collect()
    }

    /// The position of the newest row; 0 while there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_position(&self) -> Result<i64, Error> {
        let newest = stock_transaction::Entity::find().order_by_desc(Column::Position).one(&self.db).await?;
        Ok(newest.map_or(0, |row| row.position))
    }
}

fn filtered(filter: &LogFilter) -> Select<stock_transaction::Entity> {
    let mut query = stock_transaction::Entity::find();
    if let Some(products) = &filter.products {
        query = query.filter(Column::ProductId.is_in(products.iter().map(|id| id.0)));
    }
    if let Some(order) = filter.order {
        query = query.filter(Column::OrderId.eq(order.0));
    }
    if let Some(actions) = &filter.actions {
        query = query.filter(Column::Action.is_in(actions.iter().map(|action| action.word())));
    }
    if let Some(reasons) = &filter.reasons {
        query = query.filter(Column::Reason.is_in(reasons.iter().map(|reason| reason.word())));
    }
    if let Some(since) = filter.since {
        query = query.filter(Column::CreatedAt.gte(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::CreatedAt.lte(until));
    }
    query
}
