//! The log of stock transactions. It is only ever read in pages. Where many write, the order of writing is the order of
//! becoming visible.

use entity::stock_transaction::{self, Column};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::id::{OrderId, ProductId, StockTransactionId};
use crate::domain::stock::Action;
use crate::domain::transaction::{Reason, StockTransaction};
use crate::error::Error;

use super::page::{Page, PageRequest, Sorted, moment, page, restrict};
use super::postgres::{Moment, became_visible, cluster};
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
pub struct LogCursor(#[serde(deserialize_with = "moment")] Time, ProductId, i32);

impl LogCursor {
    /// The place of this row.
    #[must_use]
    pub const fn of(row: &StockTransaction) -> Self {
        Self(row.created_at, row.product, row.sequence)
    }
}

/// A place in the order of writing, for those who follow the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPlace {
    /// With one writer: the number of a row.
    Position(i64),
    /// With many: what became visible from one moment to another, and how much of it was read, by product and
    /// `sequence`. It is read to its end when both moments are the same.
    Window {
        /// Whose moments these are.
        cluster: String,
        /// What was visible before it.
        from: Moment,
        /// What was visible at its end.
        to: Moment,
        /// The last row of it that was read.
        last: Option<(ProductId, i32)>,
    },
}

/// Some rows that follow a place.
#[derive(Debug)]
pub struct LogRows {
    /// The rows, each with its place.
    pub rows: Vec<(LogPlace, StockTransaction)>,
    /// Where to go on.
    pub next: LogPlace,
    /// Whether nothing more was there.
    pub is_end: bool,
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

    /// The place in the order of writing where the log ends now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_end(&self) -> Result<LogPlace, Error> {
        if self.db.get_database_backend() == DbBackend::Postgres {
            let (cluster, moment) = (cluster(&self.db).await, self.look().await?.moment);
            return Ok(LogPlace::Window { cluster, from: moment.clone(), to: moment, last: None });
        }
        let newest = stock_transaction::Entity::find().order_by_desc(Column::Position).one(&self.db).await?;
        Ok(LogPlace::Position(newest.map_or(0, |row| row.position)))
    }

    /// Whether a place is one of this database.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_our_place(&self, place: &LogPlace) -> Result<bool, Error> {
        let is_shared = self.db.get_database_backend() == DbBackend::Postgres;
        Ok(match place {
            LogPlace::Position(_) => !is_shared,
            // Moments that have not come yet are another cluster's, too.
            LogPlace::Window { cluster: of, to, .. } => {
                is_shared && *of == cluster(&self.db).await && !self.look().await?.moment.is_before(to)
            }
        })
    }

    /// The rows that follow a place in the order of writing, each with its own place. Of one product they come in order of
    /// `sequence`; none is left out, and none comes twice.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_after(&self, filter: &LogFilter, place: &LogPlace, limit: u64) -> Result<LogRows, Error> {
        match place {
            LogPlace::Position(position) => self.log_after_position(filter, *position, limit).await,
            LogPlace::Window { cluster, from, to, last: None } if from == to => {
                // The window is read to its end: the next one reaches from there to now.
                let now = self.look().await?.moment;
                self.log_of_window(filter, (cluster, to, &now), None, limit).await
            }
            // After the rest of an older window there may be another.
            LogPlace::Window { cluster, from, to, last } => {
                let rows = self.log_of_window(filter, (cluster, from, to), *last, limit).await?;
                Ok(LogRows { is_end: false, ..rows })
            }
        }
    }

    async fn log_after_position(&self, filter: &LogFilter, position: i64, limit: u64) -> Result<LogRows, Error> {
        let query = filtered(filter).filter(Column::Position.gt(position)).order_by_asc(Column::Position);
        let found = query.limit(limit).all(&self.db).await?;
        let is_end = u64::try_from(found.len()).is_ok_and(|count| count < limit);
        let next = LogPlace::Position(found.last().map_or(position, |row| row.position));
        let with_place = found.into_iter().map(|row| Ok((LogPlace::Position(row.position), rows::transaction(row)?)));
        Ok(LogRows { rows: with_place.collect::<Result<_, DbErr>>()?, next, is_end })
    }

    async fn log_of_window(
        &self,
        filter: &LogFilter,
        (cluster, from, to): (&str, &Moment, &Moment),
        last: Option<(ProductId, i32)>,
        limit: u64,
    ) -> Result<LogRows, Error> {
        let mut query = filtered(filter).filter(became_visible(from, to));
        if let Some((product, sequence)) = last {
            let later = Condition::all().add(Column::ProductId.eq(product.0)).add(Column::Sequence.gt(sequence));
            query = query.filter(Condition::any().add(Column::ProductId.gt(product.0)).add(later));
        }
        let query = query.order_by_asc(Column::ProductId).order_by_asc(Column::Sequence);
        let found = query.limit(limit).all(&self.db).await?;
        let is_end = u64::try_from(found.len()).is_ok_and(|count| count < limit);
        let window = |from: &Moment, last| LogPlace::Window {
            cluster: cluster.to_owned(),
            from: from.clone(),
            to: to.clone(),
            last,
        };
        let found: Vec<_> = found.into_iter().map(rows::transaction).collect::<Result<_, _>>()?;
        let with_place: Vec<_> =
            found.into_iter().map(|row| (window(from, Some((row.product, row.sequence))), row)).collect();
        let next = match with_place.last() {
            Some((place, _)) if !is_end => place.clone(),
            _ => window(to, None),
        };
        Ok(LogRows { rows: with_place, next, is_end })
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
