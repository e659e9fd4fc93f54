//! How far the log can be followed on PostgreSQL, where many write at once: which transactions were still running, and
//! their rows once they have ended.

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DbErr};

use super::sql;

/// The end of the log at one moment: the running transactions, in rising order, and position and id of the newest row.
///
/// # Errors
/// When the database does not answer.
pub async fn log_end(db: &impl ConnectionTrait) -> Result<(Vec<i64>, Option<(i64, Uuid)>), DbErr> {
    // A snapshot lists the running transactions below its xmax, which follows the latest one that has ended. Those from there
    // up to the next number are running, too; `age` counts from that number, and asks for it after the snapshot was taken.
    let statement = "SELECT pg_current_snapshot()::text AS snapshot, age(pg_snapshot_xmax(pg_current_snapshot())::xid) AS above, \
        newest.position, newest.id FROM (SELECT 1) AS one LEFT JOIN (SELECT position, id FROM stock_transaction ORDER BY position DESC LIMIT 1) AS newest ON true";
    let row = db.query_one_raw(sql(statement, [])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the end of the log".to_owned()))?;
    let snapshot: String = row.try_get("", "snapshot")?;
    let position: Option<i64> = row.try_get("", "position")?;
    let id: Option<Uuid> = row.try_get("", "id")?;
    let running =
        running(&snapshot, row.try_get("", "above")?).ok_or_else(|| DbErr::Type("this is no snapshot".to_owned()))?;
    Ok((running, position.zip(id)))
}

/// The running transactions of a snapshot, `xmin:xmax:xip,xip`, when the latest number that was given out is so far above
/// its xmax.
fn running(snapshot: &str, above: i32) -> Option<Vec<i64>> {
    let mut parts = snapshot.split(':').skip(1);
    let (xmax, list) = (parts.next()?.parse::<i64>().ok()?, parts.next()?);
    let listed = list.split(',').filter(|number| !number.is_empty()).map(|number| number.parse().ok());
    listed.chain((xmax..=xmax.checked_add(above.into())?).map(Some)).collect()
}

/// The position of row number `count` of these transactions within `(after, to]`, by position; `None` when there are fewer.
///
/// # Errors
/// When the database does not answer.
pub async fn nth_position_of(
    db: &impl ConnectionTrait,
    transactions: &[i64],
    after: i64,
    to: i64,
    count: u64,
) -> Result<Option<i64>, DbErr> {
    // Each transaction's rows are found by the index; one holds a batch of the writer at most.
    let statement = "SELECT late.position FROM unnest($1::text[]::xid8[]) AS ended (xid), LATERAL (\
        SELECT t.position FROM stock_transaction t WHERE t.xid = ended.xid AND t.position > $2 AND t.position <= $3 \
        ORDER BY t.position LIMIT $4) AS late ORDER BY late.position LIMIT 1 OFFSET $4 - 1";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let parameters = [texts(transactions).into(), after.into(), to.into(), count.into()];
    let row = db.query_one_raw(sql(statement, parameters)).await?;
    row.map(|row| row.try_get("", "position")).transpose()
}

/// Rows that one of these transactions wrote.
pub fn written_by(transactions: &[i64]) -> Expr {
    Expr::cust_with_values("xid = ANY ($1::text[]::xid8[])", [texts(transactions)])
}

/// Rows that none of these transactions wrote.
pub fn not_written_by(transactions: &[i64]) -> Expr {
    Expr::cust_with_values("xid <> ALL ($1::text[]::xid8[])", [texts(transactions)])
}

fn texts(transactions: &[i64]) -> Vec<String> {
    transactions.iter().map(i64::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_transactions_are_those_of_a_snapshot_and_those_above_it() {
        assert_eq!(running("742:742:", -1), Some(vec![]));
        assert_eq!(running("10:20:10,14,19", -1), Some(vec![10, 14, 19]));
        assert_eq!(running("10:20:10,14", 2), Some(vec![10, 14, 20, 21, 22]));
        for bad in ["", "10:20", "10:x:", "10:20:x"] {
            assert_eq!(running(bad, -1), None, "{bad:?}");
        }
    }
}
