//! Keyset pages: ordered by a key that ends in something unique, one row more than asked for, never an offset. A row
//! that was there when the first page was read appears exactly once.

use std::cmp::Ordering::{Greater, Less};

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Value};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use domain::{Time, is_writable};

/// Most rows on a page.
pub const MAX_PAGE: u64 = 100;

/// Maximum number of rows that are looked through for one page by a filter that no index answers. The page then ends where
/// the looking ended, and says that there is more.
pub const MAX_LOOKED_AT: u64 = 10_000;

/// Which page is wanted: `limit` rows from the beginning, or from the end, of what lies between the cursors.
#[derive(Debug, Clone)]
pub struct PageRequest<C> {
    /// 1 to [`MAX_PAGE`].
    pub limit: u64,
    /// From the end instead of from the beginning.
    pub from_end: bool,
    /// Only what comes after this.
    pub after: Option<C>,
    /// Only what comes before this.
    pub before: Option<C>,
}

/// Rows in their order, and whether there are more on either side.
#[derive(Debug, Clone)]
pub struct Page<T, C> {
    /// At most as many as were asked for.
    pub rows: Vec<T>,
    /// Whether something comes after them.
    pub has_next: bool,
    /// Whether something comes before them.
    pub has_previous: bool,
    /// The place where the page begins, if it reaches beyond its first row.
    pub start: Option<C>,
    /// The place where the page ends, if it reaches beyond its last row.
    pub end: Option<C>,
}

/// The order of a list: its columns, the last of them unique, and the direction of them all.
#[derive(Debug, Clone, Copy)]
pub struct Sorted<'a, Column> {
    /// The key.
    pub columns: &'a [Column],
    /// Rising or falling.
    pub order: bool,
}

/// A moment of a cursor: cursors come from outside, and there are moments that no database takes.
pub fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let time = Time::deserialize(from)?;
    if is_writable(time) { Ok(time) } else { Err(D::Error::custom("no year that we write")) }
}

impl<E: ColumnTrait> Sorted<'_, E> {
    /// The order in which rows are read for this page.
    pub fn direction<C>(&self, request: &PageRequest<C>) -> Order {
        if self.order == request.from_end { Order::Desc } else { Order::Asc }
    }
}

/// Restricts a query to the page, one row more than asked for.
pub fn restrict<E: EntityTrait, C>(
    query: Select<E>,
    sorted: Sorted<'_, E::Column>,
    request: &PageRequest<C>,
    key: impl Fn(&C) -> Vec<Value>,
) -> Select<E> {
    let query = query.filter(between(sorted, request, key));
    ordered(query, sorted, request).limit(read_limit(request))
}

/// How many rows are read for a page: one more than asked for.
pub fn read_limit<C>(request: &PageRequest<C>) -> u64 {
    Ord::min(request.limit, MAX_PAGE) + 1
}

/// Orders a query as the page is read.
pub fn ordered<E: EntityTrait, C>(
    query: Select<E>,
    sorted: Sorted<'_, E::Column>,
    request: &PageRequest<C>,
) -> Select<E> {
    let direction = sorted.direction(request);
    sorted.columns.iter().fold(query, |query, column| query.order_by(*column, direction.clone()))
}

/// What lies between the cursors. Keys are compared as a whole: that is one range of an index, where comparisons column by
/// column, joined by OR, would be checked on every row from the beginning of the list.
pub fn between<Column: ColumnTrait, C>(
    sorted: Sorted<'_, Column>,
    request: &PageRequest<C>,
    key: impl Fn(&C) -> Vec<Value>,
) -> Condition {
    let columns = || Expr::tuple(sorted.columns.iter().map(|column| column.into_expr()));
    let beyond = |cursor: &C, greater: bool| {
        let key = Expr::tuple(key(cursor).into_iter().map(Expr::val));
        if greater { columns().gt(key) } else { columns().lt(key) }
    };
    Condition::all()
        .add_option(request.after.as_ref().map(|after| beyond(after, sorted.order)))
        .add_option(request.before.as_ref().map(|before| beyond(before, !sorted.order)))
}

/// The page that a restricted query found.
pub fn page<T, C>(rows: Vec<T>, request: &PageRequest<C>) -> Page<T, C> {
    cut(rows, request, None)
}

/// The page of a falling list that a restricted query found when no more was looked through than up to a place, if there is
/// one. Rows beyond the place are on the next page: others that belong there may not have been looked at, or came only
/// after the rows were read. `of` is the place of a row.
pub fn page_up_to<T, C: Ord>(
    mut rows: Vec<T>,
    request: &PageRequest<C>,
    place: Option<C>,
    of: impl Fn(&T) -> C,
) -> Page<T, C> {
    if let Some(place) = &place {
        rows.retain(|row| of(row).cmp(place) != if request.from_end { Greater } else { Less });
    }
    cut(rows, request, place)
}

fn cut<T, C>(mut rows: Vec<T>, request: &PageRequest<C>, place: Option<C>) -> Page<T, C> {
    let limit = usize::try_from(Ord::min(request.limit, MAX_PAGE)).unwrap_or(usize::MAX);
    let is_full = rows.len() > limit;
    let place = place.filter(|_| !is_full);
    let has_more = is_full || place.is_some();
    rows.truncate(limit);
    if request.from_end {
        rows.reverse();
        return Page { rows, has_next: request.before.is_some(), has_previous: has_more, start: place, end: None };
    }
    Page { rows, has_next: has_more, has_previous: request.after.is_some(), start: None, end: place }
}
