//! What the writer's transaction says beyond queries: how long it waits, which names it has for itself, and what it changed.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbErr};

use crate::faults::Transaction;
use domain::Time;
use domain::id::WebhookId;
use domain::webhook::{EventKind, Target};

use super::sql;

/// Bounds of one transaction of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// How long it waits for a row that another transaction holds.
    pub lock: Duration,
    /// How long one of its statements may take, that wait included. Its COMMIT has no bound: cutting it short would
    /// acknowledge what a synchronous standby does not have.
    pub statement: Duration,
}

/// Bounds the waits of a new transaction and returns the database's time and the enabled webhooks that want events of
/// orders. What it acknowledges is on disk, whatever the role's setting.
///
/// # Errors
/// When the database does not answer.
pub async fn begin_info(tx: &Transaction, timeouts: Timeouts) -> Result<(Time, Vec<Target>), DbErr> {
    let statement = "SELECT clock_timestamp() AS now, set_config('lock_timeout', $1, true) AS lock, \
        set_config('statement_timeout', $2, true) AS statement, \
        set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
        ELSE current_setting('synchronous_commit') END, true) AS durability, \
        ARRAY(SELECT id::text || ' ' || events FROM webhook WHERE enabled ORDER BY id) AS webhooks";
    let millis = |timeout: Duration| timeout.as_millis().to_string().into();
    let row = tx.query_one_raw(sql(statement, [millis(timeouts.lock), millis(timeouts.statement)])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the database's time".to_owned()))?;
    let now: DateTime<Utc> = row.try_get("", "now")?;
    let webhooks: Vec<String> = row.try_get("", "webhooks")?;
    Ok((now, webhooks.iter().filter_map(|webhook| target(webhook)).collect()))
}

/// Reads an id and the codes of events. One that only a newer release knows is not recorded by this one.
fn target(webhook: &str) -> Option<Target> {
    let mut words = webhook.split_ascii_whitespace();
    let id = Uuid::parse_str(words.next()?).ok()?;
    Target::of(WebhookId(id), words.filter_map(EventKind::parse))
}

/// Takes these names until the transaction ends, in their order, and returns those that somebody else has: none unless
/// `is_hurried`, for otherwise it waits. Names stand for rows that may not be there yet.
///
/// # Errors
/// When the wait is over, or the database does not answer.
pub async fn advisory_lock(tx: &Transaction, names: &BTreeSet<i64>, is_hurried: bool) -> Result<BTreeSet<i64>, DbErr> {
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

/// Bars the transaction with this token from ever being committed, unless it was; returns whether it is barred. It waits for
/// a transaction that is still alive, and, as a commit does, for a synchronous standby: also where it changes nothing.
///
/// # Errors
/// When the database does not answer, or the wait for the transaction is over.
pub async fn bar_unless_committed<C: ConnectionTrait>(db: &C, token: Uuid) -> Result<bool, DbErr> {
    // The setting is a value of the row so that it is evaluated.
    let statement = "INSERT INTO commit_token (token, is_barred, created_at) \
        SELECT $1, set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
        ELSE current_setting('synchronous_commit') END, true) <> '', clock_timestamp() \
        ON CONFLICT (token) DO UPDATE SET is_barred = commit_token.is_barred RETURNING is_barred";
    let row = db.query_one_raw(sql(statement, [token.into()])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("a commit token".to_owned()))?.try_get("", "is_barred")
}
