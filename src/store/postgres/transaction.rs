//! What the writer's transaction says beyond queries: who it is, which names it has for itself, and what it changed; and,
//! when its end was not heard, how it ended.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};

use crate::domain::Time;

use super::sql;

/// How long the writer waits for a row that somebody else holds.
const LOCK_TIMEOUT: &str = "200ms";

/// Who a transaction is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its number in the cluster.
    pub id: String,
    /// The database's time when it said so.
    pub now: Time,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Everything it wrote is there.
    Yes,
    /// Nothing of it is there.
    No,
    /// It is still at it.
    NotYet,
    /// It was too long ago.
    Forgotten,
}

/// Asks a new transaction who it is, and bounds its waits. What it acknowledges is on disk, whatever the role's setting.
///
/// # Errors
/// When the database does not answer.
pub async fn introduce(tx: &DatabaseTransaction) -> Result<Identity, DbErr> {
    let statement = "SELECT pg_current_xact_id()::text AS id, clock_timestamp() AS now, \
        set_config('lock_timeout', $1, true) AS wait, \
        set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
        ELSE current_setting('synchronous_commit') END, true) AS durability";
    let row = tx.query_one_raw(sql(statement, [LOCK_TIMEOUT.into()])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the number of a transaction".to_owned()))?;
    let now: DateTime<Utc> = row.try_get("", "now")?;
    Ok(Identity { id: row.try_get("", "id")?, now })
}

/// Takes these names until the transaction ends, in their order, and returns those that somebody else has: none unless
/// `is_hurried`, for otherwise it waits. Names stand for rows that may not be there yet.
///
/// # Errors
/// When the wait is over, or the database does not answer.
pub async fn lock_names(
    tx: &DatabaseTransaction,
    names: &BTreeSet<i64>,
    is_hurried: bool,
) -> Result<BTreeSet<i64>, DbErr> {
    let list: Vec<i64> = names.iter().copied().collect();
    if list.is_empty() {
        return Ok(BTreeSet::new());
    }
    if !is_hurried {
        let wait = "SELECT pg_advisory_xact_lock(name) FROM unnest($1::bigint[]) AS name";
        tx.execute_raw(sql(wait, [list.into()])).await?;
        return Ok(BTreeSet::new());
    }
    let try_all = "SELECT name FROM unnest($1::bigint[]) AS name WHERE NOT pg_try_advisory_xact_lock(name)";
    let held = tx.query_all_raw(sql(try_all, [list.into()])).await?;
    held.iter().map(|row| row.try_get("", "name")).collect()
}

/// Writes down what changed, for the other replicas: kind, id and version of each.
///
/// # Errors
/// When the database does not answer.
pub async fn record(tx: &DatabaseTransaction, changes: &[(&'static str, Uuid, i32)]) -> Result<(), DbErr> {
    if changes.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = changes.iter().map(|(kind, ..)| (*kind).to_owned()).collect();
    let ids: Vec<Uuid> = changes.iter().map(|(_, id, _)| *id).collect();
    let versions: Vec<i32> = changes.iter().map(|(.., version)| *version).collect();
    let insert = "INSERT INTO change (kind, id, version) SELECT * FROM unnest($1::text[], $2::uuid[], $3::integer[])";
    tx.execute_raw(sql(insert, [kinds.into(), ids.into(), versions.into()])).await?;
    Ok(())
}

/// How a transaction ended whose end was not heard.
///
/// # Errors
/// When the database does not answer.
pub async fn outcome(db: &DatabaseConnection, id: &str) -> Result<Committed, DbErr> {
    let row = db.query_one_raw(sql("SELECT pg_xact_status($1::text::xid8) AS status", [id.into()])).await?;
    let status: Option<String> = row.map(|row| row.try_get("", "status")).transpose()?.flatten();
    Ok(match status.as_deref() {
        Some("committed") => Committed::Yes,
        Some("aborted") => Committed::No,
        Some(_) => Committed::NotYet,
        None => Committed::Forgotten,
    })
}
