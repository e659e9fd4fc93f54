//! The feed between replicas: exactly the changes that became visible between two looks. None is lost and none comes
//! twice, whatever is committed late, and nobody waits for a long transaction.
//!
//! A moment is what PostgreSQL calls a snapshot: which transactions had ended. The number of a transaction says when it
//! began, so an order by numbers would miss whoever ends late; what was invisible then and is visible now does not.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult};
use serde::{Deserialize, Serialize};

use crate::domain::Time;
use crate::domain::id::{OrderId, ProductId};

use super::sql;

/// How long a change is told.
const KEPT: Duration = Duration::from_mins(10);

/// After so long without a look some of what happened may be swept up already.
const MISSED_AFTER: Duration = Duration::from_mins(9);

/// Most changes that one look takes in; when there are more, everything that is watched is read instead.
const MAX_CHANGES: usize = 10_000;

/// Most rows that are swept up at once.
const MAX_SWEPT: i64 = 20_000;

/// Which transactions had ended: `oldest:next:still,running`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(String);

impl Moment {
    /// The text as PostgreSQL reads it.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// Whether this is of an earlier time in the life of a cluster.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.next() < other.next()
    }

    /// The number that the next transaction would have had.
    fn next(&self) -> u64 {
        self.0.split(':').nth(1).and_then(|next| next.parse().ok()).unwrap_or_default()
    }
}

impl TryFrom<String> for Moment {
    type Error = &'static str;

    /// Takes exactly what PostgreSQL would take: a moment may come from outside, in a cursor.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        const BAD: &str = "this is no moment";
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 19;
            text.parse::<i64>().ok().filter(|number| is_plain && *number > 0).ok_or(BAD)
        };
        let mut parts = text.split(':');
        let (Some(oldest), Some(next), Some(running), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BAD);
        };
        let (oldest, next) = (number(oldest)?, number(next)?);
        let running: Vec<i64> =
            running.split(',').filter(|_| !running.is_empty()).map(number).collect::<Result<_, _>>()?;
        let is_rising = running.is_sorted_by(|a, b| a < b);
        let is_within = running.iter().all(|id| (oldest..next).contains(id));
        if oldest <= next && is_rising && is_within { Ok(Self(text)) } else { Err(BAD) }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

/// A look at the feed: the moment, and the database's time then.
#[derive(Debug, Clone)]
pub struct Look {
    /// What had ended.
    pub moment: Moment,
    /// The database's time.
    pub at: Time,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The stock of a product.
    Stock(ProductId),
    /// An order.
    Order(OrderId),
}

/// A change, and the version that it led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub what: Changed,
    /// The newest version that is told.
    pub version: i32,
}

impl Look {
    /// Looks for the first time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn first(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let statement = "SELECT pg_current_snapshot()::text AS moment, clock_timestamp() AS at";
        let row = db.query_one_raw(sql(statement, [])).await?;
        look(&row.ok_or_else(|| DbErr::RecordNotFound("the present moment".to_owned()))?)
    }

    /// Looks again: what became visible since, or `None` when that cannot be told any more, and the new look.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn again(&self, db: &DatabaseConnection) -> Result<(Option<Vec<Change>>, Self), DbErr> {
        // Two branches, so that each finds its rows by the index.
        let statement = "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS moment), seen AS (\
            SELECT c.kind, c.id, c.version FROM now, change c \
            WHERE c.xid >= pg_snapshot_xmax($1::text::pg_snapshot) AND c.xid < pg_snapshot_xmax(now.moment) \
            UNION ALL \
            SELECT c.kind, c.id, c.version FROM change c \
            WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))) \
            SELECT now.moment::text AS moment, clock_timestamp() AS at, newest.kind, newest.id, newest.version \
            FROM now LEFT JOIN (SELECT kind, id, max(version) AS version FROM seen GROUP BY kind, id LIMIT $2) AS newest \
            ON true";
        let limit = i64::try_from(MAX_CHANGES + 1).unwrap_or(i64::MAX);
        let rows = db.query_all_raw(sql(statement, [self.moment.as_text().into(), limit.into()])).await?;
        let first = rows.first().ok_or_else(|| DbErr::RecordNotFound("the present moment".to_owned()))?;
        let now = look(first)?;
        // Numbers that fall back are those of another cluster.
        let is_other = now.moment.is_before(&self.moment);
        let is_late = (now.at - self.at).to_std().is_ok_and(|passed| passed > MISSED_AFTER);
        if is_other || is_late || rows.len() > MAX_CHANGES {
            return Ok((None, now));
        }
        let changes = rows.iter().filter_map(|row| change(row).transpose()).collect::<Result<_, _>>()?;
        Ok((Some(changes), now))
    }
}

fn look(row: &QueryResult) -> Result<Look, DbErr> {
    let at: DateTime<Utc> = row.try_get("", "at")?;
    let moment = Moment::try_from(row.try_get::<String>("", "moment")?).map_err(|e| DbErr::Type(e.to_owned()))?;
    Ok(Look { moment, at })
}

/// Rows of the log that were invisible at one moment and visible at another. They are found by the numbers of their
/// transactions; a few of those numbers may belong to neither.
pub fn became_visible(from: &Moment, to: &Moment) -> Expr {
    let text = "position IN (\
        SELECT position FROM stock_transaction \
        WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot) AND xid < pg_snapshot_xmax($2::text::pg_snapshot) \
        AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot) \
        UNION ALL \
        SELECT position FROM stock_transaction \
        WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot))) \
        AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot))";
    Expr::cust_with_values(text, [from.as_text(), to.as_text()])
}

/// `None` for the row that only tells the moment.
fn change(row: &QueryResult) -> Result<Option<Change>, DbErr> {
    let Some(kind) = row.try_get::<Option<String>>("", "kind")? else { return Ok(None) };
    let id: Uuid = row.try_get("", "id")?;
    let what = match kind.as_str() {
        "stock" => Changed::Stock(ProductId(id)),
        "order" => Changed::Order(OrderId(id)),
        // A newer release beside this one tells of something that nobody watches here.
        _ => return Ok(None),
    };
    Ok(Some(Change { what, version: row.try_get("", "version")? }))
}

/// Which cluster this is: moments mean nothing in another. Where the role may not ask, all are taken for one.
pub async fn cluster(db: &DatabaseConnection) -> String {
    let row = db.query_one_raw(sql("SELECT system_identifier::text AS cluster FROM pg_control_system()", [])).await;
    row.ok().flatten().and_then(|row| row.try_get("", "cluster").ok()).unwrap_or_default()
}

/// Sweeps up what every replica has seen, some of it at a time.
///
/// # Errors
/// When the database does not answer.
pub async fn prune(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let statement = "DELETE FROM change WHERE ctid = ANY (ARRAY(SELECT ctid FROM change \
        WHERE created_at < clock_timestamp() - make_interval(secs => $1) ORDER BY created_at LIMIT $2 \
        FOR UPDATE SKIP LOCKED))";
    let swept = db.execute_raw(sql(statement, [KEPT.as_secs_f64().into(), MAX_SWEPT.into()])).await?;
    Ok(swept.rows_affected())
}

/// Forgets the numbers of transactions that cannot be of this cluster: they came with a restore, and would otherwise be
/// taken for news one day.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_other_clusters(db: &DatabaseConnection) -> Result<(), DbErr> {
    for statement in [
        "UPDATE stock_transaction SET xid = '0' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())",
        "DELETE FROM change WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())",
    ] {
        db.execute_raw(sql(statement, [])).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_postgresql_takes_for_one() {
        for good in ["1:1:", "10:20:10,14,19", "742:742:", "5:9223372036854775807:5"] {
            assert_eq!(Moment::try_from(good.to_owned()).map(String::from).as_deref(), Ok(good));
        }
        let bad = [
            "",
            "1",
            "1:1",
            "0:1:",
            "2:1:",
            "1:1:1",
            "10:20:14,10",
            "10:20:10,10",
            "10:20:20",
            "10:20:9",
            "10:20:10,",
            "10:20:,10",
            "+1:2:",
            "1:2::",
            "1:2:x",
            " 1:2:",
            "1:9223372036854775808:",
            "1:2:\0",
        ];
        for bad in bad {
            assert!(Moment::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
