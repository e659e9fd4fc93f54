//! Calls of the database that fail: the so manieth one after it was planned, before or after it was carried out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::sqlx;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The connection breaks before the database hears of it.
    Before,
    /// The connection breaks before its answer arrives.
    After,
}

#[derive(Debug)]
struct Counted {
    calls: u32,
    fails: Option<(u32, When)>,
    /// Whether every later call fails, too.
    is_lasting: bool,
}

static COUNTED: Mutex<Counted> = Mutex::new(Counted { calls: 0, fails: None, is_lasting: false });

fn counted() -> MutexGuard<'static, Counted> {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that is planned to fail; the plan ends when this is dropped.
#[derive(Debug)]
pub struct FailingCall(());

impl FailingCall {
    /// How many calls were made since it was planned.
    #[must_use]
    pub fn calls(&self) -> u32 {
        counted().calls
    }

    /// Whether it has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        counted().fails.is_none()
    }
}

impl Drop for FailingCall {
    fn drop(&mut self) {
        let mut counted = counted();
        counted.fails = None;
        counted.is_lasting = false;
    }
}

/// Plans that the `nth` call from now on fails, counted from 1; 0 only counts.
#[must_use]
pub fn fail_call(nth: u32, when: When) -> FailingCall {
    *counted() = Counted { calls: 0, fails: Some((nth, when)), is_lasting: false };
    FailingCall(())
}

/// Plans that the next call fails, and after it every other one before it was carried out.
#[must_use]
pub fn fail_calls(when: When) -> FailingCall {
    *counted() = Counted { calls: 0, fails: Some((1, when)), is_lasting: true };
    FailingCall(())
}

/// Counts a call.
fn next() -> Option<When> {
    let mut counted = counted();
    counted.calls = counted.calls.saturating_add(1);
    let fails = counted.fails.filter(|(nth, _)| *nth == counted.calls);
    if fails.is_some() {
        counted.fails = None;
    }
    let is_broken = counted.is_lasting && counted.fails.is_none();
    fails.map(|(_, when)| when).or(is_broken.then_some(When::Before))
}

fn broken() -> DbErr {
    let error = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a planned fault broke the connection");
    DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Io(error).into()))
}

/// Counts a call that is not made through [`Transaction`].
///
/// # Errors
/// When it is planned to fail.
pub fn database_call() -> Result<(), DbErr> {
    next().map_or(Ok(()), |_| Err(broken()))
}

static RECORDED: Mutex<Option<Vec<Statement>>> = Mutex::new(None);

/// Keeps the statements that are read with from now on, until they are taken.
pub fn record_statements() {
    *RECORDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
}

/// The statements that were read with since [`record_statements`]. No more are kept.
#[must_use]
pub fn recorded_statements() -> Vec<Statement> {
    RECORDED.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
}

/// Keeps a statement, if they are kept.
pub fn record(statement: &Statement) {
    if let Some(recorded) = &mut *RECORDED.lock().unwrap_or_else(PoisonError::into_inner) {
        recorded.push(statement.clone());
    }
}

/// The transaction of a batch, whose calls may fail.
#[derive(Debug)]
pub struct Transaction(DatabaseTransaction);

/// A transaction whose calls may fail.
#[must_use]
pub const fn transaction(transaction: DatabaseTransaction) -> Transaction {
    Transaction(transaction)
}

impl Transaction {
    /// Commits.
    ///
    /// # Errors
    /// As the database does, and as planned.
    pub async fn commit(self) -> Result<(), DbErr> {
        around(self.0.commit()).await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// As the database does, and as planned.
    pub async fn rollback(self) -> Result<(), DbErr> {
        around(self.0.rollback()).await
    }
}

async fn around<T>(call: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
    match next() {
        None => call.await,
        Some(When::Before) => Err(broken()),
        Some(When::After) => {
            call.await?;
            Err(broken())
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        around(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        around(self.0.execute_unprepared(text)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        around(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        around(self.0.query_all_raw(statement)).await
    }
}
