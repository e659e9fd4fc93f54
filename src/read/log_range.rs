//! Ranges of the indexes of the log: which index answers a filter, and where its rows begin and end.
//!
//! On PostgreSQL the indexes with leading columns have `NULLS FIRST`, although no time is NULL, and rows of a range are asked
//! for in that order. No other index has it, so that a planner which believes that most rows match cannot decide to read
//! the log from its newest row on until it has found some.

use entity::stock_transaction::{self, Column};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, NullOrdering, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryTrait, Select};

use domain::Time;
use domain::id::ProductId;

use super::page::PageRequest;
use super::{LogCursor, LogFilter};

/// The key of the log, as lists of it are sorted.
pub const KEY: [Column; 3] = [Column::CreatedAt, Column::ProductId, Column::Sequence];

/// An index of the log: what it is searched by, and the order of its rows within.
#[derive(Debug, Clone, Copy)]
pub struct Index {
    leading: &'static [Column],
    order: &'static [Column],
}

/// The whole log: `stock_transaction_by_time`.
pub const BY_TIME: Index = Index { leading: &[], order: &KEY };

/// Rows of one action and reason: `stock_transaction_by_kind`.
pub const BY_KIND: Index = Index { leading: &[Column::Action, Column::Reason], order: &KEY };

/// Rows of one product: `stock_transaction_by_product`.
pub const BY_PRODUCT: Index = Index { leading: &[Column::ProductId], order: &[Column::CreatedAt, Column::Sequence] };

impl Index {
    /// Orders rows of one range of this index as it has them.
    pub fn order(self, query: &mut SelectStatement, direction: &Order) {
        for column in self.order {
            if matches!(column, Column::CreatedAt) && !self.leading.is_empty() {
                let is_rising = matches!(direction, Order::Asc);
                let nulls = if is_rising { NullOrdering::First } else { NullOrdering::Last };
                query.order_by_with_nulls(*column, direction.clone(), nulls);
            } else {
                query.order_by(*column, direction.clone());
            }
        }
    }
}

/// An end of what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    at: Time,
    /// The row at that moment, which is not wanted itself; without one, every row of the moment is.
    row: Option<(ProductId, i32)>,
}

impl End {
    const fn moment(at: Time) -> Self {
        Self { at, row: None }
    }

    const fn cursor(cursor: &LogCursor) -> Self {
        Self { at: cursor.0, row: Some((cursor.1, cursor.2)) }
    }
}

/// Where the rows of a page may lie.
#[derive(Debug, Clone)]
pub struct Ends {
    oldest: Option<End>,
    newest: Option<End>,
}

impl Ends {
    /// What lies within the times of a filter and the cursors of a request.
    pub fn of(filter: &LogFilter, request: &PageRequest<LogCursor>) -> Self {
        let mut ends = Self { oldest: filter.since.map(End::moment), newest: filter.until.map(End::moment) };
        if let Some(before) = &request.before {
            ends.begin_at(End::cursor(before));
        }
        if let Some(after) = &request.after {
            ends.end_at(End::cursor(after));
        }
        ends
    }

    /// Everything up to this moment, inclusive.
    pub const fn until(at: Time) -> Self {
        Self { oldest: None, newest: Some(End::moment(at)) }
    }

    fn begin_at(&mut self, end: End) {
        // A moment begins before its first row.
        let is_later = |known: End| (end.at, end.row) >= (known.at, known.row);
        if self.oldest.is_none_or(is_later) {
            self.oldest = Some(end);
        }
    }

    fn end_at(&mut self, end: End) {
        // A moment ends after its last row.
        let is_earlier = |known: End| match (end.row, known.row) {
            (Some(row), Some(other)) => (end.at, row) <= (known.at, other),
            (Some(_), None) => end.at <= known.at,
            (None, _) => end.at < known.at,
        };
        if self.newest.is_none_or(is_earlier) {
            self.newest = Some(end);
        }
    }

    /// The rows of the log within these ends, in no order.
    pub fn select(&self) -> Select<stock_transaction::Entity> {
        let key = || Expr::tuple(KEY.map(ColumnTrait::into_expr));
        let oldest = self.oldest.map(|End { at, row }| match row {
            None => Column::CreatedAt.gte(at),
            Some(row) => key().gt(key_of(at, row)),
        });
        let newest = self.newest.map(|End { at, row }| match row {
            None => Column::CreatedAt.lte(at),
            Some(row) => key().lt(key_of(at, row)),
        });
        let within = Condition::all().add_option(oldest).add_option(newest);
        stock_transaction::Entity::find().filter(within)
    }

    /// The rows of one range of an index within these ends, in the direction of its order.
    pub fn select_by(&self, index: Index, values: &[Expr], direction: &Order) -> Select<stock_transaction::Entity> {
        let equal = index.leading.iter().zip(values).map(|(column, value)| column.into_expr().eq(value.clone()));
        let mut query = equal.fold(self.select(), QueryFilter::filter);
        index.order(QueryTrait::query(&mut query), direction);
        query
    }
}

fn key_of(at: Time, (product, sequence): (ProductId, i32)) -> Expr {
    Expr::tuple([Expr::val(at), Expr::val(product.0), Expr::val(sequence)])
}
