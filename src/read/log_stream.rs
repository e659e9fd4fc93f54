//! The log as it is followed: every row once, those of one product in order of `sequence`, from any place on.
//!
//! Rows are read in windows, and within a window in order of `position`. A window reaches from one end of the log to a
//! later one. An end is the position of the newest row and, on PostgreSQL, the transactions that were running: what is at
//! or below that position and was written by none of these is before it, and everything else is after it. That holds
//! because a transaction has its number before it draws a position: it locks or inserts a row first. So the rows of a
//! window are those above the position of its beginning, and those of the transactions that were running then. It also
//! holds after a crash, when PostgreSQL gives out the numbers of lost transactions again: their rows have new positions.
//!
//! Of one product, a position rises with `sequence`, because who draws it holds the lock of the product's stock.

use std::sync::Arc;

use entity::stock_transaction::{self, Column};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::database::error::Error;
use domain::transaction::StockTransaction;

use crate::database::postgres::{log_end, log_lineage, not_written_by, nth_position_of, written_by};
use crate::database::rows;

use super::page::MAX_LOOKED_AT;
use super::transaction::filtered;
use super::{LogFilter, Store};

/// Most transactions that may run when an end of the log is taken. When there are more, the reader tries again: they
/// would not fit into a cursor.
const MAX_RUNNING: usize = 200;

/// An end of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct LogEnd {
    /// The position of the newest row; 0 when there is none.
    #[serde(rename = "p")]
    position: i64,
    /// The transactions that were running, in rising order.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty", with = "steps")]
    running: Vec<i64>,
}

/// What is between two ends of the log.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LogWindow {
    /// The lineage of the log.
    #[serde(rename = "l", default, skip_serializing_if = "String::is_empty")]
    lineage: String,
    /// Its beginning; `None` when everything up to its end is read.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    from: Option<LogEnd>,
    /// Its end.
    #[serde(rename = "t")]
    to: LogEnd,
    /// The id of the row at its end: a log without that row is another one.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

/// A place in the log for those who follow it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    window: Arc<LogWindow>,
    /// Rows of the window up to this position were read.
    last: i64,
}

/// Some rows that follow a place.
#[derive(Debug)]
pub struct LogRows {
    /// The rows, each with its place.
    pub rows: Vec<(LogPosition, StockTransaction)>,
    /// Where to go on.
    pub next: LogPosition,
    /// Whether nothing more was there.
    pub is_end: bool,
}

impl LogPosition {
    /// The same window, read up to this position.
    fn at(&self, last: i64) -> Self {
        Self { window: Arc::clone(&self.window), last }
    }

    fn is_at_end(&self) -> bool {
        self.last >= self.window.to.position
    }
}

impl Serialize for LogPosition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&*self.window, self.last).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LogPosition {
    /// Takes what could have been written here: a place comes from outside, in a cursor.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (window, last) = <(LogWindow, i64)>::deserialize(from)?;
        let (start, end) = (window.from.as_ref().map(|end| end.position), window.to.position);
        let is_sound = (0..=end).contains(&last)
            && start.map_or(last == end, |start| (0..=end).contains(&start))
            && window.id.is_some() == (end > 0);
        if !is_sound {
            return Err(de::Error::custom("no place that we write"));
        }
        Ok(Self { window: Arc::new(window), last })
    }
}

impl Store {
    /// The place where the log ends now.
    ///
    /// # Errors
    /// When the database does not answer, or more than 200 transactions are running.
    pub async fn log_end(&self) -> Result<LogPosition, Error> {
        let lineage = self.log_lineage().await?;
        let (to, id) = self.present_end().await?;
        let last = to.position;
        Ok(LogPosition { window: Arc::new(LogWindow { lineage, from: None, to, id }), last })
    }

    /// Whether a place is one of this log: not of another database, nor of a time that this one has not come to or has
    /// gone back from.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_our_place(&self, place: &LogPosition) -> Result<bool, Error> {
        let LogWindow { lineage, to, id, .. } = &*place.window;
        if !self.is_shared() && (!to.running.is_empty() || place.window.from.as_ref().is_some_and(LogEnd::is_open)) {
            return Ok(false);
        }
        if *lineage != self.log_lineage().await? {
            return Ok(false);
        }
        let Some(id) = id else { return Ok(true) };
        let query = stock_transaction::Entity::find_by_id(to.position).select_only().column(Column::Id);
        Ok(query.into_tuple::<Uuid>().one(&self.db).await? == Some(*id))
    }

    /// The rows that follow a place, at most `limit` of them, each with its own place. A filter may leave a page empty
    /// although there are more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_after(&self, filter: &LogFilter, place: &LogPosition, limit: u64) -> Result<LogRows, Error> {
        if !place.is_at_end() {
            return self.log_page(filter, place, limit).await;
        }
        // The window is read to its end: the next one reaches from there to now.
        let window = &place.window;
        let (to, id) = self.present_end().await?;
        if to == window.to {
            return Ok(LogRows { rows: Vec::new(), next: place.clone(), is_end: true });
        }
        let from = Some(window.to.clone());
        let next = LogWindow { lineage: window.lineage.clone(), from, to, id };
        let page = self.log_page(filter, &LogPosition { window: Arc::new(next), last: 0 }, limit).await?;
        let is_end = page.next.is_at_end();
        Ok(LogRows { is_end, ..page })
    }

    /// The next page of a window.
    async fn log_page(&self, filter: &LogFilter, place: &LogPosition, limit: u64) -> Result<LogRows, Error> {
        let to = &place.window.to;
        let from = place.window.from.clone().unwrap_or_else(|| to.clone());
        let late = late(&from, to);
        let mut query = filtered(filter);
        let (after, end) = if place.last < from.position && !late.is_empty() {
            // First what was written by those that were running at its beginning.
            query = query.filter(written_by(&late));
            let full = nth_position_of(&self.db, &late, place.last, from.position, MAX_LOOKED_AT).await?;
            (place.last, full.unwrap_or(from.position))
        } else {
            if to.is_open() {
                query = query.filter(not_written_by(&to.running));
            }
            let after = place.last.max(from.position);
            (after, self.nth_position(after, to.position).await?)
        };
        let within = Condition::all().add(Column::Position.gt(after)).add(Column::Position.lte(end));
        let found = query.filter(within).order_by_asc(Column::Position).limit(limit).all(&self.db).await?;
        let is_full = u64::try_from(found.len()).is_ok_and(|count| count >= limit);
        let last = found.last().filter(|_| is_full).map_or(end, |row| row.position);
        let with_place = found.into_iter().map(|row| Ok((place.at(row.position), rows::transaction(row)?)));
        Ok(LogRows { rows: with_place.collect::<Result<_, DbErr>>()?, next: place.at(last), is_end: false })
    }

    /// The position of row number [`MAX_LOOKED_AT`] within `(after, to]`, or `to` when there are fewer.
    async fn nth_position(&self, after: i64, to: i64) -> Result<i64, DbErr> {
        if to.saturating_sub(after).unsigned_abs() <= MAX_LOOKED_AT {
            return Ok(to);
        }
        let query = stock_transaction::Entity::find().select_only().column(Column::Position);
        let query = query.filter(Column::Position.gt(after)).filter(Column::Position.lte(to));
        let query = query.order_by_asc(Column::Position).limit(1).offset(MAX_LOOKED_AT - 1);
        Ok(query.into_tuple::<i64>().one(&self.db).await?.unwrap_or(to))
    }

    /// The end of the log now, and the id of its newest row.
    async fn present_end(&self) -> Result<(LogEnd, Option<Uuid>), Error> {
        let (running, newest) = if self.is_shared() {
            log_end(&self.db).await?
        } else {
            let query = stock_transaction::Entity::find().select_only().columns([Column::Position, Column::Id]);
            (Vec::new(), query.order_by_desc(Column::Position).into_tuple::<(i64, Uuid)>().one(&self.db).await?)
        };
        if running.len() > MAX_RUNNING {
            tracing::warn!(running = running.len(), "too many transactions are running to follow the log");
            return Err(Error::Unavailable);
        }
        let (position, id) = newest.unzip();
        Ok((LogEnd { position: position.unwrap_or_default(), running }, id))
    }

    async fn log_lineage(&self) -> Result<String, DbErr> {
        if self.is_shared() { log_lineage(&self.db).await } else { Ok(String::new()) }
    }

    fn is_shared(&self) -> bool {
        self.db.get_database_backend() == DbBackend::Postgres
    }
}

impl LogEnd {
    /// Whether transactions were running.
    const fn is_open(&self) -> bool {
        !self.running.is_empty()
    }
}

/// The transactions that were running at the beginning of a window and had ended at its end.
fn late(from: &LogEnd, to: &LogEnd) -> Vec<i64> {
    from.running.iter().filter(|number| to.running.binary_search(number).is_err()).copied().collect()
}

/// Rising numbers as the first of them and the steps between them, which are short.
mod steps {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(numbers: &[i64], serializer: S) -> Result<S::Ok, S::Error> {
        let before = std::iter::once(0).chain(numbers.iter().copied());
        serializer.collect_seq(numbers.iter().zip(before).map(|(number, before)| number - before))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<i64>, D::Error> {
        let bad = || de::Error::custom("no numbers of transactions");
        let steps = Vec::<i64>::deserialize(from)?;
        if steps.len() > super::MAX_RUNNING {
            return Err(bad());
        }
        let mut number = 0_i64;
        let numbers = steps.into_iter().map(|step| {
            number = number.checked_add(step).filter(|_| step > 0).ok_or_else(bad)?;
            Ok(number)
        });
        numbers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(from: Option<LogEnd>, to: LogEnd, last: i64) -> LogPosition {
        let id = (to.position > 0).then(|| Uuid::from_u128(7));
        LogPosition { window: Arc::new(LogWindow { lineage: "7/1/5/6".to_owned(), from, to, id }), last }
    }

    #[test]
    fn a_place_comes_back_from_a_cursor_as_it_was() {
        let open = LogEnd { position: 40, running: vec![1_000_000, 1_000_001, 1_000_007] };
        let closed = LogEnd { position: 90, running: vec![] };
        for place in [
            place(None, LogEnd::default(), 0),
            place(None, closed.clone(), 90),
            place(Some(open.clone()), closed.clone(), 12),
            place(Some(closed), LogEnd { position: 90, ..open }, 90),
        ] {
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<LogPosition>(&json).unwrap(), place, "{json}");
        }
    }

    #[test]
    fn the_longest_place_fits_into_a_cursor() {
        let running = |first: i64| (0..200).map(|number| first + number * 9_999).collect();
        let (from, to) = (LogEnd { position: i64::MAX - 1, running: running(1) }, running(2));
        let json = serde_json::to_string(&place(Some(from), LogEnd { position: i64::MAX, running: to }, 5)).unwrap();
        assert!(json.len() * 4 / 3 < 3_800, "{}", json.len());
    }

    #[test]
    fn what_is_no_place_is_not_taken_for_one() {
        let id = "00000000-0000-0000-0000-000000000007";
        let good = format!(r#"[{{"f":{{"p":3,"r":[5,1]}},"t":{{"p":9}},"i":"{id}"}},4]"#);
        assert!(serde_json::from_str::<LogPosition>(&good).is_ok());
        for (part, bad) in [
            ("4]", "10]"),
            ("4]", "-1]"),
            (r#""p":3"#, r#""p":10"#),
            (r#""p":3"#, r#""p":-3"#),
            ("[5,1]", "[5,0]"),
            ("[5,1]", "[-5,1]"),
            ("[5,1]", "[9223372036854775807,1]"),
            (r#""f":{"p":3,"r":[5,1]},"#, ""),
            (&format!(r#","i":"{id}""#), ""),
        ] {
            let bad = good.replacen(part, bad, 1);
            assert_ne!(bad, good);
            assert!(serde_json::from_str::<LogPosition>(&bad).is_err(), "{bad}");
        }
    }
}
