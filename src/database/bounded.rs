//! A connection to the database on which no statement is waited for without a bound.
//!
//! A network that swallows everything says nothing, and PostgreSQL's own `statement_timeout` does not reach across it. So
//! a statement that is not answered in time is given up here, and its connection is closed: the pool of the driver would
//! otherwise wait for it as long as the kernel does. A file answers, or the machine does not; on SQLite there is no bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgPool, Postgres};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::faults;

/// Timeout of the check that a connection whose statement was cancelled can be used again: more than PostgreSQL itself
/// lets a statement take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(6);

/// A connection, or a pool of them, with a timeout for each statement. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bounded {
    db: DatabaseConnection,
    limit: Duration,
    /// Statements that wait for a connection.
    waiting: Arc<AtomicU32>,
}

/// How a pool of connections is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are open.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// Statements that wait for one; a file is not waited for in a way that can be told.
    pub waiting: Option<u32>,
}

impl Bounded {
    /// Bounds each statement on this connection. Waiting for a free connection is bounded by the pool.
    #[must_use]
    pub fn new(db: DatabaseConnection, limit: Duration) -> Self {
        Self { db, limit, waiting: Arc::default() }
    }

    /// How its connections are used.
    #[must_use]
    pub fn used(&self) -> PoolUse {
        let count = |idle: usize| u32::try_from(idle).unwrap_or(u32::MAX);
        if let Some(pool) = self.pool() {
            let waiting = Some(self.waiting.load(Ordering::Relaxed));
            return PoolUse { open: pool.size(), idle: count(pool.num_idle()), waiting };
        }
        let pool = self.db.get_sqlite_connection_pool();
        PoolUse { open: pool.size(), idle: count(pool.num_idle()), waiting: None }
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        match self.pool() {
            None => self.db.ping().await,
            Some(pool) => {
                let mut lease = Lease::acquire(pool, &self.waiting).await?;
                let answered = timeout(self.limit, lease.connection()?.ping()).await;
                lease.end(answered).map_err(query_error)
            }
        }
    }

    fn pool(&self) -> Option<&PgPool> {
        let is_postgres = self.db.get_database_backend() == DbBackend::Postgres;
        is_postgres.then(|| self.db.get_postgres_connection_pool())
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Bounded {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        faults::database_call()?;
        let Some(pool) = self.pool() else { return self.db.execute_raw(statement).await };
        let mut lease = Lease::acquire(pool, &self.waiting).await?;
        let done = timeout(self.limit, query(&statement).execute(lease.connection()?)).await;
        lease.end(done).map(Into::into).map_err(exec_error)
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        faults::database_call()?;
        let Some(pool) = self.pool() else { return self.db.execute_unprepared(text).await };
        let mut lease = Lease::acquire(pool, &self.waiting).await?;
        let done = timeout(self.limit, lease.connection()?.execute(AssertSqlSafe(text.to_owned()))).await;
        lease.end(done).map(Into::into).map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        faults::record(&statement);
        faults::database_call()?;
        let Some(pool) = self.pool() else { return self.db.query_one_raw(statement).await };
        let mut lease = Lease::acquire(pool, &self.waiting).await?;
        let row = timeout(self.limit, query(&statement).fetch_optional(lease.connection()?)).await;
        Ok(lease.end(row).map_err(query_error)?.map(Into::into))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        faults::record(&statement);
        faults::database_call()?;
        let Some(pool) = self.pool() else { return self.db.query_all_raw(statement).await };
        let mut lease = Lease::acquire(pool, &self.waiting).await?;
        let rows = timeout(self.limit, query(&statement).fetch_all(lease.connection()?)).await;
        Ok(lease.end(rows).map_err(query_error)?.into_iter().map(Into::into).collect())
    }
}

fn query(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

/// The failure of a statement that was not answered in time.
pub fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer in time"))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

/// A connection of the pool while one statement runs on it.
struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    async fn acquire(pool: &PgPool, waiting: &AtomicU32) -> Result<Self, DbErr> {
        let _waits = Waits::begin(waiting);
        match pool.acquire().await {
            Ok(connection) => Ok(Self(Some(connection))),
            Err(sqlx::Error::PoolTimedOut) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            Err(sqlx::Error::PoolClosed) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(error) => Err(DbErr::Conn(RuntimeErr::SqlxError(error.into()))),
        }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, DbErr> {
        // It is taken at the end only.
        self.0.as_deref_mut().ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    /// Gives the connection back, or closes it when it did not answer.
    fn end<T>(mut self, answered: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, sqlx::Error> {
        let connection = self.0.take();
        answered.unwrap_or_else(|_| {
            if let Some(mut silent) = connection {
                silent.close_on_drop();
            }
            Err(silent())
        })
    }
}

/// Counts somebody who waits, for as long as this lives.
struct Waits<'a>(&'a AtomicU32);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Lease {
    /// After a statement whose caller went away: the connection is used again when it answers in time.
    fn drop(&mut self) {
        if let (Some(mut connection), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                if !matches!(timeout(RELEASE_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                    connection.close_on_drop();
                }
            });
        }
    }
}
