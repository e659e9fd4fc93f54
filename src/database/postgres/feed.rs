//! The change feed between replicas: exactly the changes that became visible between two polls. None is lost and none
//! comes twice, whatever is committed late, and nobody waits for a long transaction.
//!
//! A snapshot, as PostgreSQL calls it, says which transactions had ended. The number of a transaction says when it began,
//! so an order by numbers would miss whoever ends late; what was invisible then and is visible now does not. After a crash
//! PostgreSQL gives out numbers again, so a snapshot is compared only within the session that took it. A pool reconnects
//! without a word; hence each poll asks in its own statement which session it runs in.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, RuntimeErr};
use tokio::time::Instant;

use crate::database::bounded::Bounded;
use domain::Time;
use domain::id::{OrderId, ProductId};

use super::lineage::{Cluster, Lineage, TABLE_NAMES, TABLES, Tables};
use super::{Postgres, sql};

/// After so long without a poll some of what happened may be deleted already: less than [`CHANGE_LIFETIME`].
const MISSED_AFTER: Duration = Duration::from_mins(9);

/// How long what replicas told each other is kept.
pub const CHANGE_LIFETIME: Duration = Duration::from_mins(10);

/// Most changes that one poll takes in; when there are more, everything that is watched is read instead.
const MAX_CHANGES: usize = 10_000;

/// Timeout of each statement of the feed. After it the connection is dropped and made anew.
const POLL_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a poll also asks which data it is.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// The setting of a session that tells whether it is the one that a snapshot was taken in.
const SESSION: &str = "onhand.feed_session";

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

/// What became visible since the last poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// These changes, and no others.
    Changes(Vec<Change>),
    /// It cannot be told: the session is a new one, or there is too much of it. Whatever is watched is to be read.
    Untold,
    /// The database holds other or older data than before. Nothing that was known of it holds.
    DataReplaced,
}

/// The result of a poll.
#[derive(Debug)]
pub struct Poll {
    /// What became visible.
    pub news: News,
    /// The database's time.
    pub at: Time,
    /// The same session: a read over it sees at least what was told.
    pub session: Bounded,
}

/// The feed's own connection, which nothing else waits for or is waited for.
#[derive(Debug)]
pub struct FeedConnection {
    postgres: Postgres,
    session: Option<Session>,
    /// The data that was found last.
    lineage: Option<Lineage>,
}

/// A session, and what the last poll in it found.
#[derive(Debug)]
struct Session {
    db: Bounded,
    /// The process that serves it, and a random value that only this session was given: after a crash a process may have
    /// the number of an earlier one.
    identity: (i32, String),
    snapshot: String,
    at: Time,
    /// When it was asked which data it is.
    checked: Instant,
}

impl FeedConnection {
    /// A connection that is made by the first poll.
    #[must_use]
    pub const fn new(postgres: Postgres) -> Self {
        Self { postgres, session: None, lineage: None }
    }

    /// Tells what became visible since the last poll. After a failure, or when its result was not wholly made use of, the
    /// connection has to be [dropped](Self::disconnect).
    ///
    /// # Errors
    /// When the database does not answer in time, or is a standby.
    pub async fn poll(&mut self) -> Result<Poll, DbErr> {
        let Some(session) = self.session.take() else {
            let db = Bounded::new(self.postgres.feed().await?, POLL_TIMEOUT);
            return self.open(db).await;
        };
        let is_checked = session.checked.elapsed() >= CHECK_EVERY;
        let rows = session.poll(is_checked).await?;
        let first = rows.first().ok_or_else(nothing)?;
        let identity: (i32, Option<String>) = (first.try_get("", "pid")?, first.try_get("", "session")?);
        if identity != (session.identity.0, Some(session.identity.1.clone())) {
            return self.open(session.db).await;
        }
        let at = time(first)?;
        let is_late = (at - session.at).to_std().is_ok_and(|passed| passed > MISSED_AFTER);
        let tables = is_checked.then(|| Tables::read(first)).transpose()?;
        let news = if tables.is_some_and(|tables| !self.follow_tables(tables)) {
            News::DataReplaced
        } else if is_late || rows.len() > MAX_CHANGES {
            News::Untold
        } else {
            News::Changes(rows.iter().filter_map(|row| change(row).transpose()).collect::<Result<_, _>>()?)
        };
        let snapshot = first.try_get("", "snapshot")?;
        let reads = session.db.clone();
        let checked = if is_checked { Instant::now() } else { session.checked };
        self.session = Some(Session { snapshot, at, checked, ..session });
        Ok(Poll { news, at, session: reads })
    }

    /// Lets the connection go. The next poll makes a new one, and tells that everything is to be read.
    pub fn disconnect(&mut self) {
        self.session = None;
    }

    /// Forgets what the rows of a restored dump say of transactions, as [`forget_other_clusters`] does.
    ///
    /// # Errors
    /// When the database does not answer, or the role may not.
    pub async fn forget_other_clusters(&self) -> Result<(), DbErr> {
        match &self.session {
            Some(session) => forget_other_clusters(&session.db).await,
            None => Err(nothing()),
        }
    }

    /// Marks the session, and takes its first snapshot: what is read after this is not older than the snapshot.
    async fn open(&mut self, db: Bounded) -> Result<Poll, DbErr> {
        let mark = Uuid::new_v4().to_string();
        let open = format!(
            "SELECT set_config('{SESSION}', $1, false) AS session, pg_backend_pid() AS pid, pg_is_in_recovery() AS is_standby, \
             pg_current_snapshot()::text AS snapshot, clock_timestamp() AS at, {TABLES}"
        );
        let row = db.query_one_raw(sql(&open, [mark.clone().into()])).await?.ok_or_else(nothing)?;
        if row.try_get("", "is_standby")? {
            return Err(away("this PostgreSQL is a standby"));
        }
        let lineage = Lineage { cluster: Cluster::ask(&db).await?, tables: Tables::read(&row)? };
        let news = if self.follow(lineage) { News::Untold } else { News::DataReplaced };
        let (at, session) = (time(&row)?, db.clone());
        let (identity, snapshot) = ((row.try_get("", "pid")?, mark), row.try_get("", "snapshot")?);
        self.session = Some(Session { db, identity, snapshot, at, checked: Instant::now() });
        Ok(Poll { news, at, session })
    }

    /// The same within a session, for the lifetime of which the cluster is the same.
    fn follow_tables(&mut self, tables: Tables) -> bool {
        let Some(earlier) = &self.lineage else { return false };
        self.follow(Lineage { cluster: earlier.cluster.clone(), tables })
    }

    /// Whether the data continues what was found before.
    fn follow(&mut self, lineage: Lineage) -> bool {
        let continues = self.lineage.as_ref().is_none_or(|earlier| lineage.continues(earlier));
        self.lineage = Some(lineage);
        continues
    }
}

impl Session {
    async fn poll(&self, is_checked: bool) -> Result<Vec<QueryResult>, DbErr> {
        let (tables, names) = if is_checked { (TABLES, TABLE_NAMES) } else { ("NULL", "NULL") };
        // Two branches, so that each finds its rows by the index.
        let statement = format!(
            "WITH now AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot, pg_backend_pid() AS pid, \
            current_setting('{SESSION}', true) AS session, {tables}), seen AS (\
            SELECT c.kind, c.id, c.version FROM now, change c \
            WHERE c.xid >= pg_snapshot_xmax($1::text::pg_snapshot) AND c.xid < pg_snapshot_xmax(now.snapshot) \
            UNION ALL \
            SELECT c.kind, c.id, c.version FROM change c \
            WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))) \
            SELECT now.snapshot::text AS snapshot, clock_timestamp() AS at, pid, session, {names}, \
            newest.kind, newest.id, newest.version \
            FROM now LEFT JOIN (SELECT kind, id, max(version) AS version FROM seen GROUP BY kind, id LIMIT $2) AS newest \
            ON true"
        );
        let limit = i64::try_from(MAX_CHANGES + 1).unwrap_or(i64::MAX);
        self.db.query_all_raw(sql(&statement, [self.snapshot.as_str().into(), limit.into()])).await
    }
}

fn time(row: &QueryResult) -> Result<Time, DbErr> {
    row.try_get::<DateTime<Utc>>("", "at")
}

fn nothing() -> DbErr {
    away("the feed has no session")
}

fn away(what: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(what.to_owned()))
}

/// `None` for the row that only tells the snapshot.
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

/// Deletes changes that every replica has seen: those longer ago than this, at most so many, the oldest first. Rows that
/// somebody else is deleting are left out.
///
/// # Errors
/// When the database does not answer.
pub async fn prune_changes(db: &impl ConnectionTrait, older_than: Duration, limit: u64) -> Result<u64, DbErr> {
    let statement = "DELETE FROM change WHERE ctid = ANY (ARRAY(SELECT ctid FROM change \
        WHERE created_at < clock_timestamp() - make_interval(secs => $1) ORDER BY created_at LIMIT $2 \
        FOR UPDATE SKIP LOCKED))";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let pruned = db.execute_raw(sql(statement, [older_than.as_secs_f64().into(), limit.into()])).await?;
    Ok(pruned.rows_affected())
}

/// Forgets the numbers of transactions that cannot be of this cluster: they came with a restore, and would otherwise be
/// taken for news one day.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_other_clusters(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    for statement in [
        "UPDATE stock_transaction SET xid = '0' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())",
        "DELETE FROM change WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())",
    ] {
        db.execute_raw(sql(statement, [])).await?;
    }
    Ok(())
}
