//! Keyset pages: ordered by a key that ends in something unique, one row more than asked for, never an offset. A row
//! that was there when the first page was read appears exactly once.

use sea_orm::sea_query::{Condition, Value};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use domain::{Time, is_writable};

/// Most rows on a page.
pub const MAX_PAGE: u64 = 100;

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
pub struct Page<T> {
    /// At most as many as were asked for.
    pub rows: Vec<T>,
    /// Whether something comes after them.
    pub has_next: bool,
    /// Whether something comes before them.
    pub has_previous: bool,
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

/// Restricts a query to the page, one row more than asked for.
pub fn restrict<E: EntityTrait, C>(
    query: Select<E>,
    sorted: Sorted<'_, E::Column>,
    request: &PageRequest<C>,
    key: impl Fn(&C) -> Vec<Value>,
) -> Select<E> {
    let mut query = query;
    if let Some(after) = &request.after {
        query = query.filter(beyond(sorted.columns, &key(after), sorted.order));
    }
    if let Some(before) = &request.before {
        query = query.filter(beyond(sorted.columns, &key(before), !sorted.order));
    }
    let order = if sorted.order == request.from_end { Order::Desc } else { Order::Asc };
    for column in sorted.columns {
        query = query.order_by(*column, order.clone());
    }
    query.limit(request.limit.min(MAX_PAGE) + 1)
}

/// The page that a restricted query found.
pub fn page<T, C>(mut rows: Vec<T>, request: &PageRequest<C>) -> Page<T> {
    let limit = usize::try_from(request.limit.min(MAX_PAGE)).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if request.from_end {
        rows.reverse();
        return Page { rows, has_next: request.before.is_some(), has_previous: has_more };
    }
    Page { rows, has_next: has_more, has_previous: request.after.is_some() }
}

/// Rows whose key is greater (or less) than this one, column by column.
fn beyond<Column: ColumnTrait>(columns: &[Column], key: &[Value], greater: bool) -> Condition {
    let mut any = Condition::any();
    for last in 0..columns.len() {
        let mut all = Condition::all();
        for (i, (column, value)) in columns.iter().zip(key).enumerate().take(last + 1) {
            all = all.add(match (i == last, greater) {
                (false, _) => column.eq(value.clone()),
                (true, true) => column.gt(value.clone()),
                (true, false) => column.lt(value.clone()),
            });
        }
        any = any.add(all);
    }
    any
}
